"""Pictures of goods, drawn when they are asked for: no binary files to keep, the same bytes every time."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageColor, ImageDraw, ImageFont

SIZE = 900
_INK = "#1c1c1c"


@lru_cache(maxsize=128)
def picture(motif: str, colour: str, number: int, brand: str) -> bytes:
    """A JPEG, 900 by 900 pixels.

    Args:
        number: which view of the goods; changes position, light and the caption.
    """
    image = Image.new("RGB", (SIZE, SIZE), "#f4f1ec")
    draw = ImageDraw.Draw(image)
    for row in range(SIZE):
        shade = 246 - (row * (16 + number * 3)) // SIZE
        draw.line([(0, row), (SIZE, row)], fill=(shade, shade - 3, shade - 8))
    shift = (number % 3 - 1) * 40
    draw.ellipse([180 + shift, 690, 720 + shift, 760], fill="#d3ccc2")
    _MOTIFS[motif](draw, colour, shift)
    font = ImageFont.load_default(44)
    draw.text((40, 34), brand.encode("ascii", "ignore").decode().strip().upper(), fill=_INK, font=font)
    draw.text((40, 830), f"VIEW {number:02d}", fill="#6b655c", font=ImageFont.load_default(28))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _lighter(colour: str, by: int) -> tuple[int, ...]:
    return tuple(min(255, part + by) for part in ImageColor.getrgb(colour))


def _bag(draw: ImageDraw.ImageDraw, colour: str, shift: int) -> None:
    draw.arc([300 + shift, 180, 600 + shift, 620], 180, 360, fill="#b8913a", width=16)
    left, top, right, bottom = 220 + shift, 400, 680 + shift, 720
    draw.rounded_rectangle([left, top, right, bottom], 36, fill=colour)
    for inset in range(40, 420, 46):
        # Quilting: both diagonals through a point of the bottom edge, cut off at the bag's sides.
        up = min(right - left - inset, bottom - 540)
        draw.line(
            [(left + inset, bottom), (left + inset + up, bottom - up)], fill=_lighter(colour, 24), width=3
        )
        up = min(inset, bottom - 540)
        draw.line(
            [(left + inset, bottom), (left + inset - up, bottom - up)], fill=_lighter(colour, 24), width=3
        )
    draw.rounded_rectangle([left, top, right, 540], 36, fill=_lighter(colour, 14))
    draw.ellipse([425 + shift, 515, 475 + shift, 565], fill="#d9b45a")


def _headphones(draw: ImageDraw.ImageDraw, colour: str, shift: int) -> None:
    draw.arc([230 + shift, 200, 670 + shift, 760], 180, 360, fill=colour, width=46)
    for x in (200 + shift, 600 + shift):
        draw.rounded_rectangle([x, 440, x + 100, 690], 46, fill=_lighter(colour, 20))
        draw.rounded_rectangle([x + 18, 462, x + 82, 668], 32, fill=_INK)


def _shoe(draw: ImageDraw.ImageDraw, colour: str, shift: int) -> None:
    body = [(190, 660), (200, 470), (300, 440), (420, 520), (600, 580), (710, 620), (720, 670)]
    draw.polygon([(x + shift, y) for x, y in body], fill=colour)
    draw.rounded_rectangle([180 + shift, 650, 730 + shift, 720], 30, fill="#ffffff", outline=_INK, width=3)
    for step in range(4):
        x = 330 + step * 52 + shift
        draw.line([(x, 470 + step * 24), (x + 44, 440 + step * 26)], fill="#ffffff", width=9)
    draw.line([(260 + shift, 640), (520 + shift, 560)], fill=_lighter(colour, 90), width=22)


def _battery(draw: ImageDraw.ImageDraw, colour: str, shift: int) -> None:
    draw.rounded_rectangle([260 + shift, 420, 640 + shift, 720], 26, fill=_INK)
    draw.rectangle([300 + shift, 360, 600 + shift, 420], fill="#3a3a3a")
    draw.rounded_rectangle([290 + shift, 500, 610 + shift, 660], 14, fill=colour)
    draw.text((330 + shift, 545), "20V  5.0Ah", fill="#ffffff", font=ImageFont.load_default(50))


_MOTIFS = {"bag": _bag, "headphones": _headphones, "shoe": _shoe, "battery": _battery}
