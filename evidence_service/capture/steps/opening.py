"""Opening the listing, and what is shown since: a server's document, or none that is evidence of anything."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.exchange import Exchange
from evidence_service.capture.responses import navigation_exchanges
from evidence_service.capture.steps.navigations import Navigation
from evidence_service.capture.steps.visit import PageGoneError, Visit, first_line

_MOST_ADDRESSES, _LONGEST_ADDRESS = 50, 8192
"""As many and as long as a manifest names them; the record has all of them whole."""
_TOLD = 1.0
"""Seconds in which the browser has to tell of a document it has committed."""


def open_page(visit: Visit, url: str) -> None:
    """Go to the address.

    It is looked at from the moment its first bytes are shown: one that never ends loading is pictured, too.

    Raises:
        PageGoneError: there is no page to look at.
    """
    visit.progress("opening the page")
    visit.log.add("open", url)
    problem = ""
    try:
        visit.page.goto(url, wait_until="commit", timeout=visit.left())
    except PlaywrightError as error:
        if visit.is_dead or not (visit.recorder is None or visit.recorder.alive):
            raise
        problem = f"the page could not be opened: {first_line(error)}"
    waited = 0.0
    # Another connection to the browser tells of the same document; nothing is asked of a page that may hang.
    while not _is_told(visit) and waited < _TOLD:
        visit.wait(0.01)
        waited += 0.01
    current = visit.navigations.current
    if current is None or (problem and current.unreachable):
        raise _gone(visit, visit.navigations.begun, problem)
    take_answer(visit)


def _is_told(visit: Visit) -> bool:
    begun = visit.navigations.begun
    return begun is not None and (bool(begun.error) or begun is visit.navigations.current)


def read_answer(visit: Visit) -> None:
    """Take status and address from the document that is shown now, and what a script made of the address.

    Raises:
        PageGoneError: it is no document of a server's.
    """
    require_page(visit)
    take_answer(visit)
    navigation = visit.navigation
    shown = visit.navigations.shown
    written = shown if navigation is not None and shown != navigation.address else ""
    if written != visit.shown:
        visit.shown = written
        told = f"a script of the page shows {written}, which no server was asked for"[:2000]
        visit.log.add("address", told if written else "the document's own address is shown again")


def require_page(visit: Visit) -> None:
    """See that nothing but documents of servers was shown until now.

    Raises:
        PageGoneError: the browser shows its own words or the recorder's.
    """
    _require(visit, visit.navigations.look())


def _require(visit: Visit, navigation: Navigation | None) -> None:
    if navigation is not None and (navigation.unreachable or _is_recorders(visit, navigation)):
        raise _gone(visit, navigation, "")


def take_answer(visit: Visit) -> None:
    """Status and address from what the browser has told so far; nothing is asked of the page."""
    navigation = visit.navigations.current
    _require(visit, navigation)
    if navigation is None or navigation is visit.navigation:
        return
    visit.navigation, visit.shown = navigation, ""
    visit.final_url, visit.status = _cut(visit, navigation.address), navigation.status
    if navigation.is_requested:
        visit.log.add("opened", f"HTTP status {visit.status} at {visit.final_url}")
    else:
        visit.lacks(f"the document shown was made by a script, no server sent it: {navigation.address}"[:400])


def give_up(visit: Visit, gone: PageGoneError) -> None:
    """There is no page to keep: note what there is instead."""
    visit.navigation, visit.shown = gone.navigation, ""
    if gone.status is None or gone.navigation is None:
        visit.status = visit.final_url = None
        visit.failure = str(gone)
        visit.log.add("failure", visit.failure)
    else:
        visit.status, visit.final_url, visit.blank = gone.status, _cut(visit, gone.navigation.url), True
        visit.log.add("opened", f"HTTP status {visit.status} at {visit.final_url}, without a page to show")


def _is_recorders(visit: Visit, navigation: Navigation) -> bool:
    """Whether the document is the recorder's own message; a server that says its were one is no recorder."""
    if not navigation.says_recorder or visit.recorder is None:
        return navigation.says_recorder
    recorder = visit.recorder
    asked = navigation_exchanges(recorder.directory, recorder.exchanges, navigation.url, navigation.method)
    return navigation.number > sum(item.status == navigation.status for item in asked)


def _gone(visit: Visit, navigation: Navigation | None, problem: str) -> PageGoneError:
    """What became of a navigation whose document is not shown."""
    url = "" if navigation is None else navigation.url
    asked = _last_asked(visit, url)
    own = navigation is not None and navigation.says_recorder
    if asked is not None and (asked.status or 0) >= HTTPStatus.BAD_REQUEST and not own:
        # The server refused in a way the browser shows no page for: a 401 that asks for a password, an error
        # without a body or with an attachment.
        return PageGoneError(f"HTTP status {asked.status} at {url}", navigation, asked.status)
    why = ""
    if asked is not None and asked.finished_at and not asked.status:
        why = asked.problem
    elif own and visit.recorder is not None and visit.recorder.limits_fired:
        # Beyond a limit the recorder begins no exchange.
        why = visit.recorder.limits_fired[-1]
    why = why or problem or f"the browser shows no page: {navigation.error if navigation else ''}"
    if len(visit.navigations.committed) > 1:
        why = f"the page led to {url[:300]}: {why}"
    return PageGoneError(why, navigation)


def _last_asked(visit: Visit, address: str) -> Exchange | None:
    """The last request for an address, or the tunnel to its host that was not made."""
    tunnel = f"https://{urlsplit(address).netloc}".removesuffix(":443")
    asked = [
        item
        for item in ([] if visit.recorder is None else visit.recorder.exchanges)
        if item.url == address or (item.kind == "tunnel" and item.url == tunnel and item.peer is None)
    ]
    return asked[-1] if asked else None


def redirected(visit: Visit, url: str) -> tuple[str, ...]:
    """Addresses between the requested and the final one, in order: by HTTP, by markup or by script."""
    hops = list(visit.navigations.hops)
    final = ""
    if visit.failure and visit.navigations.begun is not None:
        hops += visit.navigations.begun.hops
    elif visit.navigation is not None:
        final = visit.navigation.url
    between = list(dict.fromkeys(item for item in hops if item not in (url.partition("#")[0], final)))
    if len(between) > _MOST_ADDRESSES:
        visit.fire(f"more than {_MOST_ADDRESSES} addresses led to the page")
    return tuple(_cut(visit, item) for item in between[:_MOST_ADDRESSES])


def _cut(visit: Visit, address: str) -> str:
    if len(address) > _LONGEST_ADDRESS:
        visit.fire(f"an address is longer than {_LONGEST_ADDRESS} characters")
    return address[:_LONGEST_ADDRESS]
