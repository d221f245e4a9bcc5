"""The same contract through Hardhat and ethers, which share no code with the rest of the tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_hardhats_tests_pass() -> None:
    command = [ROOT / "node_modules" / ".bin" / "hardhat", "test"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pending" not in done.stdout
    passing = re.search(r"(\d+) passing", done.stdout)
    assert passing is not None
    assert int(passing[1]) >= 7
