"""The client for programs: every operation through it, and what it does when it is not answered."""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest
from pydantic import BaseModel

from evidence_service.api.app import create_app
from evidence_service.client import (
    ClientError,
    EvidenceClient,
    NotFoundError,
    ProblemError,
    RefusedError,
    TooManyRequestsError,
    UnauthorisedError,
    UnavailableError,
    models,
)
from tests.unit.api.conftest import KEY, Service
from tests.unit.api.isolation import COMMON, THINGS, UNKNOWN, Operation, operations

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "use-the-python-client.md"
IDS = {**COMMON, **UNKNOWN}
DOCUMENT = create_app(None, {}).openapi()


@pytest.fixture
def client(service: Service) -> Iterator[EvidenceClient]:
    with EvidenceClient(str(service.http.base_url), KEY, attempts=1) as client:
        yield client


def arguments(operation: Operation, method: Callable[..., Any], folder: Path) -> dict[str, Any]:
    """Something for every parameter that has to be given; ids of what is not there."""
    given: dict[str, Any] = {}
    hints = get_type_hints(method)
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            continue
        if name == "to":
            given[name] = folder / "file"
        elif name == "body":
            kind = hints[name]
            given[name] = body(operation, kind) if isinstance(kind, type) else b"bytes"
        elif name.rstrip("_") in THINGS:
            value = IDS[THINGS[name.rstrip("_")]]
            given[name] = [value] if hints[name] == list[str] else value
        else:
            given[name] = operation.query.get(name, "someone")
    return given


def body(operation: Operation, kind: type[BaseModel]) -> BaseModel:
    content = copy.deepcopy(operation.body)
    for place, name, thing in operation.things:
        if place == "body":
            content[name] = [IDS[thing]] if isinstance(content[name], list) else IDS[thing]
    return kind.model_validate(content)


def test_every_operation_is_reached(service: Service, client: EvidenceClient, tmp_path: Path) -> None:
    asked: list[str] = []
    service.http.close()
    sent: list[httpx.Request] = []
    client._http.event_hooks["request"].append(sent.append)
    for operation in operations(DOCUMENT):
        if operation.name == "follow_events":
            continue  # it has no end: see below
        method = getattr(client, operation.name)
        told: object = None
        try:
            method(**arguments(operation, method, tmp_path))
        except ProblemError as problem:
            told = problem
        assert sent[-1].method == operation.method.upper(), operation
        if "{" in operation.path:
            assert isinstance(told, NotFoundError), (operation, told)
            assert told.type == "urn:evidence-service:problem:not-found"
            assert (told.status, bool(told.title), len(told.request_id)) == (404, True, 16)
        else:
            # Whatever is wrong is wrong with the service or the thing, never with the request's form.
            assert told is None or isinstance(told, NotFoundError | RefusedError | UnavailableError), (
                operation
            )
            assert not isinstance(told, RefusedError) or told.type.endswith(":refused"), (operation, told)
        asked.append(operation.name)
    assert len(asked) == len({*asked}) == len(sent)


def test_from_a_matter_to_its_custody(service: Service, client: EvidenceClient, tmp_path: Path) -> None:
    matter = client.register_matter(models.NewMatter(reference="R-2", applicant="Test SA", rights=["EUTM 1"]))
    assert client.show_matter(matter.id) == matter
    path = tmp_path / "note.txt"
    path.write_bytes(b"what was there")
    accepted = client.upload(path, matter_id=matter.id, name="note.txt", certificate=False)
    assert accepted.receipt["evidence_id"] == accepted.id
    service.register(accepted.id)
    assert client.show_evidence(accepted.id).status == "registered"
    bundle = client.download_bundle(accepted.id, tmp_path / "bundle.json")
    assert json.loads(bundle.read_bytes())["manifest"]
    [file] = client.list_files(accepted.id)
    got = client.download_file(accepted.id, file.path, tmp_path / "got", expect=file.sha256)
    assert got.read_bytes() == path.read_bytes()
    assert "copy" in [event["action"] for event in client.show_custody(accepted.id)]
    for number in range(3):
        client.upload(b"%d" % number, matter_id=matter.id, name="n.txt", certificate=False)
    every = list(client.iter_list_evidence(matter_id=matter.id, limit=1))
    assert len({item.id for item in every}) == len(every) == 4


def test_what_the_guide_shows_works(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippets = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert len(snippets) == 6
    (tmp_path / "note.txt").write_bytes(b"a note")
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {"base_url": str(service.http.base_url), "key": KEY}
    exec(snippets[0], known)  # the project's own words
    service.register(known["accepted"].id)
    # No address of the guide is asked for here: the policy is of another test.
    monkeypatch.setattr(
        known["client"], "order_capture", lambda body, **_: models.NewCapture.model_validate(body)
    )
    for snippet in snippets[1:]:
        exec(snippet, known)
    assert (tmp_path / "copy.bin").read_bytes() == b"a note"
    assert json.loads((tmp_path / "bundle.json").read_bytes())
    assert isinstance(known["order"], models.NewCapture)
    known["client"].close()


def test_a_bad_key_is_said(service: Service) -> None:
    with EvidenceClient(str(service.http.base_url), "wrong") as client, pytest.raises(UnauthorisedError):
        client.list_evidence()


# --- what is not answered ---


class Answers:
    """A service that answers as it is told, one after the other; what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.waited: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> EvidenceClient:
        return EvidenceClient(
            "http://x", "secret", wait=self.waited.append, transport=httpx.MockTransport(self)
        )

    def used(self) -> set[str | None]:
        return {request.headers.get("Idempotency-Key") for request in self.asked}


MATTER = {
    "id": "m-1",
    "reference": "R",
    "applicant": "A",
    "rights": [],
    "structured_rights": [],
    "respondent": None,
    "court": None,
    "case_number": None,
    "created_at": "2026-01-02T03:04:05Z",
}
NEW = models.NewMatter(reference="R", applicant="A")


def away(status: int = 503, seconds: str = "7") -> httpx.Response:
    problem = {"type": "urn:evidence-service:problem:x", "title": "away", "status": status, "request_id": "1"}
    return httpx.Response(status, json=problem, headers={"Retry-After": seconds})


def test_what_creates_is_repeated_with_the_same_key() -> None:
    lost = httpx.ReadError("the answer was lost")
    service = Answers(away(), lost, away(429, "3"), httpx.Response(201, json=MATTER))
    assert service.client().register_matter(NEW).id == "m-1"
    assert service.waited == [7, 1, 3]
    assert len(service.asked) == 4 and len(service.used()) == 1 and None not in service.used()
    assert len({request.content for request in service.asked}) == 1


def test_a_file_is_sent_again_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    service = Answers(away(), away())
    with pytest.raises(IndexError):
        service.client().upload(path, matter_id="m", name="n")
    assert [request.content for request in service.asked] == [b"whole"] * 3


def test_a_key_that_was_given_is_taken() -> None:
    service = Answers(httpx.Response(201, json=MATTER))
    service.client().register_matter(NEW, idempotency_key="mine")
    assert service.used() == {"mine"}


def test_repetitions_end() -> None:
    service = Answers(*(away(503, "9999") for _ in range(4)))
    with pytest.raises(UnavailableError) as caught:
        service.client().list_evidence()
    assert (caught.value.retry_after, service.waited) == (9999, [60, 60, 60])


def test_an_action_without_a_key_is_repeated_only_when_nothing_was_done() -> None:
    order = models.Withdrawal(reason="x")
    service = Answers(away(429, "2"), away())
    with pytest.raises(UnavailableError):
        service.client().withdraw_certificate("EP-1", order)
    assert service.waited == [2]
    service = Answers(httpx.ReadError("lost"))
    with pytest.raises(ClientError, match="was not answered"):
        service.client().withdraw_certificate("EP-1", order)
    assert service.waited == []


def test_a_proxys_page_is_a_problem_too() -> None:
    service = Answers(httpx.Response(429, text="<html>", headers={"Retry-After": "soon"}), *[away(429)] * 3)
    with pytest.raises(TooManyRequestsError) as caught:
        service.client().list_evidence()
    assert service.waited == [1, 7, 7] and "secret" not in repr(caught.value)


def test_an_answer_that_is_not_described_is_said() -> None:
    with pytest.raises(ClientError, match="otherwise than described"):
        Answers(httpx.Response(200, json=[1])).client().show_matter("m-1")


@pytest.mark.parametrize(
    ("headers", "expect"),
    [({"ETag": f'"{"0" * 64}"'}, None), ({}, "0" * 64)],
)
def test_other_bytes_never_get_the_name(tmp_path: Path, headers: dict[str, str], expect: str | None) -> None:
    service = Answers(httpx.Response(200, content=b"other", headers=headers))
    with pytest.raises(ClientError, match=hashlib.sha256(b"other").hexdigest()):
        service.client().download_exhibit("ex-1", tmp_path / "exhibit.zip", expect=expect)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise httpx.ReadError("gone")

    with pytest.raises(ClientError, match="broke off"):
        Answers(httpx.Response(200, content=broken())).client().download_bundle("ev-1", tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_parameters_cannot_leave_their_place() -> None:
    service = Answers(httpx.Response(200, json=MATTER))
    service.client().show_matter("../evidence?x=1")
    assert service.asked[0].url.raw_path == b"/v1/matters/..%2Fevidence%3Fx%3D1"


def test_what_only_header_fields_tell_is_given_as_them(service: Service, client: EvidenceClient) -> None:
    order = models.NewUploadSession(matter_id=service.matter, name="a.bin", size=3)
    session = client.begin_upload(order)
    client.append_to_upload(session.id, b"ab", upload_offset="0")
    assert client.look_at_upload(session.id)["upload-offset"] == "2"
    with pytest.raises(NotFoundError):
        client.look_at_upload("us-none")
    with pytest.raises(NotFoundError):
        client.look_at_release_link("unknown")


def told(position: int) -> bytes:
    event = {"position": position, "type": "evidence.sealed", "timestamp": "2026-01-02T03:04:05.678Z"}
    return f"id: {position}\nevent: x\ndata: {json.dumps({**event, 'data': {'id': 'ev-1'}})}\n\n".encode()


class Broken(httpx.SyncByteStream):
    """A stream that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield told(8) + told(9)[:20]
        raise httpx.ReadError("gone")


def test_events_are_followed_on_where_a_stream_ended_or_broke_off() -> None:
    begun: list[tuple[str | None, str]] = []
    waited: list[float] = []
    answers: list[dict[str, Any]] = [
        {"content": b"retry: 2000\nid: 5\n\n: nothing new\nid: 6\n\n"},
        {"content": told(7)},
        {"stream": Broken()},
        {"content": told(9) + told(10)},
    ]

    def handle(request: httpx.Request) -> httpx.Response:
        begun.append((request.headers.get("Last-Event-ID"), str(request.url.query, "ascii")))
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, **answers.pop(0))

    with EvidenceClient("http://x", KEY, wait=waited.append, transport=httpx.MockTransport(handle)) as client:
        events = client.follow_events(after=5, matter_id="m-1")
        found = [next(events) for _ in range(4)]
        events.close()
    assert [item.position for item in found] == [7, 8, 9, 10]
    assert (found[0].type, found[0].data) == ("evidence.sealed", {"id": "ev-1"})
    assert begun == [(last, "after=5&matter_id=m-1") for last in (None, "6", "7", "8")]
    assert len(waited) == 3


def test_the_client_has_a_method_for_every_operation() -> None:
    names = {
        described["operationId"]
        for found in DOCUMENT["paths"].values()
        for method, described in found.items()
        if method != "parameters"
    }
    assert [name for name in names if not hasattr(EvidenceClient, name)] == []
