"""Secrets of a login state, masked in everything that is disclosed, and a mapping that says where.

Masking keeps the length, so that offsets into a record stay what they are. A coded or chunked body cannot be
masked in place: where its decoded form holds a secret, the disclosed record has the decoded, masked form and
the names of the headers that no longer hold are masked too. Frames of a WebSocket (XOR-masked, RFC 6455, 5.3)
and bodies that cannot be decoded are withheld. The original is kept encrypted, see ``original``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evidence_service.capture.credentials import HEADERS, in_heads
from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.masking import Secrets
from evidence_service.capture.payload import Side, body, codings, head_of, read_payload
from evidence_service.errors import LimitExceededError, MalformedError

_BODY_HEADERS = re.compile(
    rb"^(content-encoding|transfer-encoding|content-length|content-md5|digest|content-digest)(?=[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
_MAX_HEAD = 1 << 18


@dataclass(frozen=True, slots=True)
class Redaction:
    """What a capture with a login state needs.

    Attributes:
        secrets: everything that is known to be secret, :func:`credentials` in the heads included.
        recipients: age public keys of who may read the original.
        complete: whether what the browser held in the end is known; otherwise no body can be disclosed.
    """

    secrets: Secrets
    recipients: Sequence[str]
    complete: bool = True


@dataclass(slots=True)
class Budget:
    """Bytes that coded bodies of one capture may still decode to; a few can decode to gigabytes."""

    left: int = 256 << 20

    def take(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces.

        Raises:
            LimitExceededError: nothing is left.
        """
        for piece in pieces:
            self.left -= len(piece)
            if self.left < 0:
                raise LimitExceededError("the capture's bodies decode to more than can be searched")
            yield piece


@dataclass(slots=True)
class Change:
    """What was done to one message or file; never a value.

    Attributes:
        how: ``masked``; ``decoded``: the body stands decoded and masked; ``withheld``: the body is left out.
        masked: places masked.
        headers: names of headers whose whole value was masked.
    """

    original: str
    redacted: str = ""
    how: str = "masked"
    masked: int = 0
    headers: tuple[str, ...] = ()

    def count(self) -> None:
        """One more place."""
        self.masked += 1

    def to_json(self) -> dict[str, Any]:
        """As ``redaction.json`` has it."""
        return {
            "original_sha256": self.original,
            "redacted_sha256": self.redacted,
            "how": self.how,
            "masked": self.masked,
            "headers": list(self.headers),
        }


def credentials(wire: Path, exchanges: Sequence[Exchange]) -> Iterator[bytes]:
    """Every credential in the heads of the exchanges: cookies the server set meanwhile, for instance."""
    for item in exchanges:
        for stored, size in ((item.request, item.request_head), (item.response, item.response_head)):
            if stored is not None:
                yield from in_heads(head_of(wire / stored.name, size or _MAX_HEAD))


def redact(
    wire: Path, exchange: Exchange, redaction: Redaction, budget: Budget
) -> tuple[Exchange, dict[str, Change]]:
    """An exchange as it is disclosed, and what was done to each of its sides that is another now.

    The disclosed bytes are new files in ``wire/redacted``.
    """
    # Of what is told of it only these are somebody else's words.
    mask = redaction.secrets.mask_text
    found = replace(
        exchange,
        url=mask(exchange.url),
        problem=mask(exchange.problem),
        content_type=mask(exchange.content_type),
    )
    changes: dict[str, Change] = {}
    sides: tuple[Side, Side] = ("request", "response")
    for side in sides:
        stored = getattr(exchange, side)
        if stored is None:
            continue
        kept, change = _redact_side(wire, exchange, side, stored, redaction, budget)
        if change.redacted != change.original:
            changes[side] = change
            found = replace(found, request=kept) if side == "request" else replace(found, response=kept)
            if side == "response" and change.how != "masked":
                # What came after the response's end is gone with its framing.
                found = replace(found, surplus=0)
    return found, changes


def _redact_side(
    wire: Path, exchange: Exchange, side: Side, stored: Stored, redaction: Redaction, budget: Budget
) -> tuple[Stored, Change]:
    path = wire / stored.name
    size = exchange.request_head if side == "request" else exchange.response_head
    head = head_of(path, size or _MAX_HEAD)
    change = Change(original=stored.sha256 or _sha256(path))
    change.headers = tuple(sorted({name.decode().lower() for name, _, _ in HEADERS.findall(head)}))
    content = list(_content(wire, exchange, side, redaction, change, len(head), budget))
    if change.how != "masked":
        # What these say of the body is no longer so; readers must not follow them.
        head = _BODY_HEADERS.sub(lambda found: b"x" * len(found.group()), head)
    head = HEADERS.sub(lambda found: found.group(1) + found.group(2) + _whole(found.group(3)), head)
    target = wire / "redacted" / stored.name
    target.parent.mkdir(exist_ok=True)
    digest, written = hashlib.sha256(), 0
    with target.open("xb") as writer:
        masked = redaction.secrets.mask_head(head, change.count)
        for pieces in ((masked,), *(redaction.secrets.mask_stream(item, change.count) for item in content)):
            for data in pieces:
                writer.write(data)
                digest.update(data)
                written += len(data)
    change.redacted = digest.hexdigest()
    return Stored(f"redacted/{stored.name}", written, change.redacted), change


def _content(
    wire: Path,
    exchange: Exchange,
    side: Side,
    redaction: Redaction,
    change: Change,
    head_size: int,
    budget: Budget,
) -> Iterator[Iterable[bytes]]:
    """What the disclosed message has after its head, as streams; ``change.how`` says what that is."""
    stored = exchange.request if side == "request" else exchange.response
    assert stored is not None  # noqa: S101
    path = wire / stored.name
    unreadable = exchange.kind == "websocket" or not redaction.complete
    if unreadable and stored.size > head_size:
        change.how = "withheld"
        return
    if codings(head_of(path, head_size)):
        counter = Change("")
        try:
            payload = budget.take(read_payload(wire, exchange, side))
            for _ in redaction.secrets.mask_stream(payload, counter.count):
                pass
        except (MalformedError, LimitExceededError):
            change.how = "withheld"
            return
        if counter.masked:
            change.how = "decoded"
            yield read_payload(wire, exchange, side)
            return
    yield body(path, head_size, stored.size)


def _whole(value: bytes) -> bytes:
    """A header's value: blanks and folds stay, so that the head stays one."""
    return re.sub(rb"[^\r\n \t]", b"x", value)


def _sha256(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
