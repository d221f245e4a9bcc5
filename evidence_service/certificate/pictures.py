"""Screenshots cut into parts that can be read on a page, as JPEG; the originals stay in the record."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image

from evidence_service.certificate.recorded import Screenshot

_TILE = 1.3
"""Height of a part by its width: what fits on a page below its caption."""
_THUMBNAIL = 0.36
"""Height of the thumbnail by its width: the top of the page, small enough for the page of facts."""
_NARROW = 900
"""Device pixels. A picture that is not as wide, as phones' are, is printed at half the page's width."""
_MOST_PARTS = 40
"""Parts in one certificate, and ``_MOST_OF_ONE`` of one picture."""
_MOST_OF_ONE = 24
_QUALITY = 84


@dataclass(frozen=True, slots=True)
class Cut:
    """One picture in parts.

    Attributes:
        parts: JPEG, first and one past the last row of pixels.
        thumbnail: JPEG of the top.
    """

    width: int
    height: int
    parts: tuple[tuple[bytes, int, int], ...]
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class Plates:
    """What a certificate shows of all pictures.

    Attributes:
        files: JPEG by name.
        shown: one entry a part, with its place in its picture.
        left: pictures, or their lower parts, for which there is no room: path, first row left out, height.
        broken: paths of files that are no picture this program reads.
    """

    files: dict[str, bytes]
    shown: list[dict[str, Any]]
    left: list[dict[str, Any]]
    broken: list[str]


def plates(screenshots: Sequence[Screenshot]) -> Plates:
    """All pictures in parts, in their order, as far as there is room."""
    result = Plates({}, [], [], [])
    for number, shot in enumerate(screenshots, start=1):
        try:
            cut = _cut(shot.data)
        # A decompression bomb, a truncated file, a format of its own: Pillow has an exception for each.
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            result.broken.append(shot.path)
            continue
        if not result.files:
            result.files["thumbnail.jpg"] = cut.thumbnail
        room = cut.parts[: _MOST_PARTS - len(result.shown)]
        below = room[-1][2] if room else 0
        if below < cut.height:
            result.left.append({"picture": shot.path, "from": below, "height": cut.height})
        for part, (data, top, bottom) in enumerate(room, start=1):
            name = f"picture-{number:03}-{part:02}.jpg"
            result.files[name] = data
            result.shown.append(
                {
                    "path": f"/{name}",
                    "picture": shot.path,
                    "role": shot.role,
                    "part": part,
                    "parts": len(cut.parts),
                    "top": top,
                    "bottom": bottom,
                    "height": cut.height,
                    "share": 0.5 if cut.width < _NARROW else 1,
                }
            )
    return result


# The editions of one certificate show the same pictures; they are cut for the first one.
@lru_cache(maxsize=4)
def _cut(data: bytes) -> Cut:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
        picture = opened.convert("RGB")
    height = int(picture.width * _TILE)
    tops = range(0, picture.height, height)[:_MOST_OF_ONE]
    parts = [(top, min(top + height, picture.height)) for top in tops]
    return Cut(
        picture.width,
        picture.height,
        tuple((_jpeg(picture, top, bottom), top, bottom) for top, bottom in parts),
        _jpeg(picture, 0, min(picture.height, int(picture.width * _THUMBNAIL))),
    )


def _jpeg(picture: Image.Image, top: int, bottom: int) -> bytes:
    buffer = io.BytesIO()
    picture.crop((0, top, picture.width, bottom)).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
