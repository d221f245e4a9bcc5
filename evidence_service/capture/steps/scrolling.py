"""Down the page in steps, so that lazy pictures are asked for; a picture of each viewport on the way.

A step is most of a viewport, so that what a fixed header hides on one tile is seen on the one before.
Whether a page loads by ``loading=lazy``, by an observer or by its own scroll listener makes no difference:
it is scrolled as a person scrolls it. A page that grows while it is scrolled is followed to
``limits.height``, and then named endless.
"""

from __future__ import annotations

import time
from typing import Any

from evidence_service.capture.steps.answers import flag, members, pixels
from evidence_service.capture.steps.pictures import take_viewport
from evidence_service.capture.steps.settling import settle
from evidence_service.capture.steps.visit import Visit
from evidence_service.capture.steps.watching import Watch

_STEP_SHARE = 0.9
_PATIENCE = 1.0
_SCROLLED = {
    "top": pixels,
    "viewport": pixels,
    "width": pixels,
    "height": pixels,
    "inner": flag,
    "pending": pixels,
}


def scroll_through(visit: Visit, watch: Watch, *, tiles: bool = True) -> None:
    """To the bottom of the page, until it has settled there and grows no more, and back to its top."""
    visit.progress("scrolling for lazily loaded pictures")
    seen = _to(visit, 0)
    # A page that is wider than a phone is shown smaller there: its viewport is higher than the device's.
    viewport, first_height = seen["viewport"], seen["height"]
    step, reached, number = max(int(viewport * _STEP_SHARE), 1), -1, 0
    while True:
        moved = seen["top"] > reached
        if moved:
            if number >= visit.limits.tiles:
                visit.fire(f"the page was scrolled through in more than {visit.limits.tiles} steps")
                break
            number += 1
            reached = seen["top"]
            if tiles:
                take_viewport(visit, f"screenshots/tile-{number:02}.png", "screenshot.tile")
        if not moved or reached + viewport >= seen["height"] - 1:
            height = seen["height"]
            settle(visit, watch, everywhere=True)
            seen = _to(visit, reached)
            if seen["height"] <= height:
                break
        if reached + step > visit.limits.height:
            grew = " and grew while it was scrolled" if seen["height"] > first_height + viewport else ""
            visit.fire(f"the page is higher than {visit.limits.height} pixels{grew}")
            break
        if time.monotonic() >= visit.deadline:
            visit.lacks(f"the page was scrolled to {reached} of {seen['height']} pixels: its time was over")
            break
        seen = _to(visit, reached + step)
    if seen["inner"]:
        visit.log.add("scroll", "the page scrolls inside an element of its own; the tiles show what is in it")
    _to(visit, 0)


def _to(visit: Visit, top: int) -> dict[str, Any]:
    answer = visit.evaluate("scroll_to", {"top": top, "patience": int(_PATIENCE * 1000)})
    seen = members(answer, _SCROLLED)
    if not seen["inner"]:
        visit.note_layout(seen["width"], seen["height"])
    visit.log.add("scroll", f"to {seen['top']} of {seen['height']} pixels", waiting_for=seen["pending"])
    return seen
