"""What every route has in common: described, refused in one form, repeated safely, read in pages."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from starlette.types import Message
from structlog.testing import capture_logs

from evidence_service.api.app import create_app
from evidence_service.api.limits import _Body
from evidence_service.service.tracing import NoTracing
from tests.running import operator_key, serving
from tests.unit.api.conftest import KEY


class Nowhere:
    """Parts that no request gets as far as."""

    organisations = None
    database = None
    tracing = NoTracing()

    def within(self, _: str) -> Nowhere:
        return self


NOWHERE: Any = Nowhere()
METHODS = ("get", "post", "put", "patch", "delete")
# They change the state of one thing; done twice, they have done what they did once.
ACTIONS = {
    "anchor_now",
    "withdraw_certificate",
    "extend_certificate",
    "approve_request",
    "refuse_request",
    "complete_upload",
    "rotate_secret",  # the secrets before sign too
    "try_webhook",
    "replay_events",
}
# Lists of what one thing has, whole: as many as it has chains, files, events or certificates.
WHOLE = {
    "show_anchors",
    "show_anchors_of_evidence",
    "show_custody",
    "list_files",
    "list_of_evidence",
    "show_orders",  # of ids that were asked for
    "list_chains",  # as many as are configured
    "list_due",  # what the service is about to do
}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = create_app(NOWHERE, operator_key(KEY))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the secret of the house")

    @app.get("/away")
    def away() -> None:
        raise OperationalError("SELECT 'the secret of the house'", None, Exception())

    @app.get("/full")
    def full() -> None:
        raise PoolExhausted("the secret of the house")

    @app.get("/unstorable")
    def unstorable() -> None:
        raise DataError("the secret of the house", None, Exception())

    return app


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}"}
    # The log shows a fault with everything around it, which takes seconds: here it is only kept.
    with (
        capture_logs() as logged,
        serving(app) as url,
        httpx.Client(base_url=url, headers=headers, trust_env=False) as client,
    ):
        yield client
        # None where another process of the tests asked for it.
        faults = [entry for entry in logged if entry["event"] == "request.failed"]
        assert len(faults) <= 1 and all(entry["exc_info"] for entry in faults)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(None, {}).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, found in document["paths"].items()
        for method, operation in found.items()
        if method in METHODS
    ]


def check_problem(answer: Any, status: int, kind: str) -> dict[str, Any]:
    """A problem document, whole, and nothing of what was sent or is inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:evidence-service:problem:{kind}"
    assert body["status"] == status and body["title"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    return body


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "kind"),
    [
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("GET", "/v1/matters/", {}, 404, "not-found"),
        ("DELETE", "/v1/matters", {}, 405, "method-not-allowed"),
        ("OPTIONS", "/v1/matters", {}, 405, "method-not-allowed"),
        ("GET", "/v1/matters", {"headers": {"Authorization": "Bearer secret"}}, 401, "unauthorised"),
        ("GET", "/v1/matters", {"headers": {"Authorization": "Basic secret"}}, 401, "unauthorised"),
        ("POST", "/v1/matters", {"json": {"reference": ["secret"]}}, 422, "invalid-request"),
        ("POST", "/v1/matters", {"json": ["secret"]}, 422, "invalid-request"),
        ("POST", "/v1/matters", {"content": b"{secret", "headers": {"Content-Type": "application/json"}}, 422, "invalid-request"),
        ("POST", "/v1/matters", {"content": b"{\xff secret", "headers": {"Content-Type": "application/json"}}, 422, "invalid-request"),
        ("POST", "/v1/matters", {"content": b"secret"}, 415, "unsupported-media-type"),
        ("POST", "/v1/matters", {"data": {"secret": "x"}}, 415, "unsupported-media-type"),
        ("POST", "/v1/matters", {"content": b"secret", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
        ("POST", "/v1/matters", {"json": {}, "headers": {"Content-Encoding": "gzip"}}, 415, "unsupported-media-type"),
        ("POST", "/v1/uploads", {"content": b"x", "headers": {"Content-Encoding": "br"}}, 415, "unsupported-media-type"),
        ("POST", "/v1/matters", {"content": b"x" * ((1 << 20) + 1), "headers": {"Content-Type": "application/json"}}, 413, "too-large"),
        ("GET", "/livez", {"headers": {f"X-{number}": "secret" for number in range(120)}}, 431, "too-many-header-fields"),
        ("GET", "/broken", {}, 500, "internal"),
        ("GET", "/away", {}, 503, "unavailable"),
        ("GET", "/full", {}, 503, "unavailable"),
        ("GET", "/unstorable", {}, 422, "invalid-request"),
    ],
)  # fmt: skip
def test_every_error_is_a_problem(
    client: httpx.Client, method: str, path: str, request_: dict[str, Any], status: int, kind: str
) -> None:
    answer = client.request(method, path, **request_)
    check_problem(answer, status, kind)
    if status == 405:
        assert answer.headers["allow"] == "GET, POST"
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0


def test_head_is_refused_as_its_body_would_be_noted(client: httpx.Client) -> None:
    answer = client.head("/v1/evidence")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_a_body_that_drips_is_cut_off() -> None:
    app = create_app(NOWHERE, operator_key(KEY), patience=0.3)
    head = (
        f"POST /v1/matters HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    with serving(app) as url, socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as peer:
        peer.settimeout(0.05)
        peer.sendall(head.encode())
        received = b""
        while True:  # one byte at a time, for as long as the service listens
            try:
                piece = peer.recv(65536)
            except TimeoutError:
                peer.sendall(b" ")
                continue
            received += piece
            if not piece:
                break
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in received and b"problem:too-slow" in received
    assert b"connection: close" in received.lower()


async def silent_after(first: bytes, patience: float) -> int:
    """The status of an answer to a caller who says so much and then nothing."""
    given = [{"type": "http.request", "body": first, "more_body": True}]

    async def receive() -> Message:
        if given:
            return given.pop()
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(HTTPException) as caught:
        await _Body(receive, patience=patience, limit=None).whole()
    return caught.value.status_code


def test_after_much_of_a_body_a_gap_is_no_longer_than_after_little() -> None:
    # At the slowest pace that is allowed, so many bytes would have been given more than two minutes.
    assert asyncio.run(asyncio.wait_for(silent_after(bytes(1 << 19), 0.2), 30)) == 408


# --- the document ---


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    found = set()
    for part in text.split('"$ref": "#/')[1:]:
        name = part.split('"', 1)[0]
        place: Any = document
        for step in name.split("/"):
            place = place[step]
        found.add(name)
    assert "components/schemas/Problem" in found
    assert "HTTPValidationError" not in text


def test_ids_of_operations_are_names_of_functions(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert all(name.isidentifier() and name.islower() for name in ids)


def test_every_operation_tells_its_errors(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        told = operation["responses"]
        wanted = {"429", "503", "default"}
        if operation.get("security"):
            wanted |= {"401", "403"}
        if "{" in path:
            wanted |= {"404", "422"}
        if "requestBody" in operation:
            wanted |= {"413", "422"}
        assert wanted <= set(told), f"{method} {path} does not tell {wanted - set(told)}"
        for status, answer in told.items():
            if operation["operationId"] == "ready" and status == "503":
                continue  # what is away, for machines that look after machines
            if status == "default" or status >= "400":
                name = answer["$ref"].rsplit("/", 1)[1]
                content = document["components"]["responses"][name]["content"]["application/problem+json"]
                assert content["schema"]["$ref"] == "#/components/schemas/Problem"


def test_every_operation_says_what_it_is_for(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation.get("description"), f"{method} {path} has no docstring"
        assert operation.get("tags"), f"{method} {path} has no tag"
        summary, function = operation["summary"], operation["operationId"].replace("_", " ")
        assert summary.lower() != function, f"{method} {path} is called like its function"
        assert operation["description"].replace("``", "").replace("*", "").startswith(summary)
        assert len(summary) <= 100 and not set(summary) & set(";\n"), f"{method} {path}: {summary}"


def test_the_document_says_where_the_service_is(document: dict[str, Any]) -> None:
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_every_body_has_an_example_that_is_valid(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        body = operation.get("requestBody")
        if body is None:
            continue
        [(kind, content)] = body["content"].items()
        if kind != "application/json":
            assert "example" in content, f"{method} {path} has no example"
            continue
        name = content["schema"]["$ref"].rsplit("/", 1)[1]
        examples = document["components"]["schemas"][name].get("examples")
        assert examples, f"{name}, the body of {method} {path}, has no example: set json_schema_extra"
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        for example in examples:
            Draft202012Validator(schema).validate(example)


def test_whatever_creates_something_takes_a_key(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if method != "post" or operation["operationId"] in ACTIONS:
            continue
        names = {item["name"].lower() for item in operation.get("parameters", ())}
        assert "idempotency-key" in names, (
            f"POST {path} creates something and takes no Idempotency-Key; see api/idempotency.py"
        )


def test_every_list_is_read_in_pages(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for method, path, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        schema = content.get("schema", {})
        if method != "get":
            continue
        if schema.get("type") == "array":
            assert operation["operationId"] in WHOLE, (
                f"GET {path} answers with a bare list: answer with a page of items and next"
            )
        name = schema.get("$ref", "").rsplit("/", 1)[-1]
        if "items" in schemas.get(name, {}).get("properties", {}):
            assert "next" in schemas[name]["required"]
            names = {item["name"] for item in operation["parameters"]}
            assert "limit" in names and names & {"after", "before"}, f"GET {path} has no cursor"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'["[",' * 65 + b"1" + b"]" * 65,
        b"[" * 65,
        b'["' + b"]" * 65 + b'"' + b"[" * 65 + b"]" * 66,
    ],
)
def test_nesting_without_end_is_refused_before_it_is_parsed(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/matters", content=body, headers={"Content-Type": "application/json"})
    assert "nested deeper than 64" in check_problem(answer, 422, "invalid-request")["title"]


def test_brackets_in_texts_are_no_nesting(client: httpx.Client) -> None:
    body = {"reference": ["[" * 5000, '"' + "{[" * 5000 + "\\"], "rights": [[[0]] * 500]}
    problem = check_problem(client.post("/v1/matters", json=body), 422, "invalid-request")
    assert problem["title"].startswith("body.")
