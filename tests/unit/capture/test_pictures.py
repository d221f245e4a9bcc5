"""The full-height picture has every row of the page once, in its place, above a texture's limit as well."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from evidence_service.capture.session import CaptureLimits
from evidence_service.capture.steps.pictures import join_strips, take_full
from tests.capture.serving import Pages, browsing

BANDS = 105
HIGH = (
    '<!doctype html><body style="margin:0">'
    + "".join(
        f'<div style="height:200px;background:rgb({band},{255 - band},{band * 7 % 256})"></div>'
        for band in range(BANDS)
    )
    + "</body>"
)


def test_a_page_of_21_000_pixels_has_every_band_in_its_place(tmp_path: Path) -> None:
    with Pages({"/high": HIGH}) as pages, browsing(pages, tmp_path) as browser:
        with browser.visit("/high", tmp_path / "c") as (visit, _):
            visit.page.wait_for_load_state("load")
            assert take_full(visit, "screenshot.png", "screenshot.full")["height"] == 200 * BANDS
        limits = CaptureLimits(seconds=20, height=9000)
        with browser.visit("/high", tmp_path / "d", limits) as (visit, _):
            visit.page.wait_for_load_state("load")
            take_full(visit, "screenshot.png", "screenshot.full")
            assert visit.fired == ["the page is higher than 9000 pixels"]
    whole = Image.open(tmp_path / "c" / "screenshot.png").convert("RGB")
    assert whole.size == (1280, 200 * BANDS)
    for band in range(BANDS):
        for row in (0, 100, 199):
            assert whole.getpixel((640, 200 * band + row)) == (band, 255 - band, band * 7 % 256)
    assert Image.open(tmp_path / "d" / "screenshot.png").size == (1280, 9000)


def test_joined_strips_are_the_same_pixels() -> None:
    picture = Image.effect_noise((64, 300), 90).convert("RGB")

    def png(top: int, bottom: int) -> bytes:
        out = io.BytesIO()
        picture.crop((0, top, 64, bottom)).save(out, "PNG")
        return out.getvalue()

    joined = Image.open(io.BytesIO(join_strips([png(0, 128), png(128, 256), png(256, 300)])))
    assert joined.tobytes() == picture.tobytes()
