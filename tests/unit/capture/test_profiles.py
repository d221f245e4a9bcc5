"""Profiles: what the server and the page are told is what the record says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from evidence_service.capture.options import ACTIONS, CaptureOptions, parse_options
from evidence_service.errors import RefusedError
from tests.capture.serving import WORDS, Pages, capture

TELLING = (
    "<!doctype html><meta name='viewport' content='width=device-width'><body>"
    + WORDS
    + """<pre id="told" style="white-space:pre-wrap;overflow-wrap:anywhere"></pre><script>
document.getElementById('told').textContent = JSON.stringify({
  agent: navigator.userAgent, driven: navigator.webdriver, ratio: devicePixelRatio, width: innerWidth,
  touch: navigator.maxTouchPoints > 0, language: navigator.language, zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
});</script>"""
)


def test_the_mobile_profile_is_what_the_record_says(tmp_path: Path) -> None:
    options = CaptureOptions(profile="mobile", locale="de-DE", timezone="Europe/Berlin")
    with Pages({"/item/1": TELLING}) as pages:
        result = capture(pages, tmp_path / "c", options=options)
        heads = b"".join(pages.requests)
    assert (result.outcome.status, result.outcome.reasons) == ("captured", ())
    told = json.loads((tmp_path / "c" / "dom.html").read_text().split('anywhere">')[1].split("</pre>")[0])
    assert told == {
        "agent": result.tool["user_agent"],
        # Nothing is done to hide that the browser is driven.
        "driven": True,
        "ratio": 2,
        "width": 412,
        "touch": True,
        "language": "de-DE",
        "zone": "Europe/Berlin",
    }
    assert re.search(r"Android.* Chrome/\d+\.0\.0\.0 Mobile Safari", told["agent"])
    assert f"User-Agent: {told['agent']}\r\n".encode() in heads
    assert b"Accept-Language: de-DE" in heads
    assert result.tool["profile"] == "mobile (emulated), 412x915 at 2x, touch"
    assert (result.tool["locale"], result.tool["timezone"]) == ("de-DE", "Europe/Berlin")
    assert Image.open(tmp_path / "c" / "screenshots" / "tile-01.png").size == (824, 1830)
    assert Image.open(tmp_path / "c" / "screenshot.png").width == 824


def test_a_page_wider_than_a_phone_is_scrolled_to_its_end(tmp_path: Path) -> None:
    wide = "<!doctype html><meta name='viewport' content='width=device-width'><body>" + WORDS
    wide += "<div style='width:1500px;height:3000px;background:tan'></div>"
    with Pages({"/item/1": wide}) as pages:
        result = capture(pages, tmp_path / "c", options=CaptureOptions(profile="mobile"))
    assert (result.outcome.status, result.outcome.reasons) == ("captured", ())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone is not in the IANA database"),
        ({"locale": "de_DE"}, "locale has to be a language tag"),
    ],
)
def test_what_the_browser_does_not_know_is_refused_before(value: dict[str, str], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        parse_options(value)


def test_the_steps_of_the_manual_are_steps_and_show_every_action() -> None:
    manual = Path(__file__).parents[3] / "docs" / "how-to" / "carry-out-steps.md"
    (example,) = re.findall(r"```json\n(.+?)```", manual.read_text(), re.DOTALL)
    steps = parse_options({"steps": json.loads(example)}).steps
    assert {step.action for step in steps} == set(ACTIONS)


@pytest.mark.parametrize("steps", [{}, ["click"], [{"type": "click"}], [{"action": "tap", "text": "x"}]])
def test_an_error_in_steps_names_the_actions(steps: object) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_options({"steps": steps})
    assert "click, choose, fill, open, wait_for" in caught.value.message + caught.value.what_to_do
