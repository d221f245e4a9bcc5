"""The contract checks inclusion proofs exactly as Python does: the same vectors, on real EVMs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.evm import Evm, encoded

ROOT = Path(__file__).parents[2]
CASES = json.loads((ROOT / "tests" / "vectors" / "inclusion.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vector(evm: Evm, case: dict[str, Any]) -> None:
    call = encoded(
        "verifyInclusion(bytes32,uint256,uint256,bytes32[],bytes32)",
        bytes.fromhex(case["leaf_hash"]),
        case["index"],
        case["size"],
        [bytes.fromhex(item) for item in case["path"]],
        bytes.fromhex(case["root"]),
    )
    assert int.from_bytes(evm.call(call)) == case["valid"]
