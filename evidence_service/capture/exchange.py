"""One request and its response as they were on the wire, and the journal the recorder keeps of them.

The recorder writes the bytes of each direction to a file of their own and one line of JSON into
``journal.jsonl`` when an exchange begins, when the head of its response came, and when it ends. Whoever reads
the journal afterwards knows what was recorded, even when the recorder was killed: an exchange that only began
says so. Limits that fired have lines of their own.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

JOURNAL = "journal.jsonl"
_UNFINISHED = "the recorder ended before the exchange did"


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes of one direction, verbatim, in a file that was hashed while it was written.

    Attributes:
        name: of the file in the recorder's directory.
        size: bytes.
        sha256: hexadecimal; empty when the recorder ended before it could tell.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the recorder knows of one exchange.

    Attributes:
        id: ``x0001``, ``x0002`` … in the order they began.
        kind: ``http``; ``websocket``: after the two heads, frames in both directions; ``tunnel``: bytes the
            recorder passed on without seeing into them.
        source: ``wire``, or ``browser`` where the bytes are what the browser said it sent and received.
        request: bytes sent to the server; None when nothing was sent.
        response: bytes the server sent; None when there were none.
        request_head, response_head: bytes up to and including the empty line, informational responses (1xx)
            included; 0 when it never came.
        peer: address and port of the socket that carried the bytes.
        resolved: every address the name resolved to; ``resolver`` says who was asked.
        tls: ``verified`` (``yes``, or the reason why not), ``version``, ``cipher``; empty without TLS.
        chain: SHA-256 (hexadecimal) of each certificate the server sent, leaf first; the certificate itself
            is the file ``certificates/<sha256>.der`` in the recorder's directory.
        problem: why it is incomplete or not sound, in words; empty when it is neither.
        truncated: ``length``, ``time`` or ``disconnect`` (ISO 28500, WARC-Truncated); empty when whole.
        connection: number of the connection to the server, from 1; exchanges that share it share its socket.
        retried: why the request was sent a second time (RFC 9110, 9.2.2); empty when it was not.
        surplus: bytes at the end of ``response`` that came after the response's own end.
        order: of a WebSocket, the file that says when each piece came: one JSON array for each,
            ``[time, "request" | "response", bytes]``.
        sent, received: bytes that went through a tunnel, in each direction.
    """

    id: str
    url: str
    method: str
    started_at: str
    kind: str = "http"
    source: str = "wire"
    request: Stored | None = None
    request_head: int = 0
    response: Stored | None = None
    response_head: int = 0
    status: int | None = None
    content_type: str = ""
    peer: tuple[str, int] | None = None
    resolved: tuple[str, ...] = ()
    resolver: str = ""
    tls: Mapping[str, str] = field(default_factory=dict)
    chain: tuple[str, ...] = ()
    finished_at: str = ""
    problem: str = ""
    truncated: str = ""
    connection: int = 0
    retried: str = ""
    surplus: int = 0
    order: str = ""
    sent: int = 0
    received: int = 0

    def to_json(self) -> dict[str, Any]:
        """Members by name, as JSON has them; nothing that is empty but None."""
        value = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for side in ("request", "response"):
            stored = value[side]
            value[side] = stored and {"name": stored.name, "size": stored.size, "sha256": stored.sha256}
        return {**value, "tls": dict(self.tls)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Exchange:
        """The inverse of :meth:`to_json`."""
        members = dict(value)
        for side in ("request", "response"):
            if members[side] is not None:
                members[side] = Stored(**members[side])
        if members["peer"] is not None:
            members["peer"] = (members["peer"][0], members["peer"][1])
        for name in ("resolved", "chain"):
            members[name] = tuple(members[name])
        return cls(**members)


def read_journal(directory: Path) -> list[Exchange]:
    """Exchanges recorded so far, in the order they began; safe while the recorder writes.

    An exchange that never ended has a ``problem``, and the bytes that reached its files.
    """
    found: dict[str, Exchange] = {}
    for value in _lines(directory / JOURNAL):
        if "id" not in value:
            continue
        exchange = Exchange.from_json(value)
        found[exchange.id] = exchange
    return [item if item.finished_at else _unfinished(directory, item) for item in found.values()]


def read_limits(directory: Path) -> list[str]:
    """The limits that fired so far, in words, in their order."""
    return [value["limit"] for value in _lines(directory / JOURNAL) if "limit" in value]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            # The last line may be half written.
            if line.endswith(b"\n"):
                yield json.loads(line)


def _unfinished(directory: Path, exchange: Exchange) -> Exchange:
    def left(side: str) -> Stored | None:
        path = directory / f"{exchange.id}.{side}"
        return Stored(path.name, path.stat().st_size, "") if path.exists() else None

    return replace(
        exchange,
        request=left("request"),
        response=left("response"),
        problem=exchange.problem or _UNFINISHED,
        truncated=exchange.truncated or "disconnect",
    )


def record_id(capture: uuid.UUID, exchange: str, part: str) -> str:
    """The WARC-Record-ID of one part (``request``, ``response``, ``metadata``) of an exchange.

    It follows from the capture's random id, so that a fact can cite the record before it is written.
    """
    return f"urn:uuid:{uuid.uuid5(capture, f'{exchange} {part}')}"
