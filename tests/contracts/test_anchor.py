"""Anchoring in one's own name, on real EVMs; the claims are those of docs/explanation/anchor-contract.md."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from evidence_service.anchor.contract import anchor_call
from evidence_service.sandbox.devchain import ACCOUNTS
from tests.contracts.evm import EVENT, Evm, Reverted, encoded

SUBMITTER, STRANGER = ACCOUNTS[0].address, ACCOUNTS[1].address
NOTHING = (0, 0, 0)


@pytest.fixture
def commitment(request: pytest.FixtureRequest) -> bytes:
    """Another one for each test."""
    return hashlib.sha256(request.node.nodeid.encode()).digest()


def test_an_anchor_is_an_event_and_a_record_of_block_time_and_number(evm: Evm, commitment: bytes) -> None:
    assert evm.anchor_of(SUBMITTER, commitment) == NOTHING
    receipt = evm.send(SUBMITTER, anchor_call(commitment, 7))
    (log,) = receipt["logs"]
    assert log["address"].lower() == evm.contract
    assert log["topics"] == [EVENT, "0x" + SUBMITTER[2:].rjust(64, "0"), "0x" + commitment.hex()]
    assert int(log["data"], 16) == 7
    assert evm.anchor_of(SUBMITTER, commitment) == (*evm.block(receipt), 7)


def test_a_repetition_keeps_the_first_record_and_emits_nothing(evm: Evm, commitment: bytes) -> None:
    first = evm.block(evm.send(SUBMITTER, anchor_call(commitment, 7)))
    evm.pass_seconds(3600)
    assert int.from_bytes(evm.call(anchor_call(commitment, 8), sender=SUBMITTER)) == first[0]
    assert evm.send(SUBMITTER, anchor_call(commitment, 8))["logs"] == []
    assert evm.anchor_of(SUBMITTER, commitment) == (*first, 7)


def test_pre_empting_takes_nothing_from_anybody(evm: Evm, commitment: bytes) -> None:
    """A stranger copies the commitment from the mempool and is first, with another number of leaves."""
    stolen = evm.block(evm.send(STRANGER, anchor_call(commitment, 1)))
    assert evm.anchor_of(SUBMITTER, commitment) == NOTHING
    evm.pass_seconds(60)
    receipt = evm.send(SUBMITTER, anchor_call(commitment, 7))
    assert len(receipt["logs"]) == 1
    assert evm.anchor_of(SUBMITTER, commitment) == (*evm.block(receipt), 7)
    assert evm.anchor_of(STRANGER, commitment) == (*stolen, 1)


@pytest.mark.parametrize(
    ("refused", "leaves", "why"),
    [(bytes(32), 1, "ZeroCommitment()"), (b"\1" * 32, 0, "ZeroLeafCount()")],
    ids=["commitment", "number of leaves"],
)
def test_zero_is_refused(evm: Evm, refused: bytes, leaves: int, why: str) -> None:
    with pytest.raises(Reverted) as caught:
        evm.call(anchor_call(refused, leaves))
    assert caught.value.data == encoded(why)


def test_the_largest_number_of_leaves_fits(evm: Evm, commitment: bytes) -> None:
    """Time, block and number share one slot; none may spill into its neighbour."""
    receipt = evm.send(SUBMITTER, anchor_call(commitment, 2**64 - 1))
    assert evm.anchor_of(SUBMITTER, commitment) == (*evm.block(receipt), 2**64 - 1)


def test_a_number_of_leaves_of_more_than_64_bits_is_refused(evm: Evm, commitment: bytes) -> None:
    with pytest.raises(Reverted):
        evm.call(encoded("anchor(bytes32,uint256)", commitment, 2**64))
    call = encoded("anchor(bytes32,uint64)", commitment, 1)
    with pytest.raises(Reverted):
        evm.call(call[:-32] + (2**64).to_bytes(32))


CALLS: dict[str, bytes] = {
    "plain transfer": b"",
    "unknown function": b"\xde\xad\xbe\xef",
    "anchor": anchor_call(b"\1" * 32, 1),
    "anchorOf": encoded("anchorOf(address,bytes32)", SUBMITTER, b"\1" * 32),
}


@pytest.mark.parametrize("name", CALLS)
def test_ether_is_refused(evm: Evm, name: str) -> None:
    with pytest.raises(Reverted):
        evm.call(CALLS[name], sender=SUBMITTER, value=1)
    assert int(evm.ask("eth_getBalance", evm.contract, "latest"), 16) == 0


ADMINISTRATION: tuple[tuple[str, *tuple[Any, ...]], ...] = (
    ("owner()",),
    ("transferOwnership(address)", STRANGER),
    ("upgradeTo(address)", STRANGER),
    ("upgradeToAndCall(address,bytes)", STRANGER, b""),
    ("pause()",),
    ("withdraw()",),
    ("initialize()",),
    ("remove(bytes32)", b"\1" * 32),
    ("revoke(bytes32)", b"\1" * 32),
)


@pytest.mark.parametrize("wanted", ADMINISTRATION, ids=[item[0] for item in ADMINISTRATION])
def test_there_is_nothing_to_administer(evm: Evm, wanted: tuple[Any, ...]) -> None:
    with pytest.raises(Reverted):
        evm.call(encoded(*wanted), sender=SUBMITTER)
