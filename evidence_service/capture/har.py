"""HAR 1.2 of a capture's exchanges, written as a stream, for tools that show a page's traffic.

It is made from the recorded bytes: what HAR asks for and the record does not have is -1 or 0 with a comment,
and what the record has beyond HAR stands in members that begin with ``_``. The WARC is the record; this is a
view of it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from evidence_service.capture.exchange import Exchange
from evidence_service.capture.payload import Side, head_of, open_payload
from evidence_service.capture.wacz import Page
from evidence_service.capture.warc import Sink
from evidence_service.errors import LimitExceededError, MalformedError

BODY_LIMIT = 1 << 20
"""Most bytes of a body, codings removed, that the HAR repeats; larger ones are in the WARC only."""

_FIELD = re.compile(rb"^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)", re.MULTILINE)
_AS_A_WHOLE = "the recorder measures the exchange as a whole"


def write_har(sink: Sink, wire: Path, exchanges: Sequence[Exchange], *, page: Page, software: str) -> None:
    """Write the HAR; one entry is in memory at a time.

    Args:
        wire: the recorder's directory.
    """
    name, _, version = software.partition(" ")
    head = {
        "version": "1.2",
        "creator": {"name": name, "version": version},
        "pages": [
            {
                "startedDateTime": page.started_at,
                "id": "page-1",
                "title": page.title or page.url,
                "pageTimings": {"onContentLoad": -1, "onLoad": -1},
            }
        ],
    }
    sink.write(b'{"log": ' + _json(head)[:-1] + b', "entries": [')
    separator = b"\n"
    for exchange in exchanges:
        if exchange.kind != "tunnel":
            sink.write(separator + _json(_entry(wire, exchange)))
            separator = b",\n"
    sink.write(b"\n]}}\n")


def _entry(wire: Path, exchange: Exchange) -> dict[str, Any]:
    took = _milliseconds(exchange)
    entry: dict[str, Any] = {
        "pageref": "page-1",
        "startedDateTime": exchange.started_at,
        "time": took,
        "request": _request(wire, exchange),
        "response": _response(wire, exchange),
        "cache": {},
        "timings": {"send": 0, "wait": took, "receive": 0, "comment": _AS_A_WHOLE},
        "_id": exchange.id,
        "_kind": exchange.kind,
        "_source": exchange.source,
        "_tls": dict(exchange.tls),
        "_certificates": list(exchange.chain),
        "_resolved": list(exchange.resolved),
        "_resolver": exchange.resolver,
        "_problem": exchange.problem,
        "_truncated": exchange.truncated,
    }
    if exchange.peer is not None:
        entry["serverIPAddress"] = exchange.peer[0]
        entry["connection"] = str(exchange.connection or exchange.peer[1])
    return entry


def _request(wire: Path, exchange: Exchange) -> dict[str, Any]:
    head, size = _head(wire, exchange, "request")
    line = head.partition(b"\r\n")[0].decode("latin-1")
    found: dict[str, Any] = {
        "method": exchange.method,
        "url": exchange.url,
        "httpVersion": line.rpartition(" ")[2],
        "cookies": [],
        "headers": _fields(head),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True)
        ],
        "headersSize": len(head) if head else -1,
        "bodySize": size - len(head) if head else 0,
        "comment": "cookies are in the headers, as they were sent",
    }
    if exchange.kind == "http" and size > len(head):
        media_type = _value(found["headers"], "content-type")
        found["postData"] = {"mimeType": media_type, "params": [], **_text(wire, exchange, "request")}
    return found


def _response(wire: Path, exchange: Exchange) -> dict[str, Any]:
    head, size = _head(wire, exchange, "response")
    # Informational responses come first (RFC 9110, 15.2); HAR knows one head.
    last = head.removesuffix(b"\r\n\r\n").rpartition(b"\r\n\r\n")[2]
    version, _, rest = last.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    found: dict[str, Any] = {
        "status": exchange.status or 0,
        "statusText": rest.partition(" ")[2],
        "httpVersion": version,
        "cookies": [],
        "headers": _fields(last),
        "redirectURL": "",
        "headersSize": len(head) if head else -1,
        "bodySize": size - len(head) if head else -1,
        "content": {"size": 0, "mimeType": exchange.content_type},
    }
    found["redirectURL"] = _value(found["headers"], "location")
    if exchange.kind == "http":
        found["content"] |= _text(wire, exchange, "response")
    return found


def _head(wire: Path, exchange: Exchange, side: Side) -> tuple[bytes, int]:
    """Head and size of a message."""
    stored = exchange.request if side == "request" else exchange.response
    if stored is None:
        return b"", 0
    size = exchange.request_head if side == "request" else exchange.response_head
    return head_of(wire / stored.name, size), stored.size


def _text(wire: Path, exchange: Exchange, side: Side) -> dict[str, Any]:
    """A body as ``content`` and ``postData`` have it; base64 unless it is UTF-8."""
    try:
        payload = open_payload(wire, exchange, BODY_LIMIT, side)
    except LimitExceededError:
        return {"comment": f"larger than {BODY_LIMIT} bytes; it is in the WARC"}
    except MalformedError as error:
        return {"comment": f"it could not be decoded, it is in the WARC as it was sent: {error}"}
    size = {"size": len(payload)} if side == "response" else {}
    try:
        return {**size, "text": payload.decode()}
    except UnicodeDecodeError:
        return {**size, "text": base64.b64encode(payload).decode(), "encoding": "base64"}


def _fields(head: bytes) -> list[dict[str, str]]:
    return [
        {"name": name.decode("ascii"), "value": value.decode("latin-1").strip()}
        for name, value in _FIELD.findall(head)
    ]


def _value(fields: Sequence[dict[str, str]], name: str) -> str:
    return next((item["value"] for item in fields if item["name"].lower() == name), "")


def _milliseconds(exchange: Exchange) -> float:
    if not exchange.finished_at:
        return 0
    began, ended = (datetime.fromisoformat(item) for item in (exchange.started_at, exchange.finished_at))
    return max(0.0, round((ended - began).total_seconds() * 1000, 3))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
