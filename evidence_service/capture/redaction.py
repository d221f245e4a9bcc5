"""Secrets of a login state, masked in everything that is disclosed, and a mapping that says where.

Masking keeps the length, so that offsets into a record stay what they are. A coded or chunked body cannot be
masked in place: where its decoded form holds a secret, the disclosed record has the decoded, masked form and
the names of the headers that no longer hold are masked too. Frames of a WebSocket (XOR-masked, RFC 6455, 5.3)
and bodies that cannot be decoded are withheld. The original is kept encrypted, see ``original``.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.payload import Side, body, codings, head_of, read_payload
from evidence_service.errors import MalformedError

SHORTEST = 6
"""Shorter values are no secrets: masking "1" or "en" would tear the record apart. In headers that carry
credentials the whole value is masked, whatever its length."""

_HEADERS = re.compile(
    rb"^(cookie|set-cookie|authorization|proxy-authorization)([ \t]*:)((?:[^\r\n]|\r?\n[ \t])*)",
    re.IGNORECASE | re.MULTILINE,
)
_BODY_HEADERS = re.compile(
    rb"^(content-encoding|transfer-encoding|content-length|content-md5|digest|content-digest)(?=[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
_SOFT_BREAK = re.compile(rb"=\r?\n")
"""RFC 2045, 6.7, rule 5."""
_MAX_HEAD = 1 << 18
_NAMED = {34: b"|&quot;", 38: b"|&amp;", 39: b"|&apos;", 60: b"|&lt;", 62: b"|&gt;"}
"""Characters that HTML spells by name."""


class Secrets:
    """Values that must not be disclosed, found in every form bytes may have them.

    Forms: plain, percent-encoded (once or twice), JSON, JavaScript and HTML escapes and quoted-printable in
    any mixture, base64 at any alignment in both alphabets, hexadecimal. The values appear in no repr and no
    error.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = frozenset(value for value in values if len(value) >= SHORTEST)
        longest = sorted(self._values, key=lambda value: (-len(value), value))
        self._pattern = re.compile(b"|".join(form for value in longest for form in _forms(value)) or rb"(?!)")
        # Widest form of a byte: a percent-encoded one whose sign is encoded, and a soft line break after it.
        self._reach = max((len(value) for value in longest), default=0) * 16

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)} values)"

    def with_credentials(self, heads: Iterable[bytes]) -> Secrets:
        """These and the credentials in message heads: cookies the server set meanwhile, for instance."""
        found = set(self._values)
        for head in heads:
            for name, _, value in _HEADERS.findall(head):
                found |= set(_credentials(name.lower(), value.strip()))
        return Secrets(found)

    def mask(self, data: bytes) -> bytes:
        """The same bytes with every secret replaced by as many others."""
        return b"".join(self.mask_stream((data,), lambda: None))

    def mask_text(self, text: str) -> str:
        """The same for text."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def mask_stream(self, pieces: Iterable[bytes], count: Callable[[], None]) -> Iterator[bytes]:
        """The same for a stream; ``count`` is called for each secret that is masked."""

        buffer = b""
        for piece in pieces:
            buffer += piece
            # What begins before this point has its end in the buffer.
            masked, done = self._masked_until(buffer, len(buffer) - self._reach, count)
            buffer = buffer[done:]
            yield masked
        yield self._masked_until(buffer, len(buffer), count)[0]

    def _masked_until(self, buffer: bytes, safe: int, count: Callable[[], None]) -> tuple[bytes, int]:
        """The masked beginning of a buffer, and where it ends: at ``safe``, or after what began before."""
        at, parts = 0, []
        for start, end in self._spans(buffer):
            if start >= safe:
                break
            count()
            parts += [buffer[at:start], _masked(buffer[start:end])]
            at = end
        parts.append(buffer[at : max(at, safe)])
        return b"".join(parts), max(at, safe, 0)

    def _spans(self, buffer: bytes) -> list[tuple[int, int]]:
        """Where secrets stand, in order; also those that soft line breaks of quoted-printable fold."""
        found = {match.span() for match in self._pattern.finditer(buffer)}
        breaks = [match.span() for match in _SOFT_BREAK.finditer(buffer)]
        if breaks:
            # Ends of the stretches between breaks, as offsets into the unfolded text.
            ends, removed = [], 0
            for start, end in breaks:
                ends.append(start - removed)
                removed += end - start
            before = [0, *itertools.accumulate(end - start for start, end in breaks)]
            for match in self._pattern.finditer(_SOFT_BREAK.sub(b"", buffer)):
                start = match.start() + before[bisect.bisect_right(ends, match.start())]
                end = match.end() + before[bisect.bisect_left(ends, match.end())]
                found.add((start, end))
        merged: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


@dataclass(frozen=True, slots=True)
class Redaction:
    """What a capture with a login state needs.

    Attributes:
        secrets: everything that is known to be secret.
        recipients: age public keys of who may read the original.
    """

    secrets: Secrets
    recipients: Sequence[str]


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


def credentials(wire: Path, exchanges: Sequence[Exchange], secrets: Secrets) -> Secrets:
    """The secrets and every credential in the heads of the exchanges."""
    return secrets.with_credentials(
        head_of(wire / stored.name, size or _MAX_HEAD)
        for item in exchanges
        for stored, size in ((item.request, item.request_head), (item.response, item.response_head))
        if stored is not None
    )


def redact(wire: Path, exchange: Exchange, secrets: Secrets) -> tuple[Exchange, dict[str, Change]]:
    """An exchange as it is disclosed, and what was done to each of its sides that is another now.

    The disclosed bytes are new files in ``wire/redacted``.
    """
    text = json.dumps(exchange.to_json(), ensure_ascii=False).encode("utf-8", "surrogatepass")
    told = Exchange.from_json(json.loads(secrets.mask(text).decode("utf-8", "surrogatepass")))
    found = replace(told, request=exchange.request, response=exchange.response)
    changes: dict[str, Change] = {}
    sides: tuple[Side, Side] = ("request", "response")
    for side in sides:
        stored = getattr(exchange, side)
        if stored is None:
            continue
        kept, change = _redact_side(wire, exchange, side, stored, secrets)
        if change.redacted != change.original:
            changes[side] = change
            found = replace(found, request=kept) if side == "request" else replace(found, response=kept)
            if side == "response" and change.how != "masked":
                # What came after the response's end is gone with its framing.
                found = replace(found, surplus=0)
    return found, changes


def _redact_side(
    wire: Path, exchange: Exchange, side: Side, stored: Stored, secrets: Secrets
) -> tuple[Stored, Change]:
    path = wire / stored.name
    size = exchange.request_head if side == "request" else exchange.response_head
    head = head_of(path, size or _MAX_HEAD)
    change = Change(original=stored.sha256 or _sha256(path))
    change.headers = tuple(sorted({name.decode().lower() for name, _, _ in _HEADERS.findall(head)}))
    content = list(_content(wire, exchange, side, secrets, change, len(head)))
    if change.how != "masked":
        # What these say of the body is no longer so; readers must not follow them.
        head = _BODY_HEADERS.sub(lambda found: b"x" * len(found.group()), head)
    head = _HEADERS.sub(lambda found: found.group(1) + found.group(2) + _whole(found.group(3)), head)
    target = wire / "redacted" / stored.name
    target.parent.mkdir(exist_ok=True)
    digest, written = hashlib.sha256(), 0
    with target.open("xb") as writer:
        for pieces in ((head,), *content):
            for data in secrets.mask_stream(pieces, change.count):
                writer.write(data)
                digest.update(data)
                written += len(data)
    change.redacted = digest.hexdigest()
    return Stored(f"redacted/{stored.name}", written, change.redacted), change


def _content(
    wire: Path, exchange: Exchange, side: Side, secrets: Secrets, change: Change, head_size: int
) -> Iterator[Iterable[bytes]]:
    """What the disclosed message has after its head, as streams; ``change.how`` says what that is."""
    stored = exchange.request if side == "request" else exchange.response
    assert stored is not None  # noqa: S101
    path = wire / stored.name
    if exchange.kind == "websocket" and stored.size > head_size:
        change.how = "withheld"
        return
    if codings(head_of(path, head_size)):
        counter = Change("")
        try:
            for _ in secrets.mask_stream(read_payload(wire, exchange, side), counter.count):
                pass
        except MalformedError:
            change.how = "withheld"
            return
        if counter.masked:
            change.how = "decoded"
            yield read_payload(wire, exchange, side)
            return
    yield body(path, head_size, stored.size)


def _forms(value: bytes) -> Iterator[bytes]:
    """Patterns of the forms a value may have."""
    yield b"".join(_byte(item) for item in value)
    yield b"(?i:" + value.hex().encode() + b")"
    for shift in range(3):
        # Characters that also depend on what stands before or after the value are left out.
        coded = base64.b64encode(bytes(shift) + value)
        inner = coded[(shift * 8 + 5) // 6 : (shift + len(value)) * 8 // 6]
        letters = [{b"+": b"[+-]", b"/": b"[/_]"}.get(bytes([item]), bytes([item])) for item in inner]
        yield rb"(?:\\?[\r\n]|\\r|\\n)*".join(letters)


def _byte(item: int) -> bytes:
    """One byte, as it is or escaped."""
    high, plain = b"%02x" % item, re.escape(bytes([item])) + _NAMED.get(item, b"")
    return (
        rb"(?:%s|(?i:%%(?:25)?%s|=%s|\\u00%s|\\x%s|&#x0*%s;)|&#0*%d;|\\(?:%s))"
        % (plain, high, high, high, high, high, item, plain)
        if item < 0x80
        else rb"(?:%s|(?i:%%(?:25)?%s|=%s))" % (plain, high, high)
    )


def _masked(data: bytes) -> bytes:
    # A number stays one where JSON has it; line ends keep the lines they end.
    if data.isdigit():
        return b"9" * len(data)
    return re.sub(rb"=(?=\r?\n)|[^\r\n=]|=", lambda found: _letter(found.group(), found.end(), data), data)


def _letter(item: bytes, end: int, data: bytes) -> bytes:
    return item if item == b"=" and data[end : end + 1] in (b"\r", b"\n") else b"x"


def _whole(value: bytes) -> bytes:
    """A header's value: blanks and folds stay, so that the head stays one."""
    return re.sub(rb"[^\r\n \t]", b"x", value)


def _credentials(name: bytes, value: bytes) -> Iterator[bytes]:
    if name.endswith(b"authorization"):
        scheme, _, token = value.partition(b" ")
        yield token.strip()
        if scheme.lower() == b"basic":
            try:
                yield base64.b64decode(token, validate=True).partition(b":")[2]
            except ValueError:
                return
        return
    pairs = value.split(b";") if name == b"cookie" else value.split(b";")[:1]
    for pair in pairs:
        found = pair.partition(b"=")[2].strip().strip(b'"')
        yield found
        yield unquote_to_bytes(found)


def _sha256(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
