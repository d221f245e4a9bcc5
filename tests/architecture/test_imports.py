"""The architecture is a failing test: layers, and a verifier that stands alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_layers_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_verifier_imports_no_framework() -> None:
    program = (
        "import sys; import evidence_service.verify.verifier, evidence_service.verify.rpc; "
        "print([n for n in ('web3', 'fastapi', 'eth_account', 'pydantic', 'pyhanko') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
