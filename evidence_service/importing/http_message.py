"""The HTTP message inside a WARC record: head, payload with and without its transfer coding (RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from evidence_service.importing.digests import Digests

HEAD_LIMIT = 256 * 1024
_STATUS_LINE = re.compile(rb"HTTP/[0-9](?:\.[0-9])? ([0-9]{3})(?: [^\r\n]*)?")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/[0-9](?:\.[0-9])?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*")
_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,15})(?:[ \t]*;[^\r\n]*)?\r?\n")
_MERGED = re.compile(rb",\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+=")
_RENAMED = (b"x-orig-", b"x-archive-orig-")


@dataclass(slots=True)
class Head:
    """A message's head.

    Attributes:
        status: of a response; 0 for a request, or where the first line is none.
        fields: names as written and values, in their order.
        problem: what is wrong with it; empty where nothing is.
    """

    status: int = 0
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    problem: str = ""

    def value(self, name: bytes) -> bytes | None:
        """The first field of a name, in small letters."""
        return next((value for key, value in self.fields if key.lower() == name), None)

    @property
    def lower_case(self) -> bool:
        """Every name is in small letters."""
        return all(name == name.lower() for name, _ in self.fields)

    @property
    def sorted(self) -> bool:
        """The names are in alphabetical order."""
        names = [name.lower() for name, _ in self.fields]
        return names == sorted(names)

    @property
    def renamed(self) -> bool:
        """Fields were moved aside by the software that archived them."""
        return any(name.lower().startswith(_RENAMED) for name, _ in self.fields)

    @property
    def cookies_merged(self) -> bool:
        """One Set-Cookie holds several cookies, which RFC 6265 section 3 forbids servers and others."""
        return any(name.lower() == b"set-cookie" and _MERGED.search(value) for name, value in self.fields)


def parse_head(data: bytes, *, response: bool) -> Head:
    """Read a head, up to its empty line."""
    lines = data.removesuffix(b"\r\n\r\n").removesuffix(b"\n\n").replace(b"\r\n", b"\n").split(b"\n")
    head = Head()
    first = (_STATUS_LINE if response else _REQUEST_LINE).fullmatch(lines[0])
    if first is None:
        head.problem = f"its first line is not one of HTTP: {lines[0][:60]!r}"
    elif response:
        head.status = int(first[1])
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and head.fields:
            name, value = head.fields[-1]
            head.fields[-1] = (name, value + b" " + line.strip())
            continue
        found = _FIELD.fullmatch(line)
        if found is None:
            head.problem = head.problem or f"a line is not a header field: {line[:60]!r}"
        else:
            head.fields.append((found[1], found[2]))
    return head


class Message:
    """A message as its bytes come by.

    Attributes:
        head: None until the empty line was seen.
        payload: digests of what follows the head, as it is.
        decoded: digests of the same without the chunked coding.
        size: bytes of what follows the head.
    """

    def __init__(self, algorithms: set[str], *, response: bool) -> None:
        self._response = response
        self._begun = b""
        self._chunks: _Chunks | None = None
        self.head: Head | None = None
        self.payload, self.decoded = Digests(algorithms), Digests(algorithms)
        self.size = 0

    def feed(self, data: bytes) -> None:
        """The next bytes of the block."""
        if self.head is None:
            self._begun += data
            ends = [at + len(end) for end in (b"\r\n\r\n", b"\n\n") if (at := self._begun.find(end)) >= 0]
            if not ends and len(self._begun) <= HEAD_LIMIT:
                return
            end = min(ends, default=0)
            self.head = parse_head(self._begun[:end], response=self._response)
            coding = self.head.value(b"transfer-encoding") or b""
            self._chunks = _Chunks(self.decoded) if coding.lower().endswith(b"chunked") else None
            data, self._begun = self._begun[end:], b""
        self.payload.update(data)
        self.size += len(data)
        if self._chunks is not None:
            self._chunks.feed(data)

    @property
    def chunked(self) -> bool | None:
        """Whether the payload is in the chunked coding its head announces; None where it announces none."""
        return None if self._chunks is None else self._chunks.ended


class _Chunks:
    """Removes the chunked transfer coding (RFC 9112, section 7.1)."""

    def __init__(self, into: Digests) -> None:
        self._into = into
        self._line = b""
        self._left = 0
        self._broken = False
        self.ended = False

    def feed(self, data: bytes) -> None:
        while data and not self.ended and not self._broken:
            if self._left:
                # The two bytes behind the chunk are a line feed of their own.
                part, data = data[: self._left], data[self._left :]
                self._into.update(part[: max(self._left - 2, 0)])
                self._left -= len(part)
                continue
            before, feed, data = data.partition(b"\n")
            self._line += before + feed
            if feed or len(self._line) > 4096:
                found = _SIZE_LINE.fullmatch(self._line)
                size = int(found[1], 16) if found else 0
                self._broken, self.ended = found is None, found is not None and size == 0
                self._left, self._line = size + 2 if size else 0, b""
