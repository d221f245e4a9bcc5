"""Opening the listing: the address asked for, where it led, and whether there was a page at all."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.exchange import Exchange
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
    problem = ""
    try:
        visit.page.goto(url, wait_until="commit", timeout=visit.left())
    except PlaywrightError as error:
        if visit.is_dead or not recorder.alive:
            raise
        problem = f"the page could not be opened: {first_line(error)}"
    asked = _last_asked(recorder, visit.addresses[-1])
    if problem and asked is not None and (asked.status or 0) >= HTTPStatus.BAD_REQUEST:
        # The server refused in a way the browser shows no page for: a 401 that asks for a password, an error
        # without a body.
        visit.status, visit.final_url, visit.blank = asked.status, visit.addresses[-1], True
        visit.log.add("opened", f"HTTP status {visit.status} at {visit.final_url}, without a page to show")
        return False
    if asked is not None and asked.finished_at and not asked.status:
        # What the browser shows now is the recorder's own message; it is no evidence of the page.
        problem = asked.problem or problem
    if problem:
        visit.failure = problem
        visit.log.add("failure", problem)
    return not problem


def _last_asked(recorder: Recorder, address: str) -> Exchange | None:
    """The last request for an address, or the tunnel to its host that was not made."""
    tunnel = f"https://{urlsplit(address).netloc}".removesuffix(":443")
    asked = [
        item
        for item in recorder.exchanges
        if item.url == address or (item.kind == "tunnel" and item.url == tunnel and item.peer is None)
    ]
    return asked[-1] if asked else None


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
