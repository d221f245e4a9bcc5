"""What is kept of a settled page: full-page picture, DOM with its frames, MHTML, PDF.

Each is made for itself: what one of them fails at does not take the others along, and is named. The order
is by weight, so that a page that ends the browser's patience has left its picture and its DOM before.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import CDPSession
from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.steps.answers import members, pixels, text
from evidence_service.capture.steps.observing import locate_facts, observe_page
from evidence_service.capture.steps.pictures import shoot_full
from evidence_service.capture.steps.visit import TIME_OVER, Visit, told
from evidence_service.capture.steps.worlds import ScriptFailedError, evaluate, inner_frames

_MAX_FRAMES = 50
_A4 = (8.27, 11.69)
"""Inches (ISO 216: 210 by 297 mm)."""
_PIECE = 1 << 20
_MESSAGES = 0.05
"""Seconds in which the browser's messages are read once everything is kept."""


def keep_page(visit: Visit) -> None:
    """Write the pictures and documents of the page as it is now."""
    visit.progress("keeping the page")
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
    where = visit.navigations.current
    if where is not None and where is not visit.navigation:
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
    except OSError:
        # The disk: nothing is kept, and the capture is tried again.
        raise
    except Exception as error:  # noqa: BLE001 - told, and logged where it is our own
        if visit.is_dead:
            return False
        visit.lacks(f"the {name} could not be made: {told(error)}")
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
    left = visit.limits.text
    whole = _serialised(visit, visit.cdp, visit.navigations.frame, left)
    left -= whole["size"]
    inner: list[tuple[str, str]] = []
    seen = 0
    for session, frame, url in inner_frames(visit.context, visit.page, visit.cdp):
        seen += 1
        if seen > _MAX_FRAMES:
            break
        if url in visit.refused_frames or url.startswith("chrome-error:"):
            visit.log.add("dom", f"the frame {url} shows no server's answer, and is not kept"[:500])
            continue
        try:
            found = _serialised(visit, session, frame, max(left, 0))
        except (PlaywrightError, ScriptFailedError) as error:
            visit.log.add("dom", f"the frame {url} could not be read: {told(error)}"[:500])
            continue
        left -= found["size"]
        inner.append((url, found["html"]))

    def keep() -> None:
        visit.html = whole["html"]
        if visit.html:
            visit.hold("dom.html", "text/html", "dom", visit.html)
        visit.log.add("dom", f"{whole['size']} characters, {whole['roots']} open shadow roots written out")
        for number, (url, html) in enumerate(inner, start=1):
            path = f"frames/{number:02}.html"
            visit.hold(path, "text/html", "dom.frame", html)
            visit.log.add("dom", f"{path} is the frame {url}"[:500])
        if left < 0:
            visit.fire(f"the page's DOM is larger than {visit.limits.text} characters")
        if seen > _MAX_FRAMES:
            visit.fire(f"the page has more than {_MAX_FRAMES} frames")

    return keep


def _serialised(visit: Visit, session: CDPSession, frame: str, limit: int) -> dict[str, Any]:
    answer = evaluate(session, frame, visit.beside("serialise_dom"), {"limit": limit})
    return members(answer, {"html": text, "size": pixels, "roots": pixels})


def _keep_mhtml(visit: Visit) -> Callable[[], None]:
    answer = visit.cdp.send("Page.captureSnapshot", {"format": "mhtml"})

    def keep() -> None:
        if len(answer["data"]) > visit.limits.text:
            visit.fire(f"the page's MHTML is larger than {visit.limits.text} bytes")
            return
        size = visit.hold("page.mhtml", "multipart/related", "mhtml", answer["data"])
        visit.log.add("mhtml", f"{size} bytes")

    return keep


def _keep_pdf(visit: Visit) -> Callable[[], None]:
    data = _printed(visit)

    def keep() -> None:
        if data is None:
            visit.fire(f"the page's PDF is larger than {visit.limits.text} bytes")
            return
        visit.files.add("page.pdf", "application/pdf", "page.pdf", data)
        visit.log.add("pdf", f"{len(data)} bytes, as the page prints itself on A4")

    return keep


def _printed(visit: Visit) -> bytes | None:
    """The PDF, read piece by piece; None when it is larger than the limit."""
    how = {
        "printBackground": True,
        "paperWidth": _A4[0],
        "paperHeight": _A4[1],
        "transferMode": "ReturnAsStream",
    }
    margins = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0)
    stream = visit.cdp.send("Page.printToPDF", {**how, **margins})["stream"]
    data = bytearray()
    try:
        while len(data) <= visit.limits.text:
            piece = visit.cdp.send("IO.read", {"handle": stream, "size": _PIECE})
            data += (
                base64.b64decode(piece["data"]) if piece["base64Encoded"] else piece["data"].encode("latin-1")
            )
            if piece["eof"]:
                return bytes(data) if len(data) <= visit.limits.text else None
    finally:
        visit.cdp.send("IO.close", {"handle": stream})
    return None
