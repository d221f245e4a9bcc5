"""Matroska and WebM (RFC 8794, RFC 9559): the elements, without decoding anything."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

from evidence_service.importing.findings import Notes

_EBML: Final = 0x1A45DFA3
_SEGMENT: Final = 0x18538067
_INFO: Final = 0x1549A966
_TRACKS: Final = 0x1654AE6B
_CLUSTER: Final = 0x1F43B675
_INSIDE_CLUSTER: Final = frozenset({0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0x5854, 0xEC, 0xBF})
_MASTERS: Final = frozenset({_EBML, _SEGMENT, _INFO, _TRACKS, 0xAE})
_KINDS: Final = {1: "video", 2: "sound", 17: "subtitles"}
_EPOCH: Final = datetime(2001, 1, 1, tzinfo=UTC)
_TEXTS: Final = {0x4282: "type", 0x4D80: "muxed by", 0x5741: "written by", 0x7BA9: "title"}
_MAX_ELEMENTS = 200_000
_MAX_DEPTH = 32


def examine(file: BinaryIO, size: int, notes: Notes) -> None:
    """Examine a file of elements."""
    elements = _Elements(file, size, notes)
    elements.walk(0, size)
    elements.finish()
    notes.add("video.not_decoded", "pictures and sound were not decoded")


class _Elements:
    def __init__(self, file: BinaryIO, size: int, notes: Notes) -> None:
        self._file = file
        self._size = size
        self._notes = notes
        self._count = 0
        self._scale = 1_000_000
        self._duration = 0.0
        self._dated = False
        self._clusters = 0
        self._tracks: list[str] = []

    def walk(self, position: int, end: int, depth: int = 0) -> None:
        """Read elements up to ``end``; those of unknown size are entered, their end shows by what follows."""
        while position < end:
            self._notes.tick()
            self._count += 1
            if depth > _MAX_DEPTH:
                self._notes.add("limit", f"elements more than {_MAX_DEPTH} deep; they were not examined")
                return
            if self._count > _MAX_ELEMENTS:
                self._notes.add("limit", f"more than {_MAX_ELEMENTS} elements; the rest was not examined")
                return
            head = self._at(position, min(12, end - position))
            identity, width = _number(head, keep_marker=True)
            length, more = _number(head[width:], keep_marker=False) if width else (0, 0)
            if not width or width > 4 or not more:
                code = "trailing" if self._clusters else "video.damaged"
                self._notes.add(code, f"{end - position} bytes that are no element", f"byte {position}")
                return
            begin = position + width + more
            unknown = length == (1 << 7 * more) - 1
            if not unknown and begin + length > end:
                if identity in _MASTERS:
                    self.walk(begin, end, depth + 1)
                self._clusters += identity == _CLUSTER
                missing = begin + length - end
                self._notes.add(
                    "video.truncated", f"{missing} bytes are missing", f"element at byte {position}"
                )
                return
            self._clusters += identity == _CLUSTER
            if unknown:
                # A live recording: sizes were not known when it was written (RFC 8794, section 6.2).
                position = begin
                continue
            if identity in _MASTERS:
                self.walk(begin, begin + length, depth + 1)
            elif identity not in _INSIDE_CLUSTER and length <= 4096:
                self._value(identity, self._at(begin, length))
            position = begin + length

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def _value(self, identity: int, data: bytes) -> None:
        if identity in _TEXTS:
            self._notes.fact(_TEXTS[identity], data.rstrip(b"\0").decode("utf-8", "replace"))
        elif identity == 0x2AD7B1:
            self._scale = int.from_bytes(data)
        elif identity == 0x4489 and len(data) in (4, 8):
            (self._duration,) = struct.unpack(">f" if len(data) == 4 else ">d", data)
        elif identity == 0x4461 and len(data) == 8:
            self._dated = True
            nanoseconds = int.from_bytes(data, signed=True)
            try:
                self._notes.fact(
                    "created", (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat()
                )
            except OverflowError:
                self._notes.add("video.damaged", "its date is out of range")
        elif identity == 0x83:
            self._tracks.append(_KINDS.get(int.from_bytes(data), "other"))
        elif identity == 0x86 and self._tracks:
            self._tracks[-1] += f" {data.decode('ascii', 'replace')}"

    def finish(self) -> None:
        notes = self._notes
        notes.fact("tracks", self._tracks)
        if 0 < self._duration < 1e15:
            notes.fact("duration", f"{self._duration * self._scale / 1e9:.3f} s")
        if not self._dated:
            notes.add("video.no_time", "it does not say when it was made")
        if not self._clusters and not notes.has("video.truncated") and not notes.has("video.damaged"):
            notes.add("video.truncated", "there is no recorded data")


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A variable-size integer (RFC 8794, section 4) and its width; width 0 where there is none."""
    width = 9 - data[0].bit_length() if data else 0
    if not 1 <= width <= 8 or len(data) < width:
        return 0, 0
    value = int.from_bytes(data[:width])
    return (value if keep_marker else value & ((1 << 7 * width) - 1)), width
