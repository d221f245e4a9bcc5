"""The order of the steps of a visit, and what becomes of it when one of them fails.

open → settle → consent → scroll with tiles and settle → consent again → steps on the listing → picture,
DOM, MHTML, PDF → steps on other pages. What fails is named; what comes after it is still tried while there
is a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.options import Step
from evidence_service.capture.recorder import Recorder
from evidence_service.capture.steps.consent import dismiss_consent
from evidence_service.capture.steps.keeping import keep_page
from evidence_service.capture.steps.opening import (
    give_up,
    open_page,
    read_answer,
    redirected,
    take_answer,
)
from evidence_service.capture.steps.scripted import carry_out, split_steps
from evidence_service.capture.steps.scrolling import scroll_through
from evidence_service.capture.steps.settling import settle
from evidence_service.capture.steps.visit import TIME_OVER, PageGoneError, Visit, VisitEndedError, told
from evidence_service.capture.steps.watching import Watch


def go(visit: Visit, watch: Watch, recorder: Recorder, url: str, steps: tuple[Step, ...]) -> None:
    """Carry out the whole visit; never raises what the page or the browser does."""
    on_listing, elsewhere = split_steps(steps)

    def prepare() -> None:
        open_page(visit, url)
        try:
            settle(visit, watch)
            read_answer(visit)
            dismiss_consent(visit)
            scroll_through(visit, watch)
            dismiss_consent(visit)
            carry_out(visit, watch, on_listing)
        finally:
            if visit.is_dead:
                take_answer(visit)
            else:
                read_answer(visit)

    try:
        _guarded(visit, prepare)
    except PageGoneError as gone:
        give_up(visit, gone)
    visit.redirects = redirected(visit, url)
    if not visit.failure and not visit.blank and not visit.is_dead:
        _guarded(visit, lambda: keep_page(visit))
        _go_elsewhere(visit, watch, elsewhere)
    if not recorder.alive:
        visit.lacks("the recorder ended while the page was being captured")
        if visit.failure:
            # That the page did not come is our own fault, and no refusal of the site's.
            visit.lacks(visit.failure)
            visit.failure = ""
    if visit.page.is_closed():
        visit.lacks("the page or its browser closed before the capture was done")


def _go_elsewhere(visit: Visit, watch: Watch, elsewhere: list[tuple[int, Step]]) -> None:
    if elsewhere and visit.incomplete:
        visit.lacks(f"step {elsewhere[0][0]} and those after it were not carried out: see the reason before")
    elif elsewhere:
        try:
            _guarded(visit, lambda: carry_out(visit, watch, elsewhere))
        except PageGoneError as gone:
            visit.lacks(str(gone))


def _guarded(visit: Visit, part: Callable[[], object]) -> None:
    try:
        part()
    except VisitEndedError as ended:
        visit.lacks(str(ended))
    except PlaywrightError as error:
        if time.monotonic() >= visit.deadline:
            visit.lacks(TIME_OVER)
        elif not visit.is_dead:
            visit.lacks(f"the browser failed: {told(error)}")
    except (OSError, PageGoneError):
        # A disk's fault ends the capture; where there is no page is for the caller.
        raise
    except Exception as error:  # noqa: BLE001 - told, and logged where it is our own
        visit.lacks(f"a step could not be carried out: {told(error)}")
