"""The browser's verifier judges inclusion proofs as Python and the contract do: the same vectors."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "vectors" / "inclusion.json"


def test_the_vectors() -> None:
    command = ["node", Path(__file__).with_name("inclusion.mjs"), VECTORS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cases = json.loads(VECTORS.read_text())["cases"]
    valid = [case["name"] for case in cases if case["valid"]]
    assert 0 < len(valid) < len(cases)
    assert json.loads(done.stdout) == valid
