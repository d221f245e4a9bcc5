"""The short form of ``make campaign-objects``: writers into a local directory, killed with kill -9."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_was_acknowledged_survives_kills(record_property: Callable[[str, object], None]) -> None:
    # A process of its own: it forks, and this one has threads.
    command = [sys.executable, "-m", "tests.ports.campaign", "--local", "--kills", "16"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [result] = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    record_property("RESULT", result.removeprefix("RESULT "))
    assert " lost=0 torn=0 " in result
