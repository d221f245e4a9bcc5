"""Compile the anchor contract and write the artefact that the Python package carries.

``scripts/compile_contract.py`` writes it; ``--check`` only compares, and fails when it is out of date.
Needs Node and the packages of ``package.json``; running the service needs neither.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import sha3

ROOT = Path(__file__).resolve().parent.parent
SHIM = ROOT / "scripts" / "solc-shim" / "solc-v0.8.37"
ARTEFACT = ROOT / "evidence_service" / "anchor" / "EvidenceAnchor.json"
CONTRACT = "EvidenceAnchor"
SOURCES = ("contracts/IEvidenceAnchor.sol", "contracts/EvidenceAnchor.sol")


def standard_input() -> dict[str, Any]:
    """The compiler's standard JSON input: sources and the settings shared with Hardhat."""
    settings = json.loads((ROOT / "contracts" / "compiler.json").read_text())
    outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    return {
        "language": "Solidity",
        "sources": {name: {"content": (ROOT / name).read_text()} for name in SOURCES},
        "settings": {**settings, "outputSelection": {f"contracts/{CONTRACT}.sol": {CONTRACT: outputs}}},
    }


def compile_with_npm() -> dict[str, Any]:
    """Standard JSON output of the npm compiler."""
    done = subprocess.run(
        [str(SHIM), "--standard-json"],
        input=json.dumps(standard_input()),
        capture_output=True,
        text=True,
        check=True,
    )
    output: dict[str, Any] = json.loads(done.stdout)
    return output


def compiler_version() -> str:
    """Full version of the npm compiler, with its commit."""
    done = subprocess.run([str(SHIM), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split("Version: ", 1)[1].strip()


def artefact(output: dict[str, Any], *, compiler: str) -> dict[str, Any]:
    """The committed form of a compiler's output.

    Raises:
        SystemExit: the compiler reported an error or a warning.
    """
    if problems := output.get("errors"):
        raise SystemExit("\n".join(problem["formattedMessage"] for problem in problems))
    compiled = output["contracts"][f"contracts/{CONTRACT}.sol"][CONTRACT]
    runtime = compiled["evm"]["deployedBytecode"]["object"]
    code_hash = sha3.keccak_256(bytes.fromhex(runtime)).hexdigest()
    return {
        "contract": CONTRACT,
        "compiler": compiler,
        "settings": json.loads((ROOT / "contracts" / "compiler.json").read_text()),
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + runtime,
        "codeHash": "0x" + code_hash,
    }


def main(arguments: list[str]) -> int:
    """Write or check the artefact; exit code 0 when it is up to date afterwards."""
    text = json.dumps(artefact(compile_with_npm(), compiler=compiler_version()), indent=1) + "\n"
    if arguments == ["--check"]:
        if ARTEFACT.exists() and ARTEFACT.read_text() == text:
            return 0
        sys.stderr.write("EvidenceAnchor.json is out of date: run scripts/compile_contract.py\n")
        return 1
    ARTEFACT.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
