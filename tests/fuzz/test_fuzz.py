"""The short form of the fuzzing: every parser for a moment, on inputs guided by coverage."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_reads_or_refuses(name: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
