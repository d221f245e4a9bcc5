"""What a list's progress and its last line say."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from evidence_service.cli import following
from evidence_service.cli.lists import Row
from evidence_service.cli.results import Results

URL = "https://shop.example/item/"


def ended(tmp_path: Path, *outcomes: str) -> Results:
    """Results of a list whose rows ended so; ``refused`` and ``waiting`` are no outcomes."""
    found = Results(
        tmp_path / "results.csv", [Row(at, f"{URL}{at}") for at, _ in enumerate(outcomes, start=1)]
    )
    for item, outcome in zip(found, outcomes, strict=True):
        item.result = "refused" if outcome == "refused" else "accepted"
        if outcome not in ("refused", "waiting"):
            item.outcome, item.status = outcome, "certified"
    return found


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (
            ["captured"] * 4 + ["removed"],
            "5 rows: 4 captured, 1 removed · 5 preserved, 5 certified",
        ),
        (["auth_wall", "challenge"], "2 rows: 1 auth_wall, 1 challenge · 2 preserved, 2 certified"),
        (
            ["removed", "partial", "captured", "waiting", "refused"],
            "5 rows: 1 accepted, 1 captured, 1 partial, 1 removed, 1 refused · 3 preserved, 3 certified",
        ),
        (["captured"], "1 row: 1 captured · 1 preserved, 1 certified"),
    ],
)
def test_only_what_was_captured_is_called_so(tmp_path: Path, outcomes: list[str], words: str) -> None:
    counts = following.summary(ended(tmp_path, *outcomes))
    assert following.words(counts) == words
    assert counts["captured"] == outcomes.count("captured")


def test_progress_in_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(following, "Console", lambda **_: Console(file=screen, force_terminal=True, width=80))
    found = ended(tmp_path, "waiting", "waiting")
    with following.progress(found, wait=True) as show:
        next(iter(found)).outcome = "removed"
        show()
    drawn = screen.getvalue()
    assert "2 rows: 2 accepted · 0 preserved, 0 certified" in drawn
    assert "2 rows: 1 accepted, 1 removed · 1 preserved, 0 certified" in drawn


def test_elsewhere_lines_tell_what_goes_on_and_not_how_it_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_LINE_EVERY", 0.0)
    found = ended(tmp_path, "waiting", "waiting")
    with following.progress(found, wait=True) as show:
        show()
        for item in found:
            item.outcome, item.status = "captured", "certified"
        show()
    assert capsys.readouterr().err == "2 rows: 2 accepted · 0 preserved, 0 certified\n"
    with following.progress(ended(tmp_path, "waiting"), wait=False) as show:
        show()
    assert capsys.readouterr().err == ""
