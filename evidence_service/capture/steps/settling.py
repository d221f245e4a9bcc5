"""When a page counts as settled: rules that are stated, waited for, and noted with what ended the wait.

Settled means all five at once:

1. load: the document's load event has fired;
2. network: no request is open, and none began or ended for half a second (after scrolling: a quarter), by the
   browser's own account (event streams, WebSockets and beacons do not count);
3. fonts: ``document.fonts`` is loaded;
4. layout: the document's width and height have not changed for as long;
5. pictures: every picture in view (after scrolling: every picture) is complete or has failed.

A page gets ``limits.settle`` seconds for it after its load event, and half of the visit's time for the
load event itself. A page that never comes to rest is pictured as it is then; the log says what it was
still doing.
"""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.steps.answers import members, pixels, text
from evidence_service.capture.steps.visit import Visit, VisitEndedError
from evidence_service.capture.steps.watching import Watch

_QUIET = 0.5
_QUIET_AFTER = 0.25
_POLL = 0.05
_LOAD_SHARE = 0.5
_STATE = {
    "ready": text,
    "fonts": text,
    "width": pixels,
    "height": pixels,
    "pending": pixels,
    "pending_in_view": pixels,
}
_BETWEEN_DOCUMENTS = (
    "Execution context was destroyed",
    "because of a navigation",
    "Cannot find context",
    "No frame",
)


def settle(visit: Visit, watch: Watch, *, everywhere: bool = False) -> None:
    """Wait until the page has settled, or has had its time.

    Args:
        everywhere: wait for every picture, not only those in view.

    Raises:
        VisitEndedError: the visit's time is over, or the page leads from document to document without end.
    """
    began = time.monotonic()
    load_by = began + visit.limits.seconds * _LOAD_SHARE
    loaded: float | None = None
    met: dict[str, float] = {}
    missing: list[str] = ["load"]
    while True:
        visit.check_time()
        if watch.documents > visit.limits.documents:
            visit.fire(f"the page led through more than {visit.limits.documents} documents")
            raise VisitEndedError("the page kept navigating")
        state = _look(visit)
        now = time.monotonic()
        if state is not None:
            holds = _rules(visit, watch, state, everywhere=everywhere)
            met = {name: met.get(name, now - began) for name, holding in holds.items() if holding}
            missing = [name for name, holding in holds.items() if not holding]
            if not missing:
                return _note(visit, met, "all rules hold")
            if holds["load"] and loaded is None:
                loaded = now
        if loaded is None and now >= load_by:
            visit.lacks(f"the page did not finish loading within {now - began:.1f} s{_open(watch)}")
            return _note(visit, met, "the load event did not come")
        if loaded is not None and now - loaded >= visit.limits.settle:
            return _note(
                visit, met, f"{visit.limits.settle:g} s were over without {', '.join(missing)}{_open(watch)}"
            )
        visit.wait(_POLL)


def _look(visit: Visit) -> dict[str, Any] | None:
    """The page's state; None while one document gives way to the next."""
    try:
        state = members(visit.evaluate("page_state"), _STATE)
    except PlaywrightError as error:
        if any(words in error.message for words in _BETWEEN_DOCUMENTS):
            return None
        raise
    visit.note_layout(state["width"], state["height"])
    return state


def _rules(visit: Visit, watch: Watch, state: dict[str, Any], *, everywhere: bool) -> dict[str, bool]:
    now, quiet = time.monotonic(), _QUIET_AFTER if everywhere else _QUIET
    return {
        "load": state["ready"] == "complete",
        "network": not watch.open_requests and now - watch.last_traffic >= quiet,
        "fonts": state["fonts"] == "loaded",
        "layout": now - visit.layout_changed >= quiet,
        "pictures": state["pending" if everywhere else "pending_in_view"] == 0,
    }


def _note(visit: Visit, met: dict[str, float], why: str) -> None:
    visit.log.add("settle", f"ended: {why}", rules={name: round(at, 2) for name, at in met.items()})


def _open(watch: Watch) -> str:
    waiting = watch.open_requests
    return f"; {len(waiting)} requests were open, the first: {waiting[0][:200]}" if waiting else ""
