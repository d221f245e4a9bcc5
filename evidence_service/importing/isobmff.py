"""MP4, MOV and their relatives (ISO/IEC 14496-12): the boxes, without decoding anything."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from evidence_service.importing.findings import Notes

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta")
_READ_LIMIT = 32 * 1024 * 1024
_MAX_BOXES = 50_000
_MAX_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Box:
    """A box.

    Attributes:
        begin, end: of its content, in bytes of the file.
    """

    type: bytes
    begin: int
    end: int


def examine(file: BinaryIO, size: int, notes: Notes) -> None:
    """Examine a file of boxes."""
    _Boxes(file, size, notes).examine()
    notes.add("video.not_decoded", "pictures and sound were not decoded")


def examine_still(file: BinaryIO, size: int, notes: Notes) -> None:
    """Examine a picture that is kept in boxes (HEIC, AVIF): the boxes only."""
    boxes = _Boxes(file, size, notes)
    boxes.walk()
    notes.add(
        "image.header_only", "the picture was not decoded; only the parts it consists of were looked at"
    )


class _Boxes:
    def __init__(self, file: BinaryIO, size: int, notes: Notes) -> None:
        self._file = file
        self._size = size
        self._notes = notes
        self._count = 0
        self._tracks: list[str] = []
        self._seen: set[bytes] = set()

    def walk(self) -> None:
        """Every box."""
        for box in self._boxes(0, self._size, 0):
            self._box(box, 1)

    def examine(self) -> None:
        """Every box, and whether they are a recording."""
        self.walk()
        notes = self._notes
        for needed, what in ((b"moov", "index of the recording"), (b"mdat", "recorded data")):
            if needed not in self._seen and b"moof" not in self._seen and not notes.has("video.truncated"):
                notes.add(
                    "video.truncated", f"there is no {needed.decode()}, the {what}: it was not finished"
                )
        notes.fact("tracks", self._tracks)

    def _boxes(self, begin: int, end: int, depth: int) -> Iterator[Box]:
        """The boxes of a part of the file, as long as they fit into it."""
        while begin < end:
            self._notes.tick()
            self._count += 1
            if self._count > _MAX_BOXES or depth > _MAX_DEPTH:
                self._notes.add(
                    "limit", f"more than {_MAX_BOXES} boxes, or too deep; the rest was not examined"
                )
                return
            head = self._at(begin, min(16, end - begin))
            size = int.from_bytes(head[:4])
            name, inside = head[4:8], 8
            if size == 1:
                size, inside = int.from_bytes(head[8:16]), 16
            elif size == 0 and depth == 0:
                size = end - begin
            if (
                len(head) < inside
                or size < inside
                or not all(32 <= item < 127 or item == 0xA9 for item in name)
            ):
                self._stray(begin, end, depth)
                return
            if begin + size > end:
                missing = begin + size - end
                self._notes.add(
                    "video.truncated", f"{missing} bytes are missing", f"{_name(name)} at byte {begin}"
                )
                if depth == 0 and name in (b"mdat", b"moov"):
                    self._seen.add(name)
                return
            yield Box(name, begin + inside, begin + size)
            begin += size

    def _stray(self, begin: int, end: int, depth: int) -> None:
        # QuickTime ends the list in udta with four zero bytes.
        if depth and end - begin <= 8:
            return
        code = "video.damaged" if depth or b"moov" not in self._seen else "trailing"
        self._notes.add(code, f"{end - begin} bytes that are no box", f"byte {begin}")

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def _content(self, box: Box, limit: int = 4096) -> bytes:
        return self._at(box.begin, min(box.end - box.begin, limit))

    def _box(self, box: Box, depth: int) -> None:
        self._seen.add(box.type)
        reading = {
            b"ftyp": self._brand,
            b"mvhd": self._movie,
            b"hdlr": self._handler,
            b"stsd": self._sample_description,
            b"stco": self._chunk_offsets,
            b"co64": self._chunk_offsets,
            b"\xa9xyz": self._location,
        }.get(box.type)
        try:
            if reading is not None:
                reading(box)
        except (struct.error, OverflowError, IndexError) as error:
            self._notes.add("video.damaged", f"it is too short or out of range: {error}", _name(box.type))
        if box.type in _CONTAINERS:
            for inner in self._boxes(box.begin, box.end, depth):
                self._box(inner, depth + 1)

    def _brand(self, box: Box) -> None:
        data = self._content(box)
        self._notes.fact("brand", _name(data[:4]))

    def _movie(self, box: Box) -> None:
        data = self._content(box)
        layout, at = (">QQIQ", 4) if data[0] == 1 else (">IIII", 4)
        created, modified, scale, duration = struct.unpack_from(layout, data, at)
        if scale and duration < 2**32 - 1:
            self._notes.fact("duration", f"{duration / scale:.3f} s")
        for name, value in (("created", created), ("modified", modified)):
            if value:
                self._notes.fact(name, (_EPOCH + timedelta(seconds=value)).isoformat())
        if not created:
            self._notes.add("video.no_time", "it does not say when it was made")

    def _handler(self, box: Box) -> None:
        kind = self._content(box)[8:12]
        if kind in (b"vide", b"soun", b"subt", b"text", b"tmcd", b"meta"):
            self._tracks.append({b"vide": "video", b"soun": "sound"}.get(kind, _name(kind)))

    def _sample_description(self, box: Box) -> None:
        data = self._content(box)
        if self._tracks and len(data) >= 16:
            self._tracks[-1] += f" {_name(data[12:16])}"

    def _chunk_offsets(self, box: Box) -> None:
        """Where the recorded data lies has to be inside the file."""
        if box.end - box.begin > _READ_LIMIT:
            self._notes.add("limit", "the table of chunks is too large; it was not read", _name(box.type))
            return
        data = self._content(box, _READ_LIMIT)
        width = 8 if box.type == b"co64" else 4
        (count,) = struct.unpack_from(">I", data, 4)
        entries = data[8 : 8 + count * width]
        if len(entries) < count * width:
            self._notes.add("video.damaged", "the table of chunks is shorter than it says", _name(box.type))
            return
        layout = ">Q" if width == 8 else ">I"
        last = max((item[0] for item in struct.iter_unpack(layout, entries)), default=0)
        if last >= self._size:
            self._notes.add("video.truncated", f"recorded data at byte {last} is behind the end of the file")

    def _location(self, _: Box) -> None:
        self._notes.add("video.location", "it holds the place where it was made")


def _name(data: bytes) -> str:
    return data.decode("latin-1").strip()
