"""What a page does to be recorded as another one: the record says what a server sent, and what was shown."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evidence_service.capture.recorder import RecorderLimits
from evidence_service.capture.session import CaptureLimits, CaptureResult
from evidence_service.capture.steps import keeping, route
from evidence_service.capture.steps.answers import members, pixels
from evidence_service.capture.steps.worlds import ScriptFailedError
from tests.capture.serving import WORDS, Answer, Pages, capture, response, says

PATH = "/item/12345"
QUICK = CaptureLimits(seconds=12, settle=1)


def page(body: str = "", script: str = "") -> str:
    return (
        '<!doctype html><title>Lamp</title><h1>Lamp</h1><p id="price">50.00</p>'
        f"{WORDS}{body}<script>{script}</script>"
    )


def captured(
    directory: Path, answers: dict[str, Answer], limits: CaptureLimits = QUICK
) -> tuple[CaptureResult, Pages]:
    with Pages(answers) as pages:
        return capture(pages, directory, PATH, limits=limits), pages


def actions(directory: Path, kind: str) -> list[dict[str, Any]]:
    lines = (directory / "actions.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["action"] == kind]


def without_words_of_ours(directory: Path) -> bool:
    """Whether nothing that is kept of the page is the recorder's answer or the browser's own page."""
    names = [path.name for path in directory.iterdir()]
    return not {"dom.html", "screenshot.png", "page.mhtml", "page.pdf"} & set(names)


# --- what is shown is no server's document ---


def test_a_page_that_leads_to_a_forbidden_address_is_blocked(tmp_path: Path) -> None:
    script = "setTimeout(() => { location = 'http://10.0.0.1/x' }, 300)"
    result, _ = captured(tmp_path / "c", {PATH: page(script=script)})
    assert result.outcome.status == "blocked"
    assert "the page led to http://10.0.0.1/x" in result.outcome.reasons[0]
    assert "10.0.0.1" in result.outcome.reasons[0].partition(": ")[2]
    assert (result.status, result.final_url, result.listing) == (None, None, {})
    assert without_words_of_ours(tmp_path / "c")


def test_a_page_that_leads_to_a_forbidden_address_while_it_is_kept(tmp_path: Path) -> None:
    with Pages({PATH: page(), "/go": b""}) as pages:
        pages.answers[PATH] = page(
            # Asked for every picture once more; the refused address comes when the first is made.
            script="addEventListener('beforeprint', () => { location = 'http://10.0.0.1/x'; const end = "
            "performance.now() + 300; while (performance.now() < end); })"
        )
        result = capture(pages, tmp_path / "c", PATH, limits=QUICK)
    assert result.outcome.status in ("captured", "partial")
    assert (result.status, result.final_url) == (200, pages.url(PATH))
    for kept in ("dom.html", "page.mhtml"):
        assert "Evidence recorder" not in (tmp_path / "c" / kept).read_text()


def test_a_page_that_leads_to_a_dead_host_is_blocked(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    answers: dict[str, Answer] = {PATH: page(script=f"location = 'http://127.0.0.1:{port}/x'")}
    result, _ = captured(tmp_path / "c", answers)
    assert result.outcome.status == "blocked"
    assert f"the page led to http://127.0.0.1:{port}/x" in result.outcome.reasons[0]
    assert without_words_of_ours(tmp_path / "c")


def test_a_page_that_is_asked_for_once_too_often_is_not_the_recorder_s_message(tmp_path: Path) -> None:
    limits = CaptureLimits(seconds=12, settle=1, recorder=RecorderLimits(exchanges=1))
    result, _ = captured(tmp_path / "c", {PATH: page(script="location = '/next'")}, limits)
    assert result.outcome.status == "blocked"
    assert says(result, "more than 1 exchanges")
    assert without_words_of_ours(tmp_path / "c")


def test_a_server_that_claims_to_be_the_recorder_is_a_server(tmp_path: Path) -> None:
    answer = response(page().encode(), headers="Evidence-Recorder: not from the server\r\n")
    result, _ = captured(tmp_path / "c", {PATH: answer})
    assert (result.outcome.status, result.status) == ("captured", 200)


def test_a_later_answer_without_a_page_is_told_by_its_status(tmp_path: Path) -> None:
    gone = (
        b"HTTP/1.1 410 Gone\r\nContent-Type: application/zip\r\nContent-Disposition: attachment\r\n"
        b"Content-Length: 2\r\n\r\nPK"
    )
    result, pages = captured(tmp_path / "c", {PATH: page(script="location = '/dl'"), "/dl": gone})
    assert (result.status, result.final_url) == (410, pages.url("/dl"))
    assert result.redirects == ()
    assert without_words_of_ours(tmp_path / "c")


# --- the response is the document's ---

JSON_LD = (
    '<script type="application/ld+json">{{"@type": "Product", "name": "Lamp", "sku": "12345", '
    '"offers": {{"@type": "Offer", "price": "{}", "priceCurrency": "EUR"}}}}</script>'
)


def _in_turn(*answers: str) -> Callable[[socket.socket], None]:
    left = list(answers)

    def answer(connection: socket.socket) -> None:
        connection.sendall(response(left.pop(0).encode()))

    return answer


@pytest.mark.parametrize("how", ["{method: 'POST'}", "{headers: {'Upgrade-Insecure-Requests': '1'}}"])
def test_facts_are_read_from_the_document_s_response(tmp_path: Path, how: str) -> None:
    asking = page(JSON_LD.format("50.00"), f"fetch(location.href, {how})")
    answer = _in_turn(asking, page(JSON_LD.format("1.00")))
    result, pages = captured(tmp_path / "c", {PATH: answer})
    assert pages.paths[:2] == [PATH, PATH]
    assert result.listing["price"].value == "50.00"
    assert result.listing["price"].record


# --- status and address are the document's ---


def test_a_written_address_and_an_answer_without_content_leave_the_document_its_own(tmp_path: Path) -> None:
    script = "history.replaceState({}, '', location.pathname + '/genuine'); location = '/dl'"
    none = b"HTTP/1.1 204 No Content\r\n\r\n"
    result, pages = captured(tmp_path / "c", {PATH: page(JSON_LD.format("50.00"), script), "/dl": none})
    written = pages.url(f"{PATH}/genuine")
    assert "/dl" in pages.paths
    assert f"{PATH}/genuine" not in pages.paths
    assert (result.outcome.status, result.status, result.peer) == ("captured", 200, "127.0.0.1")
    assert (result.final_url, result.redirects) == (pages.url(PATH), ())
    assert result.listing["price"].record
    assert result.tool["address_shown"] == f"a script of the page shows {written}"
    assert written in actions(tmp_path / "c", "address")[0]["detail"]


def test_an_address_a_script_wrote_hides_no_redirect(tmp_path: Path) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
    home = page(script=f"history.replaceState({{}}, '', '{PATH}')")
    result, pages = captured(tmp_path / "c", {PATH: moved, "/": home})
    assert result.outcome.status == "removed"
    assert result.final_url == pages.url("/")


def test_addresses_beyond_what_a_manifest_names_are_cut_and_told(tmp_path: Path) -> None:
    far = f"/far?{'x' * 9000}"
    # A browser follows twenty redirects (Fetch, 4.4); the documents between them make it more.
    ways: dict[str, Answer] = {}
    for number in range(60):
        moved = f"HTTP/1.1 302 Found\r\nLocation: /{number + 1}\r\nContent-Length: 0\r\n\r\n".encode()
        ways[f"/{number}"] = page(script=f"location = '/{number + 1}'") if number % 15 == 14 else moved
    ways |= {PATH: page(script="location = '/0'"), "/60": page(script=f"location = '{far}'"), "/far": page()}
    result, pages = captured(tmp_path / "c", ways)
    assert result.outcome.status != "captured"
    assert result.redirects == tuple(pages.url(f"/{number}") for number in range(50))
    assert result.final_url == pages.url(far)[:8192]
    assert says(result, "more than 50 addresses led to the page")
    assert says(result, "an address is longer than 8192 characters")


def test_a_document_made_by_a_script_is_no_server_s(tmp_path: Path) -> None:
    script = f"location = URL.createObjectURL(new Blob([{json.dumps(WORDS)}], {{type: 'text/html'}}))"
    result, _ = captured(tmp_path / "c", {PATH: page(script=script)})
    assert result.outcome.status == "partial"
    assert says(result, "the document shown was made by a script, no server sent it: blob:")
    assert result.status is None


# --- what is kept is taken beside the page's own scripts ---

LYING = """
const lie = (prototype, name, value) => Object.defineProperty(prototype, name, {get: () => value, configurable: true});
lie(Element.prototype, 'outerHTML', '<html>Harmless</html>');
Element.prototype.getHTML = () => 'Harmless';
lie(Element.prototype, 'scrollHeight', 900);
lie(HTMLElement.prototype, 'innerText', 'Harmless');
Document.prototype.querySelectorAll = () => [];
document.querySelectorAll = () => [];
var innerHeight = '900px';
"""
"""Everything a page can say of itself in its own world, as false as it can be said."""


@pytest.fixture(scope="module")
def lied(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaptureResult, Path]:
    directory = tmp_path_factory.mktemp("lied") / "c"
    body = '<div style="height:5000px"></div><iframe srcdoc="<p>Framed"></iframe>'
    return captured(directory, {PATH: page(body, LYING)})[0], directory


def test_the_dom_is_the_document_s_whatever_its_prototypes_say(lied: tuple[CaptureResult, Path]) -> None:
    result, directory = lied
    assert result.outcome.status == "captured"
    html = (directory / "dom.html").read_text()
    assert '<p id="price">50.00</p>' in html
    assert not html.endswith("Harmless</html>")
    assert "<p>Framed" in (directory / "frames" / "01.html").read_text()


def test_the_picture_has_the_page_s_height_whatever_it_says(lied: tuple[CaptureResult, Path]) -> None:
    assert Image.open(lied[1] / "screenshot.png").height > 5000
    assert len(list((lied[1] / "screenshots").iterdir())) > 5


def test_every_script_is_named_with_the_world_it_ran_in(lied: tuple[CaptureResult, Path]) -> None:
    points = json.loads((lied[1] / "environment.json").read_text())["points"]
    value = points[10]["value"]
    beside, inside = value["in a world of their own"], value["in the page's own world"]
    assert {item.split(" ")[0] for item in beside} >= {"measure_page", "page_state", "serialise_dom"}
    assert any("ServiceWorkerContainer.prototype.register" in item for item in inside)
    assert all(len(item.rpartition(" ")[2]) == 64 for item in [*beside, *inside])


def test_a_step_that_fails_by_our_own_fault_takes_nothing_else_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("secret of the page")

    monkeypatch.setattr(keeping, "_keep_mhtml", broken)
    monkeypatch.setattr(route, "scroll_through", lambda *_: broken(None))
    result, _ = captured(tmp_path / "c", {PATH: page()})
    assert result.outcome.status == "partial"
    assert says(result, "the MHTML could not be made: a fault of the service's own, ZeroDivisionError")
    assert says(result, "a step could not be carried out: a fault of the service's own, ZeroDivisionError")
    assert {"dom.html", "page.pdf", "screenshot.png"} <= {item.path for item in result.files}
    logged = "".join(capsys.readouterr())
    assert "ZeroDivisionError" in logged
    assert "secret of the page" not in logged


def test_what_is_kept_of_a_page_is_bounded_and_every_bound_is_named(tmp_path: Path) -> None:
    script = "for (let n = 0; n < 400; n++) document.body.append(Object.assign(document.createElement('p'), {textContent: 'x'.repeat(1000)}))"
    limits = CaptureLimits(seconds=12, settle=1, tiles=2, text=20_000)
    result, _ = captured(tmp_path / "c", {PATH: page('<div style="height:4000px"></div>', script)}, limits)
    assert result.outcome.status == "partial"
    for words in (
        "the page was scrolled through in more than 2 steps",
        "the page's DOM is larger than 20000 characters",
        "the page's MHTML is larger than 20000 bytes",
        "the page's PDF is larger than 20000 bytes",
    ):
        assert says(result, words)
    kept = {item.path for item in result.files}
    assert not {"dom.html", "page.mhtml", "page.pdf"} & kept
    assert len(list((tmp_path / "c" / "screenshots").iterdir())) == 2


@pytest.mark.parametrize("answer", [None, 3, {}, {"top": "0px"}, {"top": -1}, {"top": True}])
def test_an_answer_of_another_form_is_refused(answer: object) -> None:
    with pytest.raises(ScriptFailedError):
        members(answer, {"top": pixels})


# --- a page that hangs ---


def test_what_was_answered_is_known_when_the_page_hangs(tmp_path: Path) -> None:
    limits = CaptureLimits(seconds=5, settle=1)
    script = "setTimeout(() => { while (true); }, 300)"
    result, pages = captured(tmp_path / "c", {PATH: page(script=script)}, limits)
    assert result.outcome.status == "partial"
    assert (result.status, result.final_url) == (200, pages.url(PATH))
    assert not says(result, "no response to the main request was seen")
    assert not says(result, "characters, no pictures")
