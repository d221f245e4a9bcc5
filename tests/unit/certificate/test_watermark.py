"""The mark across a demonstration's pages is seen, and no text."""

from __future__ import annotations

import pypdfium2
from lxml import etree
from PIL import ImageChops

from evidence_service.certificate.render import render
from evidence_service.certificate.watermark import watermark
from tests.unit.certificate.certified import changed, facts, text_of


def reddish(pdf: bytes) -> int:
    """Pixels of the mark's colour inside the last page's margins."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        picture = document[len(document) - 1].render(scale=0.5).to_pil().convert("RGB")
    finally:
        document.close()
    width, height = picture.size
    inside = picture.crop((width // 8, height // 5, width * 7 // 8, height * 4 // 5))
    red, green, _ = inside.split()
    return sum(ImageChops.subtract(red, green).histogram()[15:])


def test_it_is_seen_on_a_page_of_a_demonstration_alone() -> None:
    found = facts("generic:en")
    shown = render(changed(found, demonstration=True))
    assert reddish(shown) > 500
    assert reddish(render(found)) == 0


def test_it_is_no_text() -> None:
    shown = render(changed(facts("generic:en"), demonstration=True))
    pages = text_of(shown).split("\f")[:-1]
    assert [page.count("DEMONSTRATION") for page in pages] == [1] * len(pages)


def test_every_line_is_drawn_and_the_widest_fills_it() -> None:
    one = etree.fromstring(watermark(("DEMONSTRATION",)))
    two = etree.fromstring(watermark(("DEMONSTRATION", "演示")))
    assert one.get("viewBox") != two.get("viewBox")
    assert one.get("viewBox").split()[2] == two.get("viewBox").split()[2]
    (path,) = two
    assert path.get("d").count("M") > one[0].get("d").count("M")
