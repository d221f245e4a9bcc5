"""Every lazy picture is asked for, however it is loaded; a page without end is ended and named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from evidence_service.capture.session import CaptureLimits, CaptureResult
from tests.capture.serving import Pages, capture, response, says


def _picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (number * 9 % 256, 40, 90)).save(out, "PNG")
    return response(out.getvalue(), "image/png")


def _image(number: int) -> str:
    style = "display:block;width:400px;height:260px"
    if number < 9:
        return f'<img loading="lazy" src="/p/{number}.png" style="{style}">'
    return f'<img class="{"seen" if number < 17 else "near"}" data-src="/p/{number}.png" style="{style}">'


LAZY = (
    "<!doctype html><body>"
    + "".join(_image(number) for number in range(25))
    + """<script>
const show = (image) => { if (image.dataset.src) { image.src = image.dataset.src; delete image.dataset.src; } };
const seen = new IntersectionObserver((all) => all.forEach((one) => one.isIntersecting && show(one.target)));
document.querySelectorAll('.seen').forEach((image) => seen.observe(image));
addEventListener('scroll', () => document.querySelectorAll('.near').forEach((image) => {
  if (image.getBoundingClientRect().top < innerHeight) show(image);
}));
</script></body>"""
)

ENDLESS = """<!doctype html><body><h1>Feed</h1><script>
let count = 0;
const more = () => { const box = document.createElement('div');
  box.style.height = '600px'; box.textContent = `entry ${count++}`; document.body.append(box); };
more(); more();
addEventListener('scroll', () => { if (scrollY + innerHeight > document.body.scrollHeight - 400) { more(); more(); } });
</script></body>"""

INNER = (
    '<!doctype html><body style="margin:0;overflow:hidden"><div style="height:100vh;overflow-y:auto">'
    + "".join(f'<img loading="lazy" src="/p/{number}.png" style="display:block;width:400px;height:600px">' for number in range(12))
    + "</div></body>"
)  # fmt: skip


@pytest.fixture(scope="module")
def lazy(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaptureResult, Path, list[str]]:
    directory = tmp_path_factory.mktemp("lazy") / "c"
    with Pages({"/item/1": LAZY, **{f"/p/{number}.png": _picture(number) for number in range(25)}}) as pages:
        return capture(pages, directory), directory, pages.paths


def test_all_25_lazy_pictures_are_asked_for_and_shown(lazy: tuple[CaptureResult, Path, list[str]]) -> None:
    result, directory, paths = lazy
    assert {f"/p/{number}.png" for number in range(25)} <= set(paths)
    assert result.outcome.status == "captured"
    whole = Image.open(directory / "screenshot.png").convert("RGB")
    assert {whole.getpixel((200, 138 + 260 * number)) for number in range(25)} == {
        (number * 9 % 256, 40, 90) for number in range(25)
    }


def test_the_tiles_show_the_page_from_top_to_bottom(lazy: tuple[CaptureResult, Path, list[str]]) -> None:
    _, directory, _ = lazy
    actions = [json.loads(line) for line in (directory / "actions.jsonl").read_text().splitlines()]
    scrolled = [int(entry["detail"].split()[1]) for entry in actions if entry["action"] == "scroll"]
    # The bottom is looked at twice, and the last scroll is the one back to the top.
    tops = list(dict.fromkeys(scrolled))
    assert scrolled[-1] == 0
    whole = Image.open(directory / "screenshot.png").convert("RGB")
    tiles = sorted((directory / "screenshots").glob("tile-*.png"))
    assert len(tiles) == len(tops) > 5
    for top, path in zip(tops, tiles, strict=True):
        tile = Image.open(path).convert("RGB")
        assert tile.tobytes() == whole.crop((0, top, 1280, top + 900)).tobytes()
    assert tops[-1] + 900 == whole.height


def test_a_page_that_grows_without_end_is_ended_and_named(tmp_path: Path) -> None:
    with Pages({"/item/1": ENDLESS}) as pages:
        result = capture(pages, tmp_path / "c", limits=CaptureLimits(seconds=20, height=4000))
    assert result.outcome.status == "partial"
    assert says(result, "the page is higher than 4000 pixels and grew while it was scrolled")
    assert Image.open(tmp_path / "c" / "screenshot.png").height == 4000


def test_a_page_that_scrolls_inside_an_element_is_scrolled_there(tmp_path: Path) -> None:
    with Pages({"/item/1": INNER, **{f"/p/{number}.png": _picture(number) for number in range(12)}}) as pages:
        capture(pages, tmp_path / "c")
        assert {f"/p/{number}.png" for number in range(12)} <= set(pages.paths)
    assert "scrolls inside an element" in (tmp_path / "c" / "actions.jsonl").read_text()
