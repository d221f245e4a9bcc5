"""Down the page in steps, so that lazy pictures are asked for; a picture of each viewport on the way.

A step is most of a viewport, so that what a fixed header hides on one tile is seen on the one before.
Whether a page loads by ``loading=lazy``, by an observer or by its own scroll listener makes no difference:
it is scrolled as a person scrolls it. A page that grows while it is scrolled is followed to
``limits.height``, and then named endless.
"""

from __future__ import annotations

import time

from evidence_service.capture.steps.pictures import take_viewport
from evidence_service.capture.steps.visit import Visit

_STEP_SHARE = 0.8
_PATIENCE = 1.0


def scroll_through(visit: Visit, *, tiles: bool = True) -> None:
    """To the bottom of the page and back to its top."""
    visit.progress("scrolling for lazily loaded pictures")
    size = visit.page.viewport_size
    viewport = 900 if size is None else size["height"]
    step = int(viewport * _STEP_SHARE)
    first_height = None
    top, number = 0, 0
    while True:
        seen = visit.evaluate("scroll_to", {"top": top, "patience": int(_PATIENCE * 1000)})
        number += 1
        if not seen["inner"]:
            visit.note_layout(seen["width"], seen["height"])
        first_height = first_height or seen["height"]
        if tiles:
            take_viewport(visit, f"screenshots/tile-{number:02}.png", "screenshot.tile")
        visit.log.add("scroll", f"to {seen['top']} of {seen['height']} pixels", waiting_for=seen["pending"])
        if seen["top"] + viewport >= seen["height"] - 1 or seen["top"] < top:
            break
        if top + step > visit.limits.height:
            grown = seen["height"] > 1.5 * first_height
            words = f"the page is higher than {visit.limits.height} pixels"
            visit.fire(words + (" and grew while it was scrolled" if grown else ""))
            break
        if time.monotonic() >= visit.deadline:
            visit.lacks(
                f"the page was scrolled to {seen['top']} of {seen['height']} pixels: its time was over"
            )
            break
        top = seen["top"] + step
    if seen["inner"]:
        visit.log.add("scroll", "the page scrolls inside an element of its own; the tiles show what is in it")
    visit.evaluate("scroll_to", {"top": 0, "patience": 0})
