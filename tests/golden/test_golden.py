"""Certificates of every released format verify, in both implementations, whatever else changes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.forgeries.run import report_of, second_opinions
from tests.forgeries.world import Case

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.json"))


def case(folder: Path) -> Case:
    """A folder as a case."""
    expected = json.loads((folder / "expected.json").read_text())
    return Case(
        folder.name,
        (folder / "trust.json").read_bytes(),
        certificate=(folder / "certificate.pdf").read_bytes(),
        files={path.name: path.read_bytes() for path in sorted((folder / "files").iterdir())},
        now=datetime.fromisoformat(expected["now"]),
        verdict=expected["verdict"],
    )


def test_every_released_format_is_here() -> None:
    assert {folder.name for folder in FOLDERS} >= {
        "v1-demonstration",
        "v1-evidence",
        "v2-renewed",
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_verifies(folder: Path) -> None:
    wanted = case(folder)
    report = report_of(wanted)
    assert report.verdict.value == wanted.verdict, report.failures()
    (second,) = second_opinions([wanted])
    assert second["verdict"] == wanted.verdict, second
    assert second["checks"] == {check.id: check.status.value for check in report.checks}
