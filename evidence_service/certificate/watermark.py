"""The mark across every page of a demonstration, as curves.

As text its letters would be scattered through whatever is copied from a page. What it says stands as text at
the foot of each page.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from xml.sax.saxutils import quoteattr

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTCollection

from evidence_service.certificate.fonts import SANS, font_directory

_LEADING = 1.25
"""From one line to the next, in units of the font's size."""


@cache
def watermark(lines: Sequence[str]) -> bytes:
    """SVG of centred lines of bold type, 100 units a line high; the widest line fills its width.

    Raises:
        ConfigurationError: the fonts are missing.
    """
    collection = TTCollection(str(font_directory() / "NotoSansCJK-Bold.ttc"), lazy=True)
    font = next(item for item in collection.fonts if item["name"].getDebugName(1).startswith(SANS))
    glyphs, names, scale = font.getGlyphSet(), font.getBestCmap(), 100 / font["head"].unitsPerEm
    pen = SVGPathPen(glyphs, ntos=lambda number: f"{number:.1f}")
    rows = [[glyphs[names[ord(character)]] for character in line] for line in lines]
    widths = [sum(glyph.width for glyph in row) * scale for row in rows]
    for position, (row, width) in enumerate(zip(rows, widths, strict=True)):
        left, base = (max(widths) - width) / 2, 100 * (1 + position * _LEADING) - 12
        for glyph in row:
            glyph.draw(TransformPen(pen, (scale, 0, 0, -scale, left, base)))
            left += glyph.width * scale
    height = 100 * (1 + (len(lines) - 1) * _LEADING) + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(widths):.0f} {height:.0f}">'
        f'<path fill="#a3221a" fill-opacity="0.14" d={quoteattr(pen.getCommands())}/></svg>'
    ).encode()
