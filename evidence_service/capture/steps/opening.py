"""Opening the listing: the address asked for, where it led, and whether there was a page at all."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

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
        answered = _status(recorder, visit.addresses[-1])
        if answered >= HTTPStatus.BAD_REQUEST:
            # The server refused in a way the browser shows no page for: a 401 that asks for a password, an
            # error without a body.
            visit.status, visit.final_url, visit.blank = answered, visit.addresses[-1], True
            visit.log.add("opened", f"HTTP status {answered} at {visit.final_url}, without a page to show")
            return False
        visit.failure = f"the page could not be opened: {first_line(error)}"
    refused = _refusal(recorder, visit.addresses[-1])
    if refused:
        # What the browser shows now is the recorder's own message; it is no evidence of the page.
        visit.failure = refused
    if visit.failure:
        visit.log.add("failure", visit.failure)
    return not visit.failure


def _status(recorder: Recorder, address: str) -> int:
    """Status the server answered with to the last request for an address; 0 when it did not."""
    asked = [item for item in recorder.exchanges if item.url == address and item.kind == "http"]
    return (asked[-1].status or 0) if asked else 0


def _refusal(recorder: Recorder, address: str) -> str:
    """Why the recorder got no answer for the page; empty when it did."""
    tunnel = f"https://{urlsplit(address).netloc}".removesuffix(":443")
    asked = [
        item
        for item in recorder.exchanges
        if item.url == address or (item.kind == "tunnel" and item.url == tunnel and item.peer is None)
    ]
    if not asked or not asked[-1].finished_at or asked[-1].status:
        return ""
    return asked[-1].problem


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
