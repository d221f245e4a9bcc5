"""Pictures: decoded to the last pixel, under a limit of pixels, and what they say of their making."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from PIL import ExifTags, Image, ImagePalette, ImageSequence, TiffImagePlugin, UnidentifiedImageError

from evidence_service.importing.findings import Notes

SIZE_LIMIT = 96 * 1024 * 1024
PIXEL_LIMIT = 60_000_000
"""Of one frame: at four bytes a pixel what memory allows."""
ALL_PIXELS = 400_000_000
"""Of all frames together."""
FORMATS: Final[Mapping[str, str]] = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/tiff": "TIFF",
}
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_EDITORS = re.compile(
    rb"(?i)photoshop|lightroom|gimp|affinity|pixelmator|snapseed|picsart|canva|paint\.net|inkscape|"
    rb"imagemagick|facetune|xmpMM:History|photoshop:History"
)
_LEGACY_LIMIT = 65536
_NEEDED = (ImagePalette, TiffImagePlugin)
"""What Pillow would load when it meets it."""


def prepare() -> None:
    """Load its formats; for a process that may open no file any more."""
    Image.init()


def examine(file: BinaryIO, size: int, notes: Notes, media_type: str) -> None:
    """Examine a picture of one of :data:`FORMATS`."""
    if size > SIZE_LIMIT:
        notes.add("limit", f"{size} bytes; a picture is examined up to {SIZE_LIMIT}")
        return
    data = file.read()
    end = _end(data, media_type)
    if end is not None and data[end:].strip(b"\0"):
        notes.add("trailing", f"{len(data) - end} bytes behind the end of the picture")
    if found := sorted({item.decode().lower() for item in _EDITORS.findall(_metadata(data, media_type))}):
        notes.add("image.edited", f"traces of software that changes pictures: {', '.join(found)}")
    file.seek(0)
    # The limits are ours: Pillow's own is a warning first.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(file, formats=[FORMATS[media_type]]) as image:
            _decode(image, notes)
            _exif(image, notes)
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        struct.error,
        TypeError,
    ) as error:
        words = "its header cannot be read" if isinstance(error, UnidentifiedImageError) else f"{error}"
        notes.add("image.damaged", f"it cannot be decoded to its end: {words}")


def _decode(image: Image.Image, notes: Notes) -> None:
    notes.fact("dimensions", f"{image.width} x {image.height}")
    notes.fact("mode", image.mode)
    pixels = frames = 0
    if image.width * image.height > PIXEL_LIMIT:
        notes.add("limit", f"{image.width} x {image.height} pixels; up to {PIXEL_LIMIT} are decoded")
        return
    for frame in ImageSequence.Iterator(image):
        notes.tick()
        frames += 1
        pixels += frame.width * frame.height
        if max(frame.width * frame.height, pixels - ALL_PIXELS + PIXEL_LIMIT) > PIXEL_LIMIT:
            notes.add("limit", f"more than {ALL_PIXELS} pixels in {frames} frames; the rest was not decoded")
            break
        frame.load()
    notes.fact("frames", frames)


def _exif(image: Image.Image, notes: Notes) -> None:
    exif = image.getexif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    for name, value in (
        ("made", inner.get(ExifTags.Base.DateTimeOriginal)),
        ("changed", exif.get(ExifTags.Base.DateTime)),
        ("camera", " ".join(str(exif[tag]) for tag in (271, 272) if tag in exif)),
        ("software", exif.get(ExifTags.Base.Software) or _text(image.info)),
    ):
        if value:
            notes.fact(name, str(value))
    if not inner.get(ExifTags.Base.DateTimeOriginal):
        notes.add("image.no_time", "it does not say when it was taken")
    if exif.get_ifd(ExifTags.IFD.GPSInfo):
        notes.add("image.location", "it holds the place where it was taken")


def _text(information: Mapping[Any, Any]) -> str:
    """The software a PNG names in a text chunk."""
    return str(information.get("Software") or "")


def _metadata(data: bytes, media_type: str) -> bytes:
    """The parts of a file that are not picture."""
    if media_type == "image/png":
        return b"".join(body for name, body in _chunks(data) if name not in (b"IDAT", b"fdAT"))
    return data[:_LEGACY_LIMIT]


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG up to IEND, or as far as they go."""
    found, position = [], 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        name = data[position + 4 : position + 8]
        found.append((name, data[position + 8 : position + 8 + length]))
        position += 12 + length
        if name == b"IEND":
            break
    return found


def _end(data: bytes, media_type: str) -> int | None:
    """Where the format ends; None where it does not say, or does not end."""
    if media_type == "image/png":
        chunks = _chunks(data)
        whole = bool(chunks) and chunks[-1][0] == b"IEND"
        return 8 + sum(12 + len(body) for _, body in chunks) if whole else None
    if media_type == "image/webp" and len(data) >= 8:
        length = int.from_bytes(data[4:8], "little") + 8
        return length + length % 2
    if media_type == "image/jpeg":
        return _jpeg_end(data)
    if media_type == "image/gif":
        return _gif_end(data)
    return None


def _jpeg_end(data: bytes) -> int | None:
    """Behind the marker EOI (ITU-T T.81, annex B): segments carry their length, scans end at a marker."""
    position = 2
    while (found := _MARKER.search(data, position)) is not None:
        marker, position = data[found.end() - 1], found.end()
        if marker == 0xD9:
            return position
        if marker != 0x01:
            position += int.from_bytes(data[position : position + 2])
    return None


def _gif_end(data: bytes) -> int | None:
    """Behind the trailer (GIF89a, section 27): blocks of sub-blocks, each with its length."""
    if len(data) < 13:
        return None
    position = 13 + (3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while position < len(data):
        kind = data[position]
        if kind == 0x3B:
            return position + 1
        if kind == 0x21:
            position += 2
        elif kind == 0x2C and position + 10 < len(data):
            flags = data[position + 9]
            position += 11 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
        else:
            return None
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return None
