"""Opening the listing: the address asked for, where it led, and whether there was a page at all."""

from __future__ import annotations

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.recorder import Recorder
from evidence_service.capture.steps.visit import Visit, first_line
from evidence_service.capture.steps.watching import Watch


def open_page(visit: Visit, recorder: Recorder, url: str) -> bool:
    """Go to the address; whether there is a page to look at.

    It is looked at from the moment its first bytes are shown: one that never ends loading is pictured, too.
    """
    visit.progress("opening the page")
    visit.log.add("open", url)
    visit.addresses.append(url)
    try:
        visit.page.goto(url, wait_until="commit", timeout=visit.left())
    except PlaywrightError as error:
        if visit.is_dead or not recorder.alive:
            raise
        visit.failure = f"the page could not be opened: {first_line(error)}"
    refused = next((item for item in reversed(recorder.exchanges) if item.url == visit.addresses[-1]), None)
    if refused is not None and refused.finished_at and refused.problem and not refused.status:
        # What the browser shows now is the recorder's own message; it is no evidence of the page.
        visit.failure = refused.problem
    if visit.failure:
        visit.log.add("failure", visit.failure)
    return not visit.failure


def read_answer(visit: Visit, watch: Watch) -> None:
    """Status and address of the document that is shown, once the page has settled."""
    moved = visit.final_url != visit.page.url
    visit.final_url = visit.page.url
    request = watch.main_request
    if request is None:
        return
    response = request.response()
    visit.status = None if response is None else response.status
    if moved:
        visit.log.add("opened", f"HTTP status {visit.status} at {visit.final_url}")


def redirected(visit: Visit, url: str) -> tuple[str, ...]:
    """Addresses between the requested and the final one, in order: by HTTP, by markup or by script."""
    return tuple(dict.fromkeys(item for item in visit.addresses if item not in (url, visit.final_url)))
