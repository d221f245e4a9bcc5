"""Bytes of a WARC file as its records follow one another, plain or as a row of gzip members (RFC 1952)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Protocol

from evidence_service.importing.findings import Notes

_CHUNK = 1 << 16
GZIP = b"\x1f\x8b"


class Readable(Protocol):
    """What is read: a file, or a member of an archive."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


class BrokenError(Exception):
    """The format does not go on here.

    Args:
        code: of the finding.
    """

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what


@dataclass(frozen=True, slots=True)
class Start:
    """Where a record begins.

    Attributes:
        offset: in the file; of the gzip member, where there are members.
        fresh: the record is the first thing there; False inside a gzip member.
    """

    offset: int
    fresh: bool


class PlainStream:
    """The bytes as they are.

    Attributes:
        end: offset behind everything that was read.
    """

    compressed = False
    trailing = 0

    def __init__(self, file: Readable, notes: Notes) -> None:
        self._file = file
        self._notes = notes
        self._buffer = b""
        self.end = 0

    def begin(self) -> Start | None:
        """Where the next record begins; None at the end of the file."""
        return Start(self.end, fresh=True) if self._buffer or self._more() else None

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, at least one; none at the end only."""
        if not self._buffer and not self._more():
            return b""
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        self._advance(len(data))
        return data

    def line(self, limit: int) -> bytes:
        """Up to and with the next line feed; without one at the end, or where ``limit`` bytes have none."""
        parts: list[bytes] = []
        while limit > 0 and (self._buffer or self._more()):
            found = self._buffer.find(b"\n", 0, limit)
            parts.append(self.read(limit if found < 0 else found + 1))
            limit -= len(parts[-1])
            if found >= 0:
                break
        return b"".join(parts)

    def _advance(self, size: int) -> None:
        self.end += size

    def _more(self) -> bool:
        self._notes.tick()
        self._buffer = self._file.read(_CHUNK)
        return bool(self._buffer)


class GzipStream(PlainStream):
    """The same through gzip members; ``end`` is the offset behind the last one that was read whole.

    Attributes:
        member: number of the member that was read last.
        trailing: bytes at the end that are no member.
    """

    compressed = True

    def __init__(self, file: Readable, notes: Notes) -> None:
        super().__init__(file, notes)
        self._engine: zlib._Decompress | None = None
        self._raw = b""
        self._offset = 0
        self._start = 0
        self.member = 0

    def begin(self) -> Start | None:
        if self._buffer or self._inflate():
            return Start(self._start, fresh=False)
        return Start(self._start, fresh=True) if self._more() else None

    def _advance(self, size: int) -> None:
        """Offsets are those of members."""

    def _more(self) -> bool:
        while not self._inflate():
            if not self._open():
                return False
        return True

    def _open(self) -> bool:
        self._notes.tick()
        while len(self._raw) < len(GZIP) and self._pull():
            pass
        if not self._raw.startswith(GZIP):
            while self._raw:
                self.trailing += len(self._raw)
                self._raw = b""
                self._pull()
            return False
        self._engine, self._start = zlib.decompressobj(wbits=31), self._offset
        self.member += 1
        return True

    def _inflate(self) -> bool:
        """More of the member that is open; False at its end."""
        while self._engine is not None:
            self._notes.tick()
            try:
                self._buffer = self._engine.decompress(self._raw, _CHUNK)
            except zlib.error as error:
                raise BrokenError("warc.gzip_damaged", f"the gzip member is damaged: {error}") from error
            rest = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            self._offset += len(self._raw) - len(rest)
            self._raw = rest
            if self._engine.eof:
                self._engine, self.end = None, self._offset
            elif not self._buffer and not self._raw and not self._pull():
                raise BrokenError("warc.truncated", "the file ends inside a gzip member")
            if self._buffer:
                return True
        return False

    def _pull(self) -> bool:
        data = self._file.read(_CHUNK)
        self._raw += data
        return bool(data)


def open_stream(file: Readable, notes: Notes) -> PlainStream:
    """The stream that fits the first bytes."""
    first = file.read(len(GZIP))
    return (GzipStream if first == GZIP else PlainStream)(_Pushed(first, file), notes)


class _Pushed:
    """A file of which the beginning was read already."""

    def __init__(self, begun: bytes, rest: Readable) -> None:
        self._begun = begun
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if self._begun:
            data, self._begun = self._begun[:size], self._begun[size:]
            return data
        return self._rest.read(size)
