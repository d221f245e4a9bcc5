"""The settle rules: each one is waited for, and what ended the wait is noted."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence_service.capture.session import CaptureLimits
from evidence_service.capture.steps.settling import settle
from evidence_service.capture.steps.visit import Visit, VisitEndedError
from tests.capture.serving import Browsing, Pages, browsing, response


def _after(seconds: float, answer: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        time.sleep(seconds)
        connection.sendall(answer)

    return send


def _never(connection: socket.socket) -> None:
    time.sleep(20)


SVG = response(
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    "image/svg+xml",
)
LOOP = (
    "<!doctype html><body><script>setTimeout(() => location.replace('/loop?' + Math.random()), 30);</script>"
)
ANSWERS = {
    "/quiet": "<!doctype html><body><p>Quiet</p></body>",
    "/fetch": "<!doctype html><body><script>fetch('/slow').then(() => { document.body.id = 'done'; })</script></body>",
    "/slow": _after(0.9, response(b"x", "text/plain")),
    "/growing": "<!doctype html><body><script>let n = 0; const t = setInterval(() => {"
    "document.body.append(Object.assign(document.createElement('p'), {style: 'height:1000px'}));"
    "if (++n === 8) { clearInterval(t); document.body.id = 'done'; } }, 200);</script></body>",
    "/picture": "<!doctype html><body><script>onload = () => { const i = new Image(); i.src = '/late.svg';"
    "i.onload = () => { document.body.id = 'done'; }; document.body.append(i); }</script></body>",
    "/late.svg": _after(0.9, SVG),
    "/restless": "<!doctype html><body><script>setInterval(() => fetch('/quiet'), 100)</script></body>",
    "/hanging": "<!doctype html><body><script>fetch('/never')</script></body>",
    "/never": _never,
    "/loading": "<!doctype html><body><img src='/never'></body>",
    "/stream": "<!doctype html><body><script>new EventSource('/never')</script></body>",
    "/loop": LOOP,
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    with Pages(ANSWERS) as pages, browsing(pages, tmp_path_factory.mktemp("settle")) as running:
        yield running


def ended(visit: Visit) -> dict[str, Any]:
    return [entry for entry in visit.log.entries if entry["action"] == "settle"][-1]


@pytest.mark.parametrize("path", ["/fetch", "/growing", "/picture"])
def test_each_rule_is_waited_for(browser: Browsing, tmp_path: Path, path: str) -> None:
    with browser.visit(path, tmp_path) as (visit, watch):
        settle(visit, watch)
        assert visit.page.evaluate("document.body.id") == "done"
        assert ended(visit)["detail"] == "ended: all rules hold"
        assert list(ended(visit)["rules"]) == ["load", "network", "fonts", "layout", "pictures"]


def test_a_stream_of_events_is_no_traffic(browser: Browsing, tmp_path: Path) -> None:
    with browser.visit("/stream", tmp_path) as (visit, watch):
        settle(visit, watch)
        assert ended(visit)["detail"] == "ended: all rules hold"


@pytest.mark.parametrize(
    ("path", "missing"), [("/restless", "network"), ("/hanging", "network; 1 requests were open")]
)
def test_what_kept_a_page_from_settling_is_named(
    browser: Browsing, tmp_path: Path, path: str, missing: str
) -> None:
    with browser.visit(path, tmp_path, CaptureLimits(seconds=20, settle=1)) as (visit, watch):
        settle(visit, watch)
        assert f"1 s were over without {missing}" in ended(visit)["detail"]
        # Never at rest is no defect of the record: the page is pictured as it is.
        assert visit.incomplete == []


def test_a_load_event_that_does_not_come_is_missing_from_the_record(
    browser: Browsing, tmp_path: Path
) -> None:
    with browser.visit("/loading", tmp_path, CaptureLimits(seconds=4, settle=1)) as (visit, watch):
        settle(visit, watch)
        assert visit.incomplete[0].startswith("the page did not finish loading within 2.")
        assert "/never" in visit.incomplete[0]


def test_a_page_that_keeps_navigating_ends_the_steps(browser: Browsing, tmp_path: Path) -> None:
    with browser.visit("/loop", tmp_path, CaptureLimits(seconds=20, documents=5)) as (visit, watch):
        with pytest.raises(VisitEndedError, match="kept navigating"):
            settle(visit, watch)
        assert visit.fired == ["the page led through more than 5 documents"]
