"""``make fuzz-contract``: forge's fuzz and invariant tests at length, then faults planted in the contract.

``RESULT properties=… failed=… cases=… planted=… found=…``; ends with 1 when a property fails, or when a
planted fault is not found by the short form that CI runs.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FORGE = ROOT / "node_modules" / ".bin" / "forge"
SHIM = ROOT / "scripts" / "solc-shim" / "solc-v0.8.37"
SOURCE = "contracts/EvidenceAnchor.sol"
NEEDED = ("foundry.toml", "contracts", "tests/contracts/forge", "evidence_service/anchor/EvidenceAnchor.json")

FAULTS = (
    (
        "keyed by commitment alone",
        "return keccak256(abi.encode(submitter, commitment))",
        "return keccak256(abi.encode(commitment))",
    ),
    ("the last record wins", "if (first != 0) return first;", ""),
    (
        "a repetition emits",
        "if (first != 0) return first;",
        "if (first != 0) { emit Anchored(submitter, commitment, leafCount); return first; }",
    ),
    ("recorded for the relayer", "return _anchor(submitter,", "return _anchor(msg.sender,"),
    ("another time", "uint64(block.timestamp);", "uint64(block.timestamp) + 1;"),
    ("another block", "uint64(block.number)", "uint64(block.number) - 1"),
    ("zero commitment", "if (commitment == bytes32(0)) revert ZeroCommitment();", ""),
    ("zero leaves", "if (leafCount == 0) revert ZeroLeafCount();", ""),
    ("no deadline", "if (block.timestamp > deadline) revert DeadlinePassed(deadline);", ""),
    ("deadline a second early", "block.timestamp > deadline", "block.timestamp >= deadline"),
    ("any chain", "block.chainid", "uint256(31337)"),
    ("any signer", "|| _recover(digest, signature) != submitter", ""),
    ("the zero address signs", "submitter == address(0) || ", ""),
    ("malleable signatures", "if (uint256(s) > _MAX_S) return address(0);", ""),
    ("surplus bytes of a signature", "signature.length != 65", "signature.length < 65"),
    ("index equal to size", "if (index >= size) return false;", "if (index > size) return false;"),
    ("path too long", "if (last == 0) return false;", ""),
    ("path too short", "return last == 0 && result == root;", "return result == root;"),
    ("last leaf without sibling", "|| position == last", ""),
    ("sides exchanged", "_node(path[i], result)", "_node(result, path[i])"),
    ("node without prefix", 'hex"01", left, right', "left, right"),
)
"""Name, text of the contract, what it is replaced by."""


@dataclass(frozen=True)
class Property:
    """What forge says about one test."""

    name: str
    holds: bool
    cases: int


def properties(folder: Path, *options: str, profile: str = "default") -> list[Property]:
    """Run forge's tests in a folder.

    Raises:
        RuntimeError: forge did not come so far; its words.
    """
    command = [FORGE, "test", "--json", "--root", folder, "--use", SHIM, *options]
    environment = {**os.environ, "FOUNDRY_PROFILE": profile, "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    try:
        suites = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(done.stdout + done.stderr) from error
    return [
        Property(f"{suite.rpartition(':')[2]}.{name.partition('(')[0]}", _holds(found), _cases(found))
        for suite, value in suites.items()
        for name, found in value["test_results"].items()
    ]


def _holds(found: dict) -> bool:
    return found["status"] == "Success"


def _cases(found: dict) -> int:
    (kind,) = found["kind"].values()
    return int(kind.get("calls") or kind.get("runs") or 1)


def plant(folder: Path, text: str, replacement: str) -> None:
    """A copy of the project's contract with one fault in it."""
    for name in NEEDED:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    source = (folder / SOURCE).read_text()
    assert source.count(text) == 1, f"{text!r} is in the contract {source.count(text)} times"
    (folder / SOURCE).write_text(source.replace(text, replacement))


def caught(text: str, replacement: str, *options: str) -> list[str]:
    """Properties that fail with a fault; the comparison with the pinned code does not count."""
    with tempfile.TemporaryDirectory() as name:
        plant(Path(name), text, replacement)
        found = properties(Path(name), "--no-match-test", "TheCodeIsThePinnedOne", *options)
    return [item.name for item in found if not item.holds]


def main() -> int:
    """Run the long form and plant the faults."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", default="0x" + secrets.token_hex(8), help="repeats a run")
    seed = options.parse_args().seed
    print(f"seed {seed}", file=sys.stderr)
    found = properties(ROOT, "--fuzz-seed", seed, profile="long")
    for item in found:
        print(f"{'holds' if item.holds else 'FAILS'} {item.cases:>7} {item.name}", file=sys.stderr)
    hidden = 0
    for name, text, replacement in FAULTS:
        by = caught(text, replacement)
        hidden += not by
        print(f"planted: {name}: {', '.join(by) or 'NOT FOUND'}", file=sys.stderr)
    failed = sum(not item.holds for item in found)
    print(
        f"RESULT properties={len(found)} failed={failed} cases={sum(item.cases for item in found)} "
        f"planted={len(FAULTS)} found={len(FAULTS) - hidden}"
    )
    return 1 if failed or hidden else 0


if __name__ == "__main__":
    sys.exit(main())
