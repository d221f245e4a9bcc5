"""Where HTTP/1.1 messages begin and end (RFC 9112), found without changing a byte of them.

A message that two readers could cut differently is never guessed at: a request like that is refused, a
response is marked, and its connection is not used again, towards the server or towards the browser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from evidence_service.errors import LimitExceededError, MalformedError

MAX_HEAD = 256 * 1024
"""Most bytes of a message head, of its trailers, and of all its informational responses."""
_MAX_CHUNK_LINE = 16 * 1024

_HEAD_END = re.compile(rb"\n\r?\n")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) (HTTP/1\.[01])")
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: ([^\r\n]*))?")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


@dataclass(frozen=True)
class Head:
    """A message head: start line and fields, in order; names in lower case, values without outer space."""

    raw: bytes
    start: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    unsound: str = ""
    """Why readers may understand it differently; empty when they cannot."""

    def values(self, name: bytes) -> list[bytes]:
        """Values of every field of that name."""
        return [value for field, value in self.fields if field == name]

    @cached_property
    def connection(self) -> frozenset[bytes]:
        """Options of ``Connection``, in lower case."""
        return frozenset(_members(self, b"connection"))

    @cached_property
    def codings(self) -> tuple[bytes, ...]:
        """Transfer codings in the order they were applied, in lower case."""
        return tuple(_members(self, b"transfer-encoding"))


@dataclass(frozen=True)
class Request:
    """A request's head."""

    method: bytes
    target: bytes
    version: bytes
    head: Head

    @property
    def upgrades_to_websocket(self) -> bool:
        """Whether it asks for a WebSocket (RFC 6455, 4.1)."""
        return b"upgrade" in self.head.connection and b"websocket" in _members(self.head, b"upgrade")

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may be used again, as far as the request says (RFC 9112, 9.3)."""
        return _keeps_alive(self.version, self.head)


def _members(head: Head, name: bytes) -> list[bytes]:
    found = b",".join(head.values(name)).split(b",")
    return [item.strip(b" \t").lower() for item in found if item.strip(b" \t")]


def _keeps_alive(version: bytes, head: Head) -> bool:
    if b"close" in head.connection:
        return False
    return version == b"HTTP/1.1" or b"keep-alive" in head.connection


def parse_head(raw: bytes) -> Head:
    """A head, with its empty line.

    Raises:
        MalformedError: a NUL or a bare CR (RFC 9110, 5.5; RFC 9112, 2.2), or a line that is no field.
    """
    text = raw.replace(b"\r\n", b"\n")
    if b"\0" in text or b"\r" in text:
        raise MalformedError("a head contains a NUL or a bare CR")
    start, *lines = text.rstrip(b"\n").split(b"\n")
    fields: list[tuple[bytes, bytes]] = []
    unsound = ""
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            # Obsolete folding (RFC 9112, 5.2): one value over several lines.
            if not fields:
                raise MalformedError("a head begins with a folded line")
            name, value = fields.pop()
            fields.append((name, value + b" " + line.strip(b" \t")))
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise MalformedError(f"a head has a line without a colon: {line[:80]!r}")
        if not _TOKEN.fullmatch(name):
            unsound = f"a field name is not a token (RFC 9110, 5.1): {name[:80]!r}"
        fields.append((name.rstrip(b" \t").lower(), value.strip(b" \t")))
    return Head(raw, start, tuple(fields), unsound)


class HeadReader:
    """Gathers a head from pieces."""

    def __init__(self, limit: int = MAX_HEAD) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer += data

    @property
    def empty(self) -> bool:
        """Whether nothing is waiting."""
        return not self._buffer

    def take(self) -> bytes | None:
        """The next whole head, with its empty line; None when more bytes are needed.

        Raises:
            LimitExceededError: it is larger than the limit.
        """
        found = _HEAD_END.search(self._buffer, max(self._searched - 2, 0))
        self._searched = len(self._buffer)
        if (found.end() if found else self._searched) > self._limit:
            raise LimitExceededError(f"a head is larger than {self._limit} bytes")
        if found is None:
            return None
        raw = bytes(self._buffer[: found.end()])
        del self._buffer[: found.end()]
        self._searched = 0
        return raw

    def rest(self) -> bytes:
        """What came after the last head taken; the reader is empty then."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return rest


# --- bodies ---


class LengthBody:
    """A body of a known number of bytes; 0 where there is none."""

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def complete(self) -> bool:
        """Whether its last byte was seen."""
        return self._left == 0

    def feed(self, data: bytes) -> int:
        """Take the next bytes; how many of them belong to the body."""
        used = min(self._left, len(data))
        self._left -= used
        return used


class CloseBody:
    """A body that the end of the connection ends (RFC 9112, 6.3, rule 8)."""

    complete = False

    def feed(self, data: bytes) -> int:
        """Take the next bytes; all belong to the body."""
        return len(data)


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1), its extensions and trailers included."""

    def __init__(self) -> None:
        self.complete = False
        self._line = bytearray()
        self._left = 0
        self._trailer_size = 0
        self._state = self._size_line

    def feed(self, data: bytes) -> int:
        """Take the next bytes; how many of them belong to the body.

        Raises:
            MalformedError: not chunks.
            LimitExceededError: a line or the trailers are larger than anything sane.
        """
        position = 0
        while position < len(data) and not self.complete:
            position = self._state(data, position)
        return position

    def _take_line(self, data: bytes, position: int, limit: int) -> tuple[bytes, int]:
        """A line that may come in pieces: empty while it is not whole; and the next position."""
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end + 1
        self._line += data[position:stop]
        if len(self._line) > limit:
            raise LimitExceededError(f"a line of the chunk framing is larger than {limit} bytes")
        if end < 0:
            return b"", stop
        line = bytes(self._line)
        self._line.clear()
        if not line.endswith(b"\r\n"):
            raise MalformedError("a line of the chunk framing does not end in CRLF (RFC 9112, 7.1)")
        return line, stop

    def _size_line(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position, _MAX_CHUNK_LINE)
        if line:
            found = _CHUNK_LINE.fullmatch(line)
            if found is None:
                raise MalformedError(f"not a chunk size (RFC 9112, 7.1): {line[:40]!r}")
            self._left = int(found[1], 16)
            self._state = self._data if self._left else self._trailers
        return position

    def _data(self, data: bytes, position: int) -> int:
        used = min(self._left, len(data) - position)
        self._left -= used
        if self._left == 0:
            self._state = self._data_end
        return position + used

    def _data_end(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position, 2)
        if line:
            if line != b"\r\n":
                raise MalformedError("a chunk is longer than its size (RFC 9112, 7.1)")
            self._state = self._size_line
        return position

    def _trailers(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position, MAX_HEAD - self._trailer_size)
        self._trailer_size += len(line)
        if line == b"\r\n":
            self.complete = True
        elif line and b":" not in line:
            raise MalformedError(f"a trailer is no field (RFC 9112, 7.1.2): {line[:80]!r}")
        return position


Body = LengthBody | CloseBody | ChunkedBody


def _content_length(head: Head) -> int | None:
    """The announced size, or None.

    Raises:
        MalformedError: not a number, or several that differ (RFC 9112, 6.3, rule 5).
    """
    found = set(_members(head, b"content-length"))
    if not found and not head.values(b"content-length"):
        return None
    if len(found) != 1 or not (number := found.pop()).isdigit() or len(number) > 18:
        raise MalformedError("Content-Length is not one number (RFC 9112, 6.3)")
    return int(number)


# --- requests ---


def parse_request(raw: bytes) -> Request:
    """A request's head.

    Raises:
        MalformedError: not an HTTP/1.1 request.
    """
    head = parse_head(raw)
    found = _REQUEST_LINE.fullmatch(head.start)
    if found is None or head.unsound:
        raise MalformedError(head.unsound or "the first line is not one of a request")
    return Request(found[1], found[2], found[3], head)


def request_body(request: Request) -> Body:
    """Framing of a request's body (RFC 9112, 6.3).

    Raises:
        MalformedError: a server could see another end than we do (6.1: smuggling).
    """
    head, size = request.head, _content_length(request.head)
    if not head.codings:
        return LengthBody(size or 0)
    if size is not None or request.version != b"HTTP/1.1" or head.codings != (b"chunked",):
        raise MalformedError("Transfer-Encoding beside Content-Length, in HTTP/1.0, or not plainly chunked")
    return ChunkedBody()


# --- responses ---


class ResponseFraming:
    """Watches a response's bytes go by and says when it is complete.

    Args:
        method: of the request.
        websocket: whether the request asked for one; only then 101 is an answer.
    """

    def __init__(self, method: bytes, *, websocket: bool = False, limit: int = MAX_HEAD) -> None:
        self._method, self._websocket, self._limit = method, websocket, limit
        self._reader = HeadReader(limit)
        self._version = b""
        self._body: Body | None = None
        self.head: Head | None = None
        self.head_size = 0
        """Bytes up to the end of the final head, informational responses (1xx) included; 0 before it came."""
        self.status: int | None = None
        self.switched = False
        """The connection speaks WebSocket from here on."""
        self.surplus = 0
        """Bytes that came after the end of the response."""
        self.unsound = ""
        """Why readers may cut the response differently; empty when they cannot."""
        self._heads = 0

    @property
    def complete(self) -> bool:
        """Whether the last byte was seen."""
        return self._body is not None and self._body.complete

    @property
    def until_close(self) -> bool:
        """Whether the end of the connection is the end of the response."""
        return isinstance(self._body, CloseBody)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may be used for another request (RFC 9112, 9.3)."""
        return (
            self.complete
            and not (self.surplus or self.unsound or self.switched)
            and self.head is not None
            and _keeps_alive(self._version, self.head)
        )

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; gives those that a browser may see: whole heads, and the body.

        Raises:
            MalformedError: no HTTP response, or none whose end could be told.
            LimitExceededError: a head larger than the limit.
        """
        if self._body is not None:
            return self._feed_body(data)
        self._reader.feed(data)
        passed = b""
        while self._body is None and (raw := self._reader.take()) is not None:
            self._heads += len(raw)
            if self._heads > self._limit:
                raise LimitExceededError(f"heads larger than {self._limit} bytes")
            passed += raw
            self._take_head(raw)
        return passed if self._body is None else passed + self._feed_body(self._reader.rest())

    def _feed_body(self, data: bytes) -> bytes:
        assert self._body is not None  # noqa: S101 - for the type checker
        used = self._body.feed(data)
        self.surplus += len(data) - used
        return data if used == len(data) else data[:used]

    def _take_head(self, raw: bytes) -> None:
        head = parse_head(raw)
        line = _STATUS_LINE.fullmatch(head.start)
        if line is None:
            raise MalformedError(f"the first line is not one of a response: {head.start[:80]!r}")
        status = int(line[2])
        if status == 101 and not self._websocket:
            raise MalformedError("the server switched protocols without being asked")
        if 100 <= status < 200 and status != 101:
            return
        self._version, self.unsound = line[1], head.unsound
        self._body = self._framing(head, status)
        self.head, self.status, self.head_size = head, status, self._heads
        self.switched = status == 101

    def _framing(self, head: Head, status: int) -> Body:
        """RFC 9112, 6.3."""
        if self._method == b"HEAD" or status in (101, 204, 304):
            return LengthBody(0)
        if head.codings:
            if head.values(b"content-length"):
                self.unsound = "both Transfer-Encoding and Content-Length (RFC 9112, 6.3)"
            if self._version != b"HTTP/1.1":
                self.unsound = "Transfer-Encoding in an HTTP/1.0 response (RFC 9112, 6.1)"
                return CloseBody()
            return ChunkedBody() if head.codings[-1] == b"chunked" else CloseBody()
        size = _content_length(head)
        return CloseBody() if size is None else LengthBody(size)
