"""The short form of the fuzzing: every parser for a moment, on inputs guided by coverage."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.fuzz.targets import TARGETS


@pytest.fixture(scope="module")
def run() -> subprocess.CompletedProcess[str]:
    """One process for all of them: it imports and instruments what it fuzzes only once."""
    command = [sys.executable, "-m", "tests.fuzz.run", "--seconds", "1", "--runs", "2000"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_reads_or_refuses(run: subprocess.CompletedProcess[str], name: str) -> None:
    told = dict(line.split(": ", maxsplit=1) for line in run.stdout.splitlines() if ": " in line)
    assert told.get(name, "").startswith("Done "), run.stderr[-3000:]
