"""A whole capture beside bare Playwright that only looks at the page, in the same run.

The page has 16 responses and is 7,000 pixels high. Bare Playwright opens it, waits until it is quiet,
scrolls, takes the full-page picture, the DOM and a PDF. The capture does that through the recorder and
keeps everything else: tiles, consent, MHTML, facts, the record and its package. Runs alternate; medians
are compared.
"""

from __future__ import annotations

import io
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from evidence_service.capture.browser import find_browser, identify
from tests.capture.serving import WORDS, Answer, Pages, capture, response

RUNS = 7
LIMIT = 1.6


def _picture(seed: int) -> bytes:
    noise = random.Random(seed).randbytes(160 * 120 * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (160, 120), noise).resize((960, 720)).save(out, "JPEG", quality=85)
    return response(out.getvalue(), "image/jpeg")


def _page() -> dict[str, Answer]:
    rows = "".join(
        f"<section><h2>Lamp {n}</h2>{WORDS}"
        f'<img loading="lazy" src="/p/{n}.jpg" width="480" height="360"></section>'
        for n in range(14)
    )
    html = f'<!doctype html><title>Lamps</title><link rel="stylesheet" href="/style.css"><h1>Lamps</h1>{rows}'
    style = response(b"section { height: 490px; overflow: hidden; font: 16px sans-serif }", "text/css")
    return {"/item/1": html, "/style.css": style, **{f"/p/{n}.jpg": _picture(n) for n in range(14)}}


def _bare(url: str, directory: Path) -> float:
    began = time.perf_counter()
    directory.mkdir()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=identify(find_browser("")).program,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_load_state("networkidle")
        top, height = 0, 1
        while top < height:
            top += 720
            height = page.evaluate("top => { scrollTo(0, top); return document.body.scrollHeight; }", top)
            page.wait_for_timeout(80)
        page.wait_for_load_state("networkidle")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(full_page=True, path=directory / "screenshot.png")
        (directory / "dom.html").write_text(page.content())
        page.pdf(path=directory / "page.pdf")
        browser.close()
    return time.perf_counter() - began


def _captured(pages: Pages, directory: Path, peaks: list[int]) -> float:
    began = time.perf_counter()

    def note_memory(words: str) -> None:
        if words == "keeping the page":
            peaks.append(_recorder_peak())

    result = capture(pages, directory, progress=note_memory)
    took = time.perf_counter() - began
    if result.outcome.status != "captured":
        raise SystemExit(f"the capture ended in {result.outcome}")
    return took


def _recorder_peak() -> int:
    """Largest resident size so far of the recorder this process started, in kilobytes."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines())
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status["PPid"]) == os.getpid() and b"evidence_service.capture.recording" in command:
            return int(status["VmHWM"].split()[0])
    raise SystemExit("the recorder was not found among the processes")


def main() -> int:
    """Print both medians, their ratio and the recorder's memory."""
    bare, captured, peaks = [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-capture-") as name, Pages(_page()) as pages:
        scratch = Path(name)
        scratch.chmod(0o755)
        for run in range(RUNS + 1):
            pair = (
                _bare(pages.url(), scratch / f"bare-{run}"),
                _captured(pages, scratch / f"capture-{run}", peaks),
            )
            # The first pair fills the caches of the file system and of Python.
            if run:
                bare.append(pair[0])
                captured.append(pair[1])
            print(f"run {run}: bare {pair[0]:.2f} s, capture {pair[1]:.2f} s")
    ratio = statistics.median(captured) / statistics.median(bare)
    print(
        f"RESULT ratio={ratio:.2f} bare_s={statistics.median(bare):.2f} "
        f"capture_s={statistics.median(captured):.2f} recorder_mb={max(peaks) / 1024:.0f} runs={RUNS}"
    )
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
