"""What ReplayWeb.page shows from a package is what the capture's picture shows, with nothing from elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Frame, Page, sync_playwright

from evidence_service.capture.browser import BrowserSettings, find_browser
from evidence_service.capture.session import capture_listing
from evidence_service.egress.policy import EgressPolicy
from evidence_service.sandbox.marketplace import Marketplace
from tests.capture.oracles import check_wacz
from tests.capture.replaying import serving

TOLERANCE = 8


def match(first: Image.Image, second: Image.Image) -> float:
    """Share of pixels whose three channels differ by at most ``TOLERANCE`` of 255.

    Where one picture is larger than the other, its surplus pixels match nothing.
    """
    width, height = min(first.width, second.width), min(first.height, second.height)
    common = [item.convert("RGB").crop((0, 0, width, height)) for item in (first, second)]
    red, green, blue = ImageChops.difference(*common).split()
    largest = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()
    return sum(largest[: TOLERANCE + 1]) / max(first.width * first.height, second.width * second.height)


def replay(page: Page, address: str, size: tuple[int, int]) -> tuple[Image.Image, Frame]:
    """The replayed page with its consent dialog dismissed, as high as the captured picture."""
    # The player's first start sometimes waits for its service worker in vain; with one that runs, it never does.
    page.goto(address)
    page.wait_for_function(
        "navigator.serviceWorker.getRegistration('/replay/').then(found => found?.active?.state === 'activated')"
    )
    page.goto(address)
    inner = wait_for(page, lambda: next((item for item in page.frames if "mp_/" in item.url), None))
    inner.wait_for_load_state("load")
    inner.get_by_role("button", name="仅必要").click()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    inner.wait_for_function("[...document.images].every(item => item.complete && item.naturalWidth)")
    return Image.open(io.BytesIO(page.screenshot())), inner


def wait_for(page: Page, found: Callable[[], Frame | None]) -> Frame:
    for _ in range(300):
        if (frame := found()) is not None:
            return frame
        page.wait_for_timeout(100)
    pytest.fail(f"nothing was replayed; frames: {[item.url for item in page.frames]}")


def test_the_replayed_page_looks_like_the_captured_picture(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with Marketplace() as marketplace:
        url = marketplace.listing_url("200101")
        result = capture_listing(
            url,
            tmp_path / "c",
            policy=EgressPolicy(frozenset({("127.0.0.1", marketplace.port)})),
            browser=BrowserSettings(),
            now=lambda: datetime.now(UTC),
        )
    assert result.outcome.status == "captured"
    wacz = tmp_path / "c" / "capture.wacz"
    check_wacz(wacz, tmp_path)
    captured = Image.open(tmp_path / "c" / "screenshot.png")
    viewport = Image.open(tmp_path / "c" / "screenshot-before-consent.png").size
    # The marketplace is gone: whatever is shown now comes from the package.
    requests: list[str] = []
    with sync_playwright() as playwright, serving(wacz, url) as address:
        browser = playwright.chromium.launch(
            executable_path=str(find_browser("")), args=["--no-sandbox", "--font-render-hinting=none"]
        )
        context = browser.new_context(viewport={"width": viewport[0], "height": viewport[1]})
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        replayed, _ = replay(page, address, captured.size)
        browser.close()
    replayed.save(tmp_path / "replayed.png")
    shown = [item for item in requests if "/picture/" in item]
    assert len({item.rsplit("/", 1)[1] for item in shown}) == 9
    assert [item for item in requests if not item.startswith((address, "data:", "blob:"))] == []
    share = match(captured, replayed)
    record_property(
        "RESULT",
        f"replay_match={share:.4f} replay_tolerance={TOLERANCE} replay_pixels={captured.width * captured.height}",
    )
    assert share >= 0.98, f"{share:.4f} of the pixels match; see {tmp_path / 'replayed.png'}"


def test_the_measure_counts_what_differs() -> None:
    white = Image.new("RGB", (100, 100), (255, 255, 255))
    other = white.copy()
    other.paste((255, 255, 246), (0, 0, 100, 3))
    other.paste((255, 255, 247), (0, 50, 100, 60))
    assert match(white, white) == 1
    assert match(white, other) == 0.97
    assert match(white, white.crop((0, 0, 100, 90))) == 0.9
