"""Two organisations, and every request one of them could make with what is the other's.

The requests are made from the OpenAPI document. Whoever adds a route has nothing to do here, unless it takes
something new by name: then ``THINGS``, ``PLAIN`` or ``BODIES`` have to say what that is.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

MARK = "of A alone"
"""In everything of A's that has a text of its own."""

# What a parameter or a member of a body names → which of an organisation's things that is.
THINGS = {
    "matter_id": "matter",
    "list_id": "list",
    "registration_id": "registration",
    "registration_list_id": "registration list",
    "evidence_id": "evidence",
    "batch_id": "batch",
    "number": "certificate",
    "exhibit_id": "exhibit",
    "member_id": "member",
    "key_id": "key",
    "webhook_id": "webhook",
    "evidence": "evidence",
    "id": "order",
    "path": "file",
    "form": "form",
    "hold_id": "hold",
    "request_id": "request",
    "link_id": "link",
    "session_id": "session",
    "token": "token",
}
# Names of nothing that belongs to anybody.
PLAIN = {
    "after", "before", "limit", "reference", "status", "open_only", "sha256", "person", "name", "language",
    "certificate", "urgent", "url", "seller", "listing_id", "outcome", "kind", "since",
    "reason", "state", "service_records",
    "overlap_hours",
}  # fmt: skip
# Values of required parameters that have a form.
REQUIRED = {"sha256": hashlib.sha256(MARK.encode()).hexdigest()}
# Things that exist in every organisation under the same name.
COMMON = {"file": "note.txt", "form": "custodian"}
UNKNOWN = {
    "matter": "m-00000000000000000000",
    "list": "cl-00000000000000000000",
    "registration": "ev-11111111111111111111",
    "registration list": "rl-00000000000000000000",
    "evidence": "ev-00000000000000000000",
    "batch": "batch-999",
    "certificate": "EP-2026-999999",
    "exhibit": "ex-00000000000000000000",
    "member": "mb-00000000000000000000",
    "key": "k-00000000000000000000",
    "order": "co-00000000000000000000",
    "hold": "h-00000000000000000000",
    "request": "rq-00000000000000000000",
    "link": "lk-33333333333333333333",
    "session": "us-00000000000000000000",
    "token": "unknown",
    "webhook": "wh-22222222222222222222",
}
# Needs no key: what anybody may ask.
PUBLIC = {"open_release_link", "show_entry", "download_key", "live", "ready"}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """A route with a method."""

    method: str
    path: str
    name: str
    scope: str
    things: tuple[tuple[str, str, str], ...]
    query: Mapping[str, str]
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


@dataclass(slots=True)
class Matrix:
    """What was asked, and what was wrong with the answers."""

    cases: int = 0
    routes: int = 0
    leaks: list[str] = field(default_factory=list)

    def check(self, right: bool, words: str) -> None:
        """Count a case."""
        self.cases += 1
        if not right:
            self.leaks.append(words)


def operations(document: Mapping[str, Any], *, under: str = "/") -> Iterator[Operation]:
    """All of a document; an assertion says what is missing for one that cannot be asked."""
    for path, found in document["paths"].items():
        for method, described in found.items():
            if method in METHODS and path.startswith(under):
                yield _operation(document, method, path, described)


def _operation(document: Mapping[str, Any], method: str, path: str, described: Any) -> Operation:
    where = f"{method.upper()} {path}"
    name = described["operationId"]
    scopes = {scope for item in described.get("security", ()) for found in item.values() for scope in found}
    assert name in PUBLIC or len(scopes) == 1, (
        f"{where} names {sorted(scopes) or 'no scope'}: give its caller one by may(…), or add it to PUBLIC"
    )
    things, query = [], {}
    for item in described.get("parameters", ()):
        if item["in"] not in ("path", "query"):
            continue
        given = item["name"]
        assert given in THINGS or (given in PLAIN and item["in"] == "query"), (
            f"{where} takes {given}: say in tests/unit/api/isolation.py which thing it names (THINGS, UNKNOWN, "
            "and World makes one of A's), or that it names nobody's (PLAIN)"
        )
        if given in THINGS:
            things.append((item["in"], given, THINGS[given]))
        elif item.get("required"):
            query[given] = REQUIRED.get(given, "someone")
    body = _body(document, where, described)
    for member in body if isinstance(body, dict) else ():
        assert not member.endswith(("_id", "_ids")) or member in THINGS, (
            f"the body of {where} has {member}: say in tests/unit/api/isolation.py which thing it names"
        )
        if member in THINGS and THINGS[member] in UNKNOWN:
            things.append(("body", member, THINGS[member]))
    return Operation(method, path, name, next(iter(scopes), ""), tuple(things), query, body)


def _body(document: Mapping[str, Any], where: str, described: Any) -> Any:
    content = described.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        return b"bytes" if content else None
    found = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    assert found.get("examples"), f"the body of {where} has no example"
    return copy.deepcopy(found["examples"][0])


def ask(
    client: httpx.Client,
    operation: Operation,
    key: str | None,
    ids: Mapping[str, str],
    *,
    body: Any = ...,
) -> httpx.Response:
    """Carry out an operation with these ids."""
    path, query = operation.path, dict(operation.query)
    content = copy.deepcopy(operation.body) if body is ... else body
    for place, name, thing in operation.things:
        value = ids[thing]
        if place == "path":
            path = path.replace(f"{{{name}}}", value)
        elif place == "query":
            query[name] = value
        elif isinstance(content, dict):
            content[name] = [value] if isinstance(content[name], list) else value
    if operation.name == "upload":
        query["name"] = "x.txt"
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    more = {"content": content} if isinstance(content, bytes) else {}
    if operation.name == "append_to_upload":
        headers["Content-Type"] = "application/partial-upload"
    if isinstance(content, dict | list):
        more = {"json": content}  # type: ignore[dict-item]
    return client.request(operation.method.upper(), path, params=query, headers=headers, **more)


def told(answer: httpx.Response, ids: Mapping[str, str]) -> tuple[int, str, str]:
    """What an answer says beside the ids that were asked for and those that are new with each answer."""
    text = answer.text
    for thing, value in ids.items():
        text = text.replace(value, f"<{thing}>")
    try:
        document = json.loads(text)
    except ValueError:
        return answer.status_code, answer.headers.get("content-type", ""), text
    if isinstance(document, dict):
        document.pop("request_id", None)
    return answer.status_code, answer.headers["content-type"], json.dumps(document, sort_keys=True)


def ask_for_anothers(matrix: Matrix, client: httpx.Client, operation: Operation, world: Any) -> None:
    """What B is told of A's things is what he is told of things that are not there."""
    permitted = operation.scope in world.scopes_of_b
    for others, of_a in _combinations(operation, world):
        ids = {**others, **{thing: world.ids[thing] for thing in of_a}}
        answer = ask(client, operation, world.b, ids)
        words = f"{operation} with {sorted(of_a) or 'nothing'} of A"
        if of_a:
            found, other = told(answer, ids), told(ask(client, operation, world.b, others), others)
            matrix.check(found == other, f"{words}: {found} and not {other}")
        if of_a and any(place == "path" for place, _, _ in operation.things):
            wanted = 404 if permitted else 403
            matrix.check(answer.status_code == wanted, f"{words}: {answer.status_code}")
        matrix.check(MARK not in answer.text, f"{words} shows a text of A's")
        seen = {thing for thing, value in world.ids.items() if thing not in COMMON and value in answer.text}
        matrix.check(seen <= of_a, f"{words} shows A's {sorted(seen - of_a)}")


def _combinations(operation: Operation, world: Any) -> Iterator[tuple[dict[str, str], set[str]]]:
    """All of A's things at once; and one at a time among B's own."""
    used = {thing for _, _, thing in operation.things if thing in UNKNOWN}
    yield world.unknown, used
    if len(used) > 1:
        for thing in used:
            yield {**world.unknown, **world.of_b_ids, thing: world.unknown[thing]}, {thing}


def ask_by_role(matrix: Matrix, client: httpx.Client, operation: Operation, world: Any) -> None:
    """Of A's own members only those with the scope get any further; whoever shows no good key gets nowhere."""
    for role, (key, scopes) in world.roles.items():
        # Nothing is to happen: whoever may ask asks for what is not there, or in words that are none.
        permitted = operation.scope in scopes
        ids = world.unknown if permitted else world.ids
        body: Any = ... if not permitted or operation.body is None else []
        answer = ask(client, operation, key, ids, body=body)
        right = answer.status_code not in (401, 403) if permitted else answer.status_code == 403
        matrix.check(right, f"{operation} as {role}: {answer.status_code}")
    for name, key in world.bad_keys.items():
        answer = ask(client, operation, key, world.ids)
        matrix.check(answer.status_code == 401, f"{operation} with {name}: {answer.status_code}")


def examine(client: httpx.Client, document: Mapping[str, Any], world: Any, *, under: str = "/") -> Matrix:
    """Every request of the matrix."""
    matrix = Matrix()
    for operation in operations(document, under=under):
        matrix.routes += 1
        if operation.name in PUBLIC:
            continue
        ask_for_anothers(matrix, client, operation, world)
        ask_by_role(matrix, client, operation, world)
    return matrix


def sha256(key: str) -> bytes:
    """As keys are known by."""
    return hashlib.sha256(key.encode()).digest()
