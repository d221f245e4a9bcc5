"""What the sample marketplace sends, down to the byte: framings, codings, and every way to break off."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import brotli

HTML = "text/html; charset=utf-8"
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as far as pages look at it.

    Attributes:
        origin: scheme, host and port it was asked under, for absolute addresses in the answer.
        target: path and query.
        headers: by lower-case name.
    """

    origin: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for a while; a client that leaves ends it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection off with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Speak WebSocket from here: send these texts, answer pings, until the client leaves."""

    texts: tuple[str, ...]


Part = bytes | Pause | Reset | Frames


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        parts: made when they are asked for, so that an answer may be endless.
        status, media_type, body: what it says, codings removed, for those who look at pages without a browser.
        location: where a redirect leads; empty otherwise.
        close: end the connection after it.
    """

    parts: Callable[[], Iterator[Part]]
    status: int = 0
    media_type: str = ""
    body: bytes = b""
    location: str = ""
    close: bool = False


def respond(
    body: bytes | str,
    status: int = 200,
    *,
    media_type: str = HTML,
    headers: Headers = (),
    coding: str = "",
    framing: str = "length",
) -> Answer:
    """A complete answer.

    Args:
        coding: ``gzip``, ``deflate`` or ``br`` (RFC 9110, 8.4.1).
        framing: ``length``, ``chunked`` (with an extension and a trailer, RFC 9112, 7.1) or ``close``.
    """
    data = body.encode() if isinstance(body, str) else body
    coded = _CODERS[coding](data)
    lines = [("Content-Type", media_type), *headers]
    if coding:
        lines.append(("Content-Encoding", coding))
    if framing == "length":
        lines.append(("Content-Length", str(len(coded))))
        pieces = [coded]
    elif framing == "chunked":
        lines += [("Transfer-Encoding", "chunked"), ("Trailer", "X-Chunks")]
        pieces = _chunks(coded)
    else:
        lines.append(("Connection", "close"))
        pieces = [coded]
    parts = [head(status, lines), *(piece for piece in pieces if piece)]
    return Answer(lambda: iter(parts), status, media_type, data, close=framing == "close")


def redirect(location: str, status: int = 302) -> Answer:
    """A redirect without a body."""
    sent = head(status, [("Location", location), ("Content-Length", "0")])
    return Answer(lambda: iter([sent]), status, location=location)


def cut(body: bytes | str, *, missing: int, media_type: str = HTML) -> Answer:
    """An answer whose end never comes: ``missing`` bytes of the announced length, then the connection ends."""
    data = body.encode() if isinstance(body, str) else body
    sent = head(200, [("Content-Type", media_type), ("Content-Length", str(len(data) + missing))]) + data
    return Answer(lambda: iter([sent]), 200, media_type, data, close=True)


def stalled(body: bytes, *, missing: int, media_type: str, seconds: float = 120.0) -> Answer:
    """The same, but the connection stays open and silent."""
    sent = head(200, [("Content-Type", media_type), ("Content-Length", str(len(body) + missing))]) + body
    return Answer(lambda: iter([sent, Pause(seconds)]), 200, media_type, body, close=True)


def slow(answer: Answer, seconds: float) -> Answer:
    """An answer that takes its time before the first byte."""
    return Answer(
        lambda: iter([Pause(seconds), *answer.parts()]), answer.status, answer.media_type, answer.body
    )


def endless(start: bytes | str, piece: bytes) -> Answer:
    """An answer that goes on until the client leaves."""
    data = start.encode() if isinstance(start, str) else start

    def parts() -> Iterator[Part]:
        yield head(200, [("Content-Type", HTML), ("Connection", "close")]) + data
        while True:
            yield piece
            yield Pause(0.02)

    return Answer(parts, 200, HTML, data, close=True)


def broken_off(*, reset: bool) -> Answer:
    """Not one byte: the connection is reset, or just closed."""
    return Answer(lambda: iter([Reset()] if reset else []), close=True)


def head(status: int, headers: Headers) -> bytes:
    """Status line and header lines, the empty line included."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Server: Morningbridge"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunks(data: bytes, size: int = 700) -> list[bytes]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    framed = [b"%x;n=%d\r\n%s\r\n" % (len(piece), number, piece) for number, piece in enumerate(pieces)]
    return [*framed, b"0\r\nX-Chunks: %d\r\n\r\n" % len(pieces)]


_CODERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
}
