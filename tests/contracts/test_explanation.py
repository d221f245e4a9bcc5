"""The page that argues for the contract names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from evidence_service.anchor import contract
from tests.contracts.fuzz import FAULTS, ROOT

PAGE = (ROOT / "docs" / "explanation" / "anchor-contract.md").read_text()


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`((?:test|testFuzz|invariant)_\w+)`", PAGE))
    sources = [*Path(ROOT / "tests").rglob("test_*.py"), *Path(ROOT / "tests").rglob("*.t.sol")]
    defined = {name for path in sources for name in re.findall(r"(?:def|function) (\w+)", path.read_text())}
    assert len(named) > 30
    assert named - defined == set()


def test_its_figures_are_right() -> None:
    size = len(contract.artefact()["deployedBytecode"]) // 2 - 1
    assert f"{size:,} bytes of code" in PAGE
    assert f"{len(FAULTS)} faults planted" in PAGE
