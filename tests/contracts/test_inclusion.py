"""The contract checks inclusion proofs exactly as Python does: the same vectors, on a real EVM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.verify.trie import keccak256

ROOT = Path(__file__).parents[2]
CASES = json.loads((ROOT / "tests" / "vectors" / "inclusion.json").read_text())["cases"]
SELECTOR = keccak256(b"verifyInclusion(bytes32,uint256,uint256,bytes32[],bytes32)")[:4]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vector(node: Node, case: dict[str, Any]) -> None:
    arguments = encode(
        ["bytes32", "uint256", "uint256", "bytes32[]", "bytes32"],
        [
            bytes.fromhex(case["leaf_hash"]),
            case["index"],
            case["size"],
            [bytes.fromhex(item) for item in case["path"]],
            bytes.fromhex(case["root"]),
        ],
    )
    call = {"to": contract.expected_address(), "data": "0x" + (SELECTOR + arguments).hex()}
    answer = node.call("eth_call", call, "latest")
    assert decode(["bool"], bytes.fromhex(answer[2:]))[0] is case["valid"]
