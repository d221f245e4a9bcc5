"""The payload of a recorded message: its body with transfer and content codings removed, under a limit.

A few kilobytes can decode to gigabytes, so every stage of the decoding stops at the limit; nothing is
decoded further than it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, cast

import brotli
import zstandard

from evidence_service.capture.exchange import Exchange
from evidence_service.errors import LimitExceededError, MalformedError

Side = Literal["request", "response"]
_Stage = Callable[[Iterator[bytes]], Iterator[bytes]]

_STEP = 1 << 16
_MAX_LINE = 1 << 16
# RFC 8878, 3.1.1.1.2: a decoder may refuse windows over 8 MiB; browsers do.
_ZSTD_WINDOW = 1 << 23


def open_payload(wire: Path, exchange: Exchange, limit: int, side: Side = "response") -> bytes:
    """The payload of one side of an exchange; empty when there is none.

    Args:
        wire: the recorder's directory.
        limit: most bytes of the payload.

    Raises:
        LimitExceededError: the payload is larger than the limit.
        MalformedError: the codings are unknown or the body is not coded as its head says.
    """
    found = bytearray()
    for data in read_payload(wire, exchange, side):
        found += data
        if len(found) > limit:
            raise LimitExceededError(f"the payload of {exchange.url} is larger than {limit} bytes")
    return bytes(found)


def read_payload(wire: Path, exchange: Exchange, side: Side = "response") -> Iterator[bytes]:
    """The payload as a stream of pieces of bounded size; errors as :func:`open_payload`."""
    stored = exchange.response if side == "response" else exchange.request
    head_size = exchange.response_head if side == "response" else exchange.request_head
    if stored is None or not head_size:
        return
    path = wire / stored.name
    stages = _stages(head_of(path, head_size))
    surplus = exchange.surplus if side == "response" else 0
    data = body(path, head_size, stored.size - surplus)
    for stage in stages:
        data = stage(data)
    try:
        yield from data
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise MalformedError(f"the body of {exchange.url} is not coded as its head says: {error}") from error


def head_of(path: Path, size: int) -> bytes:
    """The head of a recorded message."""
    with path.open("rb") as reader:
        return reader.read(size)


def body(path: Path, start: int, end: int) -> Iterator[bytes]:
    """What follows the head, as it was on the wire, without what came after the message's own end."""
    with path.open("rb") as reader:
        reader.seek(start)
        while data := reader.read(min(_STEP, end - start)):
            start += len(data)
            yield data


def header_values(head: bytes, name: str) -> list[str]:
    """Every value of a header in the last head, in order; names compare without case (RFC 9110, 5.1).

    Informational responses come before the head that counts (RFC 9110, 15.2).
    """
    last = head.rstrip(b"\r\n").rpartition(b"\r\n\r\n")[2]
    pattern = re.compile(
        rb"^%s[ \t]*:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)" % re.escape(name.encode()), re.IGNORECASE | re.MULTILINE
    )
    return [value.decode("latin-1").strip() for value in pattern.findall(last)]


def codings(head: bytes) -> list[str]:
    """Codings in the order they have to be removed: of the transfer, then of the content."""

    def listed(name: str) -> list[str]:
        return [
            word.strip().lower()
            for value in header_values(head, name)
            for word in value.split(",")
            if word.strip().lower() not in ("", "identity")
        ]

    return [f"transfer {word}" for word in listed("Transfer-Encoding")[::-1]] + listed("Content-Encoding")[
        ::-1
    ]


def _stages(head: bytes) -> Sequence[_Stage]:
    found: list[_Stage] = []
    for name in codings(head):
        if name == "transfer chunked":
            found.append(_unchunk)
            continue
        stage = _DECODERS.get(name.removeprefix("transfer "))
        if stage is None:
            raise MalformedError(f"the coding {name!r} is not known")
        found.append(stage)
    return found


def _unchunk(data: Iterator[bytes]) -> Iterator[bytes]:
    """Chunked framing removed (RFC 9112, 7.1); a body that ends early gives what it has."""
    buffer = b""
    left = 0
    for piece in data:
        buffer += piece
        while buffer:
            if left > 2:
                part = buffer[: left - 2]
                yield part
                left -= len(part)
                buffer = buffer[len(part) :]
                continue
            if left:
                # The line end after a chunk.
                cut = min(left, len(buffer))
                left, buffer = left - cut, buffer[cut:]
                continue
            line, end, rest = buffer.partition(b"\n")
            if not end:
                if len(line) > _MAX_LINE:
                    raise MalformedError("the line before a chunk has no end")
                break
            try:
                size = int(line.split(b";")[0].strip(), 16)
            except ValueError as error:
                raise MalformedError("the line before a chunk gives no size") from error
            if size == 0:
                return
            buffer, left = rest, size + 2


def _gunzip(data: Iterator[bytes]) -> Iterator[bytes]:
    return _inflate(data, lambda _: zlib.decompressobj(wbits=31))


def _deflate(data: Iterator[bytes]) -> Iterator[bytes]:
    """RFC 9110, 8.4.1.2 wants the zlib format; some send bare DEFLATE, and browsers read both."""
    return _inflate(data, lambda first: zlib.decompressobj(wbits=15 if _is_zlib(first) else -15))


def _is_zlib(first: bytes) -> bool:
    return len(first) >= 2 and first[0] & 15 == 8 and int.from_bytes(first[:2], "big") % 31 == 0


def _inflate(data: Iterator[bytes], start: Callable[[bytes], zlib._Decompress]) -> Iterator[bytes]:
    engine = None
    for piece in data:
        rest = piece
        while rest:
            if engine is None:
                engine = start(rest)
            if out := engine.decompress(rest, _STEP):
                yield out
            if engine.eof:
                # A gzip body may have several members (RFC 1952, 2.2); whatever else follows is none.
                rest, engine = engine.unused_data, None
                if rest[:2] != b"\x1f\x8b":
                    return
            else:
                rest = engine.unconsumed_tail


def _unbrotli(data: Iterator[bytes]) -> Iterator[bytes]:
    engine = brotli.Decompressor()
    for piece in data:
        out = engine.process(piece, output_buffer_limit=_STEP)
        while out:
            yield out
            out = engine.process(b"", output_buffer_limit=_STEP)


def _unzstd(data: Iterator[bytes]) -> Iterator[bytes]:
    source = cast("IO[bytes]", _Reader(data))
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    reader = decompressor.stream_reader(source, read_across_frames=True)
    while out := reader.read(_STEP):
        yield out


class _Reader:
    """A stream of pieces as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        if not self._buffer:
            self._buffer = next(self._pieces, b"")
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found


_DECODERS: dict[str, _Stage] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
