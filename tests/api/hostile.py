"""Requests that no client library sends, byte by byte, to every operation."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from jsonschema import Draft202012Validator

from tests.api.findings import Outcome, expected
from tests.api.world import EVERYTHING, World
from tests.unit.api.isolation import Operation, operations

PATIENCE = 60
"""Seconds for which nothing may arrive, on a machine that has other things to do."""
NO_HTTP = b"Invalid HTTP request received."
"""What the server under the application answers to what is no HTTP; no application sees that."""
EVERYWHERE = frozenset({405, 408, 431})
"""Statuses the document gives as its default answer, because any request at all can get them."""
OTHER_METHODS = ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get")
TARGETS = (
    "{path}?limit=1&limit=x&limit=2",
    "{path}?limit=" + "9" * 5000,
    "{path}?limit=99999999999999999999&after=99999999999999999999&before=-99999999999999999999",
    "{path}?after=%00&matter_id=%00&reference=%00&name=%00&person=%00&sha256=%00",
    "{path}?after=%ED%A0%80&matter_id=%ff&reference=%ED%A0%80&name=%ED%A0%80&person=%ff",
    "{path}?%00=%00&&&=&%",
    "{path}?" + "a=b&" * 3000,
    "{path}/",
    "{path}%2F..%2F..%2Flivez",
    "/{path}",
    "{path}#x",
    "http://elsewhere.invalid{path}",
)
SEGMENTS = (
    "%00",
    "%ED%A0%80",
    "%2F",
    "..%2F..",
    "%",
    "%zz",
    "9" * 400,
    "%F0%9F%92%A9",
    "a%2Fb%3Fc%23d",
    "%0d%0aX:%20y",
    "'",
)
FIELDS = (
    b"Idempotency-Key: \xed\xa0\x80",
    b"Idempotency-Key: " + b"x" * 4000,
    b"Idempotency-Key: a\r\nIdempotency-Key: b",
    b"Authorization: Bearer \xed\xa0\x80",
    b"Authorization: Bearer",
    b"Evidence-Organisation: \xff\xfe",
    b"Range: bytes=0-1,5-,-3",
    b"Range: bytes=99999999999999999999-",
    b"Range: lines=1",
    b"If-Modified-Since: \xff",
    b"If-None-Match: *",
    b"Accept: nothing/at-all",
    b"Expect: 200-maybe",
    b"X-Forwarded-For: \x01",
)
BODIES = (
    (b"application/json", b""),
    (b"application/json", b"\xff\xfe{\x00}\x00"),
    (b"application/json", b'{"reference": "\xed\xa0\x80"}'),
    (b"application/json", b"9" * 5000),
    (b"application/json", b"[1e999, NaN, -Infinity]"),
    (b"application/json", b"null"),
    (b"application/json", b'"x"'),
    (b"application/json; charset=utf-16", b"{}"),
    (b"application/json", b'{"a": 1, "a": 2}'),
    (b"text/plain", b"{}"),
    (b"multipart/form-data", b"--x"),
    (b"multipart/form-data; boundary=x", b"--x\r\n\r\n"),
    (b"\xff/\xff", b"{}"),
    (b"application/json, text/plain", b"{}"),
)
LIES = (
    b"Content-Length: 100\r\n\r\n{}",
    b"Content-Length: -1\r\n\r\n{}",
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    b"Content-Length: 0\r\n\r\n{}",
    b"Content-Length: x\r\n\r\n{}",
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip\r\n\r\n{}",
)
WILD: tuple[Any, ...] = ("\x00", "\ud800", 10**30, -1, "x" * 100_000, [], {}, None, True, 1e308)
"""Put in the place of each member of a body that is right."""


@dataclass(frozen=True, slots=True)
class Request:
    """One to be sent as it is.

    Attributes:
        rest: fields beside the usual ones; after an empty line the body.
        ends: whether nothing more will come, however much was announced.
    """

    method: str
    target: str
    rest: bytes
    ends: bool = False


def ask_raw(of: World, outcome: Outcome) -> None:
    """Ask every operation in every way, and note what is answered otherwise than described."""
    address = urlsplit(of.url)
    place = (str(address.hostname), int(address.port or 0))
    fields = f"Host: {address.netloc}\r\nConnection: close\r\nAuthorization: Bearer {of.keys[EVERYTHING]}\r\n"
    for operation in operations(of.document):
        told = of.document["paths"][operation.path][operation.method]["responses"]
        for request in requests(operation, of.ids):
            outcome.cases += 1
            outcome.operations.add(f"{operation.method.upper()} {operation.path}")
            # The first field of a name counts: what the request itself brings stands before the usual ones.
            head, _, body = request.rest.partition(b"\r\n\r\n")
            usual = fields if b"Authorization:" not in head else fields.split("Authorization", maxsplit=1)[0]
            sent = (
                f"{request.method} {request.target} HTTP/1.1\r\n{usual}".encode() + head + b"\r\n\r\n" + body
            )
            answer, how = exchange(place, sent, ends=request.ends)
            fault = judged(request, answer, told, outcome)
            if fault is not None:
                shown = f"{request.method} {request.target[:200]} {request.rest[:200]!r}"
                outcome.findings.append((fault[0], str(operation), f"raw: {fault[1]}, {how}\n    {shown}"))


def requests(operation: Operation, ids: Mapping[str, str]) -> Iterator[Request]:
    """All for one operation."""
    path, method = operation.path, operation.method.upper()
    for where, name, thing in operation.things:
        if where == "path":
            path = path.replace(f"{{{name}}}", quote(ids[thing]))
    right = operation.body
    if not isinstance(right, bytes):
        right = b"" if right is None else json.dumps(right).encode()
    whole = _with_body(b"application/json", right) if right else b""
    for other in OTHER_METHODS:
        yield Request(other, path, b"")
    for target in TARGETS:
        yield Request(method, target.format(path=path), whole)
    for segment in SEGMENTS if "{" in operation.path else ():
        for where, _, thing in operation.things:
            if where == "path":
                yield Request(method, path.replace(quote(ids[thing]), segment), whole)
    for field in FIELDS:
        yield Request(method, path, field + (b"\r\n" + whole if whole else b""))
    if operation.method == "get":
        return
    for kind, body in BODIES:
        yield Request(method, path, _with_body(kind, body))
    for lie in LIES:
        yield Request(method, path, b"Content-Type: application/json\r\n" + lie, ends=True)
    for member in operation.body if isinstance(operation.body, dict) else ():
        for value in WILD:
            body = json.dumps({**operation.body, member: value}).encode()
            yield Request(method, path, _with_body(b"application/json", body))


def _with_body(kind: bytes, body: bytes) -> bytes:
    return b"Content-Type: " + kind + f"\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def exchange(place: tuple[str, int], sent: bytes, *, ends: bool) -> tuple[bytes, str]:
    """Everything that is answered, nothing where the connection just ends; and how it ended."""
    received, how = b"", "closed"
    with socket.create_connection(place, timeout=PATIENCE) as peer:
        try:
            peer.sendall(sent)
            if ends:
                peer.shutdown(socket.SHUT_WR)
            while piece := peer.recv(65536):
                received += piece
        except (ConnectionError, TimeoutError) as error:
            how = repr(error)
    return received, how


def judged(
    request: Request, answer: bytes, told: Mapping[str, Any], outcome: Outcome
) -> tuple[str, str] | None:
    """(kind, words) of what is wrong with an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        # Who hangs up is not answered.
        return None if request.ends else ("undocumented", "no answer")
    status = int(head.split(b" ", 2)[1])
    outcome.statuses[status] += 1
    kind = next(
        (line[13:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"content-type:")), b""
    )
    if status == 400 and NO_HTTP in body:
        return None
    if status >= 500 and not expected(request.target, status, body):
        return "unexpected_5xx", f"{status} {body[:300]!r}"
    if status >= 400 and kind != b"application/problem+json" and str(status) not in told:
        return "undocumented", f"{status} {kind!r}"
    if status >= 400 and request.method != "HEAD":
        return _problem(status, body, told)
    if status < 400 and str(status) not in told:
        return "undocumented", f"{status}"
    return None


def _problem(status: int, body: bytes, told: Mapping[str, Any]) -> tuple[str, str] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return "schema_violations", f"{status} {body[:100]!r}"
    if "request_id" not in document and str(status) in told:
        return None  # an answer of the operation's own, which Schemathesis judges
    if not _PROBLEM.is_valid(document) or document["status"] != status:
        return "schema_violations", f"{status} {body[:300]!r}"
    if (
        str(status) not in told
        and status not in EVERYWHERE
        and not (status == 404 and "nothing at this path" in document["title"])
    ):
        return "undocumented", f"{status} {document['title']}"
    return None


_PROBLEM = Draft202012Validator(
    {
        "required": ["type", "title", "status", "request_id"],
        "properties": {name: {"type": "string"} for name in ("type", "title", "request_id", "what_to_do")},
    }
)
