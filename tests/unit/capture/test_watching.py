"""What a page does on its own is noted; what it asks for is refused, and holds nobody up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.capture.serving import WORDS, Pages, browsing, capture

ASKING = (
    """<!doctype html><body><h1>Lamp</h1><pre id="seen"></pre><script>
const seen = {};
alert('first'); seen.confirm = confirm('sure?'); seen.prompt = prompt('name?');
print();
console.warn('a warning');
addEventListener('beforeunload', (event) => { event.preventDefault(); event.returnValue = 'stay'; });
const link = Object.assign(document.createElement('a'), {href: '/file', download: 'setup.exe'});
document.body.append(link); link.click();
const show = () => { document.getElementById('seen').textContent = JSON.stringify(seen); };
Notification.requestPermission().then((answer) => { seen.notification = answer; show(); });
navigator.geolocation.getCurrentPosition(() => { seen.place = 'given'; show(); }, () => { seen.place = 'denied'; show(); });
setTimeout(() => { throw new Error('broken'); }, 50);
for (let n = 0; n < 300; n++) console.log('noise ' + n);
</script></body>"""
    + WORDS
)


def test_a_page_that_asks_for_everything_gets_nothing_and_is_captured(tmp_path: Path) -> None:
    file = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment\r\nContent-Length: 2\r\n\r\nMZ"
    with Pages({"/item/1": ASKING, "/file": file}) as pages:
        result = capture(pages, tmp_path / "c")
    assert result.outcome.status == "captured"
    html = (tmp_path / "c" / "dom.html").read_text()
    seen = json.loads(html.split('<pre id="seen">')[1].split("</pre>")[0])
    assert seen == {"confirm": False, "prompt": None, "notification": "denied", "place": "denied"}
    actions = [json.loads(line) for line in (tmp_path / "c" / "actions.jsonl").read_text().splitlines()]
    noted = [(entry["action"], entry["detail"]) for entry in actions]
    assert ("dialog", "alert “first” was dismissed") in noted
    assert ("dialog", "prompt “name?” was dismissed") in noted
    assert ("console", "warning: a warning") in noted
    assert any(action == "download" and "setup.exe" in detail for action, detail in noted)
    assert ("console", "there were more than 100 of these; the others are left out") in noted
    assert sum(1 for action, _ in noted if action == "console") == 101


def test_a_new_window_is_closed(tmp_path: Path) -> None:
    answers = {"/item/1": "<p>One</p>", "/popup": "<p>Two</p>"}
    with (
        Pages(answers) as pages,
        browsing(pages, tmp_path) as browser,
        browser.visit("/item/1", tmp_path / "c") as (visit, _),
    ):
        for features in ("", ",'','noopener'"):
            visit.page.evaluate(f"window.open('/popup'{features}); 0")
            visit.wait(0.5)
            assert visit.context.pages == [visit.page]
        windows = [entry["detail"] for entry in visit.log.entries if entry["action"] == "window"]
    assert windows == [f"a new window for {pages.url('/popup')} was closed"] * 2


def test_every_action_has_its_time_and_every_script_its_hash(tmp_path: Path) -> None:
    with Pages({"/item/1": "<!doctype html><body><p>One</p></body>"}) as pages:
        capture(pages, tmp_path / "c")
    actions = [json.loads(line) for line in (tmp_path / "c" / "actions.jsonl").read_text().splitlines()]
    assert all(entry["at"].endswith("Z") and entry["offset_ms"] >= 0 for entry in actions)
    assert [entry["offset_ms"] for entry in actions] == sorted(entry["offset_ms"] for entry in actions)
    scripts = {entry["script"]: entry["sha256"] for entry in actions if entry["action"] == "script"}
    assert set(scripts) == {
        "page_state.js",
        "find_consent.js",
        "scroll_to.js",
        "observe_page.js",
        "measure_page.js",
        "locate.js",
        "serialise_dom.js",
    }
    assert all(len(digest) == 64 for digest in scripts.values())


FRAMED = """<!doctype html><body><h1>Lamp</h1><my-price></my-price><iframe src="/shipping"></iframe><script>
document.querySelector('my-price').attachShadow({mode: 'open'}).innerHTML = '<b>12.00 EUR</b>';
</script></body>"""


def test_frames_and_open_shadow_roots_are_kept(tmp_path: Path) -> None:
    with Pages({"/item/1": FRAMED, "/shipping": "<p>Ships to Germany</p>"}) as pages:
        result = capture(pages, tmp_path / "c")
    html = (tmp_path / "c" / "dom.html").read_text()
    assert '<my-price><template shadowrootmode="open"><b>12.00 EUR</b></template></my-price>' in html
    assert html.startswith("<!DOCTYPE html")
    assert "Ships to Germany" in (tmp_path / "c" / "frames" / "01.html").read_text()
    assert {item.role for item in result.files} >= {"dom", "dom.frame", "mhtml", "page.pdf"}
    assert b"Ships to Germany" in (tmp_path / "c" / "page.mhtml").read_bytes()
    assert (tmp_path / "c" / "page.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("head", "outcome", "reason"),
    [
        (b"401 Unauthorized\r\nWWW-Authenticate: Basic realm=x", "auth_wall", "HTTP status 401"),
        (b"410 Gone", "removed", "HTTP status 410"),
    ],
)
def test_an_error_the_browser_shows_no_page_for_is_told_by_its_status(
    tmp_path: Path, head: bytes, outcome: str, reason: str
) -> None:
    with Pages({"/item/1": b"HTTP/1.1 " + head + b"\r\nContent-Length: 0\r\n\r\n"}) as pages:
        result = capture(pages, tmp_path / "c")
    assert (result.outcome.status, result.status) == (outcome, int(head[:3]))
    assert result.outcome.reasons[0].startswith(reason)
    assert "screenshot.full" not in [item.role for item in result.files]
