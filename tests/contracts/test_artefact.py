"""The committed bytecode is what the sources compile to, by both ways to the compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import solcx

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import compile_contract  # noqa: E402 - a script, not a package


def test_the_committed_artefact_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "compile_contract.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_py_solc_x_compiles_to_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    output = solcx.compile_standard(
        compile_contract.standard_input(), solc_binary=str(compile_contract.SHIM), allow_paths=None
    )
    contract = output["contracts"]["contracts/EvidenceAnchor.sol"]["EvidenceAnchor"]
    committed = json.loads(compile_contract.ARTEFACT.read_text())
    assert "0x" + contract["evm"]["bytecode"]["object"] == committed["bytecode"]
    assert "0x" + contract["evm"]["deployedBytecode"]["object"] == committed["deployedBytecode"]


def test_hardhat_compiles_to_the_same_bytes(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "node_modules" / ".bin" / "hardhat", "compile", "--force"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built = ROOT / "artifacts" / "contracts" / "EvidenceAnchor.sol" / "EvidenceAnchor.json"
    committed = json.loads(compile_contract.ARTEFACT.read_text())
    assert json.loads(built.read_text())["bytecode"] == committed["bytecode"]
