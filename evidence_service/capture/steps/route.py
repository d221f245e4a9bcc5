"""The order of the steps of a visit, and what becomes of it when one of them fails.

open → settle → consent → scroll with tiles → settle → consent again → steps on the listing → picture, DOM,
MHTML, PDF → steps on other pages. What fails is named; what comes after it is still tried while there is a
page.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.options import Step
from evidence_service.capture.recorder import Recorder
from evidence_service.capture.steps.consent import dismiss_consent
from evidence_service.capture.steps.keeping import keep_page
from evidence_service.capture.steps.opening import RECORDER_ENDED, open_page, read_answer
from evidence_service.capture.steps.scripted import carry_out, split_steps
from evidence_service.capture.steps.scrolling import scroll_through
from evidence_service.capture.steps.settling import settle
from evidence_service.capture.steps.visit import TIME_OVER, Visit, VisitEndedError, first_line
from evidence_service.capture.steps.watching import Watch


def go(visit: Visit, watch: Watch, recorder: Recorder, url: str, steps: tuple[Step, ...]) -> None:
    """Carry out the whole visit; never raises what the page or the browser does."""
    on_listing, elsewhere = split_steps(steps)

    def prepare() -> None:
        if not open_page(visit, recorder, url):
            return
        try:
            settle(visit, watch)
            read_answer(visit, watch)
            dismiss_consent(visit)
            scroll_through(visit)
            settle(visit, watch, everywhere=True)
            dismiss_consent(visit)
            carry_out(visit, watch, on_listing)
        finally:
            if not visit.is_dead:
                read_answer(visit, watch)

    _guarded(visit, recorder, prepare)
    if visit.failure or visit.is_dead:
        return
    _guarded(visit, recorder, lambda: keep_page(visit, watch))
    if elsewhere and visit.incomplete:
        visit.lacks(f"step {elsewhere[0][0]} and those after it were not carried out: see the reason before")
    elif elsewhere:
        _guarded(visit, recorder, lambda: carry_out(visit, watch, elsewhere))


def _guarded(visit: Visit, recorder: Recorder, part: Callable[[], object]) -> None:
    try:
        part()
    except VisitEndedError as ended:
        visit.lacks(str(ended))
    except PlaywrightError as error:
        _explain(visit, recorder, error)


def _explain(visit: Visit, recorder: Recorder, error: PlaywrightError) -> None:
    """The reason for the record: what ended the visit, not what the browser's driver says about it."""
    if not getattr(recorder, "alive", True):
        visit.lacks(RECORDER_ENDED)
    if visit.crashed:
        return
    if time.monotonic() >= visit.deadline:
        visit.lacks(TIME_OVER)
    elif visit.page.is_closed():
        visit.lacks("the page or its browser closed before the capture was done")
    else:
        visit.lacks(f"the browser failed: {first_line(error)}")
