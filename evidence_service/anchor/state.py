"""Accounts and the contract's records, as Merkle proofs against a header show them (EIP-1186)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evidence_service.anchor import blocks
from evidence_service.anchor.blocks import Header
from evidence_service.anchor.endpoint import Caller, binary
from evidence_service.errors import ConfigurationError, EvidenceError, NodeLiedError, NodeUnavailableError
from evidence_service.verify import rlp
from evidence_service.verify.chain import record_slot
from evidence_service.verify.trie import AbsentKeyError, keccak256, verify_trie_proof

EMPTY_ROOT = keccak256(b"\x80")
"""Root of a trie that holds nothing."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account in the state of a header. Amounts in wei; hashes 32 bytes."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


ABSENT = Account(0, 0, EMPTY_ROOT, keccak256(b""))
"""What an address that was never used counts as."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the contract holds for a submitter and a commitment.

    Attributes:
        time: seconds since 1970.
    """

    time: int
    block_number: int
    leaf_count: int


@dataclass(frozen=True, slots=True)
class StateProof:
    """The nodes of an account proof and of one storage proof, as bytes from the root down."""

    account: tuple[bytes, ...]
    storage: tuple[bytes, ...]


def account(caller: Caller, at: Header, address: str) -> Account:
    """An account in the state after a block.

    Raises:
        NodeLiedError: the proof does not lead to what the node says.
        NodeUnavailableError: no proof is given, or the block was replaced meanwhile.
    """
    return _account(caller, at, address, _proof(caller, at, address, []))


def records(
    caller: Caller, at: Header, contract: str, submitter: str, commitments: Sequence[bytes], code_hash: str
) -> list[Recorded | None]:
    """What the contract holds for each commitment in the state after a block; None where it holds nothing.

    Args:
        code_hash: the contract's code has to have this hash, 0x and hexadecimal.

    Raises:
        ConfigurationError: there is no such contract at the address.
        NodeLiedError, NodeUnavailableError: as for :func:`account`.
    """
    slots = [record_slot(bytes.fromhex(submitter[2:]), item) for item in commitments]
    answer = _proof(caller, at, contract, slots)
    found = _account(caller, at, contract, answer)
    if found.code_hash.hex() != code_hash[2:]:
        raise ConfigurationError(
            f"the evidence anchor is not at {contract} on chain {caller.chain_id}",
            what_to_do="deploy it there (“evidence chain deploy”), or correct the contract's address",
        )
    given = answer.get("storageProof")
    if not isinstance(given, list) or len(given) != len(slots) or not all(isinstance(i, dict) for i in given):
        raise NodeUnavailableError("the node gave other storage proofs than it was asked for")
    values = [
        _value(caller, at, found.storage_root, keccak256(slot), item.get("proof"))
        for slot, item in zip(slots, given, strict=True)
    ]
    return [None if value is None else _record(value) for value in values]


def state_proof(caller: Caller, at: Header, contract: str, slot: bytes) -> StateProof:
    """Account and storage proof of one slot, unchecked.

    Raises:
        NodeUnavailableError: no answer; nodes drop old state.
    """
    answer = _proof(caller, at, contract, [slot])
    try:
        return StateProof(_nodes(answer["accountProof"]), _nodes(answer["storageProof"][0]["proof"]))
    except (KeyError, IndexError, TypeError) as error:
        raise NodeUnavailableError("the node's state proof lacks a member") from error


def _proof(caller: Caller, at: Header, address: str, slots: Sequence[bytes]) -> dict[str, Any]:
    keys = ["0x" + slot.hex() for slot in slots]
    answer = caller.record("eth_getProof", address, keys, hex(at.number))
    if answer is None:
        raise NodeUnavailableError("the node gave no state proof")
    return answer


def _account(caller: Caller, at: Header, address: str, answer: dict[str, Any]) -> Account:
    key = keccak256(bytes.fromhex(address[2:]))
    value = _value(caller, at, at.fields.state_root, key, answer.get("accountProof"))
    if value is None:
        return ABSENT
    try:
        nonce, balance, storage_root, code_hash = rlp.as_list(rlp.decode(value), what="the account", length=4)
        return Account(
            rlp.as_integer(nonce, what="the nonce"),
            rlp.as_integer(balance, what="the balance", size=32),
            rlp.as_bytes(storage_root, what="storageRoot", size=32),
            rlp.as_bytes(code_hash, what="codeHash", size=32),
        )
    except EvidenceError as error:
        raise NodeLiedError(f"the account of {address} is none: {error.message}") from error


def _value(caller: Caller, at: Header, root: bytes, key: bytes, nodes: Any) -> bytes | None:
    """The value a proof leads to, None for one of absence."""
    proof = _nodes(nodes)
    # Nodes prove that nothing is in an empty trie by no node at all, or by the empty one.
    if root == EMPTY_ROOT and proof in ((), (b"\x80",)):
        return None
    try:
        return verify_trie_proof(root, key, proof)
    except AbsentKeyError:
        return None
    except EvidenceError as error:
        raise contradiction(caller, at, error) from error


def contradiction(caller: Caller, at: Header, error: EvidenceError) -> NodeUnavailableError:
    """What a state proof that does not hold means: a lie, unless the block was replaced while it was read.

    Proofs are asked for by number, since not every node takes a hash.
    """
    now = blocks.header(caller, hex(at.number))
    if now is None or now.hash != at.hash:
        return NodeUnavailableError(f"block {at.number} was replaced while it was read")
    return NodeLiedError(f"its state proof at block {at.number} does not hold: {error.message}")


def _record(value: bytes) -> Recorded | None:
    try:
        packed = rlp.as_integer(rlp.decode(value), what="the contract's record", size=24)
    except EvidenceError as error:
        raise NodeLiedError(f"the contract's record is none: {error.message}") from error
    time, block, leaves = (packed >> shift & (2**64 - 1) for shift in (0, 64, 128))
    # Some nodes keep slots of value zero in their tries; to the contract that is nothing.
    return Recorded(time, block, leaves) if time else None


def _nodes(values: Any) -> tuple[bytes, ...]:
    if not isinstance(values, list):
        raise NodeUnavailableError("the node's state proof is not a list")
    return tuple(binary(value, "eth_getProof") for value in values)
