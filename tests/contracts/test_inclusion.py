"""The contract checks inclusion proofs exactly as Python does: the same vectors, on a real EVM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.sandbox.devchain import CHAIN_ID, DevChain
from evidence_service.sandbox.process import free_port
from evidence_service.verify.trie import keccak256

ROOT = Path(__file__).parents[2]
CASES = json.loads((ROOT / "tests" / "vectors" / "inclusion.json").read_text())["cases"]
SELECTOR = keccak256(b"verifyInclusion(bytes32,uint256,uint256,bytes32[],bytes32)")[:4]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    chain = DevChain(
        tmp_path_factory.mktemp("chain"), free_port(), ganache=ROOT / "node_modules" / ".bin" / "ganache"
    )
    node = Node([chain.rpc_url], CHAIN_ID)
    contract.deploy_if_absent(node, LocalSigner(chain.accounts[0].private_key))
    yield node
    node.close()
    chain.stop()


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
