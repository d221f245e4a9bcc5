"""State is believed only with its proof: every changed byte of one is refused, or is what the header says."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from evidence_service.anchor import blocks, contract, state
from evidence_service.anchor.blocks import Header
from evidence_service.anchor.endpoint import Answer, Caller
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.errors import ConfigurationError, NodeLiedError, NodeUnavailableError


class Changing(Caller):
    """A node one of whose answers is changed on the way."""

    def __init__(self, node: Node, method: str, change: Callable[[Any], Any]) -> None:
        self.chain_id = node.chain_id
        self._node = node
        self._method = method
        self._change = change

    def ask(self, method: str, *parameters: Any) -> Answer:
        answer = self._node.ask(method, *parameters)
        if method != self._method:
            return answer
        return Answer(self._change(copy.deepcopy(answer.result)), answer.refusal)


def newest(node: Node) -> Header:
    found = blocks.header(node, "latest")
    assert found is not None
    return found


def test_an_account_is_read_and_an_unused_address_is_nothing(node: Node, signer: LocalSigner) -> None:
    head = newest(node)
    found = state.account(node, head, signer.address)
    assert found.nonce == node.quantity("eth_getTransactionCount", signer.address, hex(head.number))
    assert found.balance == node.quantity("eth_getBalance", signer.address, hex(head.number))
    assert state.account(node, head, "0x" + "9a" * 20) == state.ABSENT


def test_any_changed_byte_of_an_account_proof_is_a_lie(node: Node, signer: LocalSigner) -> None:
    head, dice = newest(node), random.Random(3)

    def change(value: Any) -> Any:
        nodes = value["accountProof"]
        place = dice.randrange(len(nodes))
        data = bytearray.fromhex(nodes[place][2:])
        data[dice.randrange(len(data))] ^= dice.randrange(1, 256)
        nodes[place] = "0x" + data.hex()
        return value

    for _ in range(60):
        with pytest.raises(NodeLiedError, match="does not hold"):
            state.account(Changing(node, "eth_getProof", change), head, signer.address)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: None, "no state proof"),
        (lambda value: {}, "not a list"),
        (lambda value: {**value, "accountProof": "0x"}, "not a list"),
        (lambda value: {**value, "accountProof": ["zz"]}, "not data"),
    ],
)
def test_a_proof_that_is_none_is_no_answer(
    node: Node, signer: LocalSigner, change: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(NodeUnavailableError, match=words) as refusal:
        state.account(Changing(node, "eth_getProof", change), newest(node), signer.address)
    assert not isinstance(refusal.value, NodeLiedError)


def test_a_block_that_was_replaced_accuses_nobody(node: Node, signer: LocalSigner) -> None:
    head = newest(node)

    def change(value: Any) -> Any:
        return {**value, "accountProof": value["accountProof"][:-1]}

    class Moved(Changing):
        def ask(self, method: str, *parameters: Any) -> Answer:
            if method == "eth_getBlockByNumber":
                return Answer(None)
            return super().ask(method, *parameters)

    with pytest.raises(NodeUnavailableError, match="was replaced") as refusal:
        state.account(Moved(node, "eth_getProof", change), head, signer.address)
    assert not isinstance(refusal.value, NodeLiedError)


def test_the_contract_has_to_be_there_with_its_code(node: Node, signer: LocalSigner) -> None:
    asked = (contract.expected_address(), signer.address, [bytes(32)])
    assert state.records(node, newest(node), *asked, contract.code_hash()) == [None]
    with pytest.raises(ConfigurationError, match="the evidence anchor is not at"):
        state.records(node, newest(node), *asked, "0x" + "11" * 32)


def test_other_storage_proofs_than_asked_for_are_no_answer(node: Node, signer: LocalSigner) -> None:
    fewer = Changing(node, "eth_getProof", lambda value: {**value, "storageProof": []})
    asked = (contract.expected_address(), signer.address, [bytes(32)], contract.code_hash())
    with pytest.raises(NodeUnavailableError, match="other storage proofs"):
        state.records(fewer, newest(node), *asked)


@pytest.mark.parametrize("member", ["stateRoot", "timestamp", "number", "parentHash", "extraData"])
def test_a_header_whose_fields_do_not_have_its_hash_is_a_lie(node: Node, member: str) -> None:
    def change(value: Any) -> Any:
        return {**value, member: "0x1234" if member != "stateRoot" else "0x" + "12" * 32}

    with pytest.raises(NodeLiedError):
        blocks.header(Changing(node, "eth_getBlockByNumber", change), "latest")


def test_another_block_than_asked_for_is_a_lie(node: Node) -> None:
    other = node.record("eth_getBlockByNumber", "0x1", False)
    with pytest.raises(NodeLiedError, match="asked for block 2 it gave block 1"):
        blocks.header(Changing(node, "eth_getBlockByNumber", lambda _: other), "0x2")
