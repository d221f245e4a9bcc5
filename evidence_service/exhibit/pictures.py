"""Areas of a picture, masked: the pixels are other pixels, and nothing else of the file is left."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import IO

from PIL import Image

from evidence_service.errors import RefusedError
from evidence_service.exhibit.plan import Area

MOST_PIXELS = 64_000_000
"""Largest picture that is opened: 256 MB of memory."""
_BLACK = {"RGBA": (0, 0, 0, 255), "RGB": (0, 0, 0)}


def mask_areas(source: IO[bytes], areas: Sequence[Area], path: str) -> bytes:
    """A PNG of the same size without what was in the areas, and without metadata (text, profile, time).

    Args:
        path: its name, for people.

    Raises:
        RefusedError: it is no picture that can be masked, or an area is not inside it.
    """
    try:
        with Image.open(source, formats=["PNG"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise RefusedError(
                    f"{path} has more than {MOST_PIXELS} pixels", what_to_do="withhold the picture instead"
                )
            if getattr(opened, "n_frames", 1) > 1:
                # What is masked in one frame of an animation shows in the next.
                raise RefusedError(f"{path} is an animation", what_to_do="withhold the picture instead")
            # A palette could keep colours, and a chunk words, that nobody looks for.
            mode = "RGBA" if opened.has_transparency_data else "RGB"
            shown = opened.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RefusedError(
            f"{path} cannot be opened as a PNG picture: no area of it can be masked",
            what_to_do="withhold the file instead",
        ) from error
    masked = Image.new(mode, shown.size)
    masked.paste(shown)
    for area in areas:
        if area.x + area.width > masked.width or area.y + area.height > masked.height:
            raise RefusedError(
                f"an area of {path} is not inside the picture of {masked.width} by {masked.height} pixels"
            )
        box = (area.x, area.y, area.x + area.width, area.y + area.height)
        masked.paste(_BLACK[mode], box)
    target = io.BytesIO()
    masked.save(target, "PNG", compress_level=6)
    return target.getvalue()
