"""What the page shows a visitor, and where it shows what it says of its listing; read while it is open.

Both come from the page's own world: they are taken as far as they have the expected form, and no further.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evidence_service.capture.listing import read_listing, selectors_of
from evidence_service.capture.steps.visit import Seen, Visit

_MAX_TEXT = 2_000


def observe_page(visit: Visit) -> Callable[[], None]:
    """Look at the title, the pictures that are shown, what lies over the page; noted when it is called."""
    seen = seen_from(visit.evaluate("observe_page"))

    def keep() -> None:
        visit.seen = seen

    return keep


def seen_from(answer: Any) -> Seen:
    """What ``observe_page.js`` returned, as far as it has the form it should."""
    if not isinstance(answer, dict):
        return Seen()
    title, dialog, pictures = answer.get("title"), answer.get("dialog"), answer.get("pictures")
    counted = isinstance(pictures, int) and not isinstance(pictures, bool) and pictures >= 0
    return Seen(
        title=title[:_MAX_TEXT] if isinstance(title, str) else "",
        dialog=dialog[:_MAX_TEXT] if isinstance(dialog, str) else "",
        dialog_password=answer.get("dialog_password") is True,
        pictures=pictures if counted else None,
    )


def locate_facts(visit: Visit) -> Callable[[], None]:
    """Measure the elements that facts are read from; noted when it is called."""
    selectors = selectors_of(read_listing(visit.html, visit.final_url or visit.page.url))
    answer = visit.evaluate("locate", selectors)

    def keep() -> None:
        visit.boxes = answer if isinstance(answer, dict) else {}
        met = sum(visit.boxes.get(selector) is not None for selector in selectors)
        visit.log.add("facts", f"{met} of {len(selectors)} elements that facts are read from were measured")

    return keep
