"""What is kept of a settled page: full-page picture, DOM with its frames, MHTML, PDF.

Each is made for itself: what one of them fails at does not take the others along, and is named. The order
is by weight, so that a page that ends the browser's patience has left its picture and its DOM before.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.steps.observing import locate_facts, observe_page
from evidence_service.capture.steps.pictures import shoot_full
from evidence_service.capture.steps.visit import TIME_OVER, Visit, first_line
from evidence_service.capture.steps.watching import Watch

_MAX_FRAMES = 50
_MESSAGES = 0.05
"""Seconds in which the browser's messages are read once everything is kept."""


def keep_page(visit: Visit, watch: Watch) -> None:
    """Write the pictures and documents of the page as it is now."""
    visit.progress("keeping the page")
    documents = watch.documents
    for name, part in (
        ("look at the page", observe_page),
        ("full-page picture", _keep_picture),
        ("DOM", _keep_dom),
        ("measurement of facts", locate_facts),
        ("MHTML", _keep_mhtml),
        ("PDF", _keep_pdf),
    ):
        if visit.is_dead or time.monotonic() >= visit.end or not _keep(visit, name, part):
            break
    if not visit.is_dead:
        # A document that began to arrive is told of only when the browser's messages are read.
        visit.wait(_MESSAGES)
    if watch.documents != documents and visit.navigations.current is not None:
        where = visit.navigations.current
        visit.lacks(f"the page went to {where.url or where.address} while it was being kept"[:400])
    if time.monotonic() >= visit.end:
        visit.lacks(TIME_OVER)


def _keep(visit: Visit, name: str, part: Callable[[Visit], Callable[[], None]]) -> bool:
    """Make one part, and keep it if the page is still the same; whether it is."""
    try:
        keep = part(visit)
        if visit.navigations.look() is not visit.navigation:
            return False
        keep()
    except PlaywrightError as error:
        if visit.is_dead:
            return False
        visit.lacks(f"the {name} could not be made: {first_line(error)}")
    return True


def _keep_picture(visit: Visit) -> Callable[[], None]:
    measured, picture = shoot_full(visit)

    def keep() -> None:
        visit.measured = measured
        visit.store("screenshot.png", "image/png", "screenshot.full", picture)
        height = min(measured["height"], visit.limits.height)
        visit.log.add("screenshot", f"{measured['width']} by {height} pixels")
        count, broken = measured["images"], measured["incomplete_images"]
        visit.log.add("images", f"{count - len(broken)} of {count} pictures are complete")
        if broken:
            visit.lacks(f"{len(broken)} of {count} pictures did not load, the first: {broken[0]}"[:400])

    return keep


def _keep_dom(visit: Visit) -> Callable[[], None]:
    page = visit.page
    whole = visit.evaluate("serialise_dom")
    inner: list[tuple[str, str]] = []
    frames = [frame for frame in page.frames if frame is not page.main_frame and not frame.is_detached()]
    for frame in frames[:_MAX_FRAMES]:
        try:
            inner.append((frame.url, visit.evaluate("serialise_dom", frame=frame)["html"]))
        except PlaywrightError as error:
            visit.log.add("dom", f"the frame {frame.url} could not be read: {first_line(error)}"[:500])

    def keep() -> None:
        visit.html = whole["html"]
        visit.hold("dom.html", "text/html", "dom", visit.html)
        visit.log.add("dom", f"{len(visit.html)} characters, {whole['roots']} open shadow roots written out")
        for number, (url, html) in enumerate(inner, start=1):
            path = f"frames/{number:02}.html"
            visit.hold(path, "text/html", "dom.frame", html)
            visit.log.add("dom", f"{path} is the frame {url}"[:500])
        if len(frames) > _MAX_FRAMES:
            visit.fire(f"the page has more than {_MAX_FRAMES} frames")

    return keep


def _keep_mhtml(visit: Visit) -> Callable[[], None]:
    answer = visit.cdp.send("Page.captureSnapshot", {"format": "mhtml"})

    def keep() -> None:
        size = visit.hold("page.mhtml", "multipart/related", "mhtml", answer["data"])
        visit.log.add("mhtml", f"{size} bytes")

    return keep


def _keep_pdf(visit: Visit) -> Callable[[], None]:
    data = visit.page.pdf(print_background=True)

    def keep() -> None:
        visit.files.add("page.pdf", "application/pdf", "page.pdf", data)
        visit.log.add("pdf", f"{len(data)} bytes, as the page prints itself on A4")

    return keep
