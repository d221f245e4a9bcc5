"""PDF pages as pictures, to be looked at: one by one, or side by side on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pypdfium2
from PIL import Image

_POINTS_PER_INCH = 72
_COLUMNS = 7
_GAP = 12


def page_pictures(pdf: Path, *, dpi: int) -> list[Image.Image]:
    """Every page of a PDF."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        scale = dpi / _POINTS_PER_INCH
        return [page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB") for page in document]
    finally:
        document.close()


def contact_sheet(pdfs: Sequence[Path], *, dpi: int = 50) -> Image.Image:
    """Pages of several PDFs in rows, each PDF starting a new row."""
    rows: list[list[Image.Image]] = []
    for pdf in pdfs:
        pages = page_pictures(pdf, dpi=dpi)
        rows += [pages[start : start + _COLUMNS] for start in range(0, len(pages), _COLUMNS)]
    width, height = rows[0][0].size
    size = (_COLUMNS * (width + _GAP) + _GAP, len(rows) * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "#8c939c")
    for down, row in enumerate(rows):
        for across, page in enumerate(row):
            sheet.paste(page, (_GAP + across * (width + _GAP), _GAP + down * (height + _GAP)))
    return sheet
