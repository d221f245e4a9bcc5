"""An order's steps: carried out on what they name, each in the log with what it met; a failing one is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_service.capture.options import CaptureOptions, Step
from evidence_service.capture.session import CaptureLimits, CaptureResult
from tests.capture.serving import WORDS, Pages, capture, says

LISTING = (
    """<!doctype html><title>Lamp</title><body><h1>Lamp</h1><p id="price">12.00</p>
<button id="red" onclick="price.textContent = '14.00'; history.pushState({}, '', '?variant=red')">Red</button>
<select id="to" onchange="ship.textContent = 'Ships to ' + this.value">
<option value="de">Germany</option><option value="fr">France</option></select><p id="ship"></p>
<input id="code" oninput="setTimeout(() => { area.textContent = 'Area ' + code.value }, 200)"><p id="area"></p>
<p><a href="/shop">Visit the shop</a></p></body>"""
    + WORDS
)
ANSWERS = {"/item/1": LISTING, "/shop": "<title>Shop</title><h1>Shop of S-1</h1>"}
STEPS = (
    Step("click", text="Red"),
    Step("choose", selector="#to", value="France"),
    Step("fill", selector="#code", value="75001"),
    Step("wait_for", text="Area 75001"),
    Step("open", text="Visit the shop"),
)


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaptureResult, Path, list[str], int]:
    directory = tmp_path_factory.mktemp("steps") / "c"
    with Pages(ANSWERS) as pages:
        result = capture(pages, directory, options=CaptureOptions(steps=STEPS))
        return result, directory, pages.paths, pages.port


def actions(directory: Path, kind: str) -> list[dict[str, Any]]:
    lines = (directory / "actions.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["action"] == kind]


def test_the_listing_is_kept_with_what_the_steps_chose(
    stepped: tuple[CaptureResult, Path, list[str], int],
) -> None:
    result, directory, _, port = stepped
    assert result.outcome.reasons == ()
    html = (directory / "dom.html").read_text()
    assert '<p id="price">14.00</p>' in html
    assert "Ships to fr" in html
    assert "Area 75001" in html
    # A page that another one was opened from stays the capture's page.
    assert result.final_url == f"http://127.0.0.1:{port}/item/1"
    assert result.tool["address_shown"].endswith("/item/1?variant=red")
    assert result.redirects == ()
    assert result.tool["steps"] == "5 scripted steps, see actions.jsonl"


def test_each_step_is_logged_with_the_element_it_met(
    stepped: tuple[CaptureResult, Path, list[str], int],
) -> None:
    _, directory, paths, port = stepped
    steps = actions(directory, "step")
    assert [step["detail"].split(" ")[:2] for step in steps] == [
        [f"{n}:", step.action] for n, step in enumerate(STEPS, 1)
    ]
    first = steps[0]["element"]
    assert (first["tag"], first["text"], first["selector"]) == ("button", "Red", "#red")
    assert all(size > 0 for size in first["box"])
    assert [step["new_document"] for step in steps] == [False, False, False, False, True]
    assert steps[4]["element"]["href"] == steps[4]["address"] == f"http://127.0.0.1:{port}/shop"
    assert "/shop" in paths
    for step in steps:
        assert (directory / step["picture"]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((Step("wait_for", selector="#nothing"), Step("open", value="/shop")), "step 1 (wait_for #nothing) failed"),
        ((Step("choose", selector="#to", value="Mars"),), "step 1 (choose #to → Mars) failed"),
        ((Step("open", value="javascript:alert(1)"),), "is no http or https address"),
    ],
)  # fmt: skip
def test_a_step_that_fails_is_named_and_the_page_is_kept(
    tmp_path: Path, steps: tuple[Step, ...], words: str
) -> None:
    with Pages(ANSWERS) as pages:
        result = capture(
            pages, tmp_path / "c", options=CaptureOptions(steps=steps), limits=CaptureLimits(seconds=5)
        )
        assert "/shop" not in pages.paths
    assert result.outcome.status == "partial"
    assert says(result, words)
    assert (tmp_path / "c" / "screenshot.png").exists()
