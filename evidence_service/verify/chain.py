"""Proof that a commitment was anchored, from a block header downwards, with no node asked.

What holds after :func:`verify_event` and :func:`verify_state`: *if* the header with the returned hash is a
block of the chain, then its transaction called the contract, the contract recorded the commitment, and the
block's time bounds it. Whether it is one is a question of its own (:mod:`evidence_service.verify.nodes` or a
checkpoint of the policy).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence_service.core.bundle import ANCHOR
from evidence_service.errors import MalformedError, MismatchError, UnsupportedVersionError
from evidence_service.verify import rlp
from evidence_service.verify.trie import keccak256, verify_trie_proof

EVENT_TOPIC = keccak256(b"Anchored(address,bytes32,uint64)")
_RECORDS_SLOT = bytes(32)
_MIN_HEADER_FIELDS = 15
_MAX_HEADER_FIELDS = 40
_RECIPIENT_INDEX = {1: 4, 2: 5, 3: 5, 4: 5}
"""Position of ``to`` by transaction type: EIP-2930, EIP-1559, EIP-4844, EIP-7702."""


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What is read of a header; forks append fields, so nothing is ever encoded again.

    Attributes:
        hash, state_root, transactions_root, receipts_root: 32 bytes each.
        timestamp: seconds since 1970.
    """

    hash: bytes
    number: int
    timestamp: int
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes

    @classmethod
    def parse(cls, raw: bytes) -> BlockHeader:
        """Read a header's RLP; its hash is that of exactly these bytes.

        Raises:
            MalformedError, LimitExceededError: not a header.
        """
        fields = rlp.decode_list(raw, what="block header")
        if not _MIN_HEADER_FIELDS <= len(fields) <= _MAX_HEADER_FIELDS:
            raise MalformedError(
                f"a block header has {len(fields)} fields; at least {_MIN_HEADER_FIELDS} exist"
            )
        for position, field in enumerate(fields):
            rlp.as_bytes(field, what=f"field {position} of the block header")
        return cls(
            hash=keccak256(raw),
            number=rlp.as_integer(fields[8], what="the block number"),
            timestamp=rlp.as_integer(fields[11], what="the block time"),
            state_root=rlp.as_bytes(fields[3], what="stateRoot", size=32),
            transactions_root=rlp.as_bytes(fields[4], what="transactionsRoot", size=32),
            receipts_root=rlp.as_bytes(fields[5], what="receiptsRoot", size=32),
        )


@dataclass(frozen=True, slots=True)
class AnchorFacts:
    """What a proof confirmed. Addresses and hashes are 0x and lower-case hexadecimal.

    Attributes:
        code_hash: hash of the contract's code in this block's state, None when there is no state proof.
        block_time: seconds since 1970.
    """

    chain_id: int
    contract: str
    code_hash: str | None
    submitter: str
    transaction_hash: str
    block_number: int
    block_hash: str
    block_time: int
    transaction_index: int
    has_state_proof: bool


def verify_event(anchor: Mapping[str, Any], *, commitment: bytes, leaf_count: int) -> AnchorFacts:
    """Check that the contract's event is in the anchor's header (check 5.1; formats, section 8).

    The transaction has to call the contract directly: ``to`` is the contract's address, which holds for
    ``anchor`` and for ``anchorFor`` sent by any relayer. Creations and calls through other contracts are
    refused. Whoever signed the transaction is not asked: the submitter is the one in the event.

    A changed header field that is not one of the roots proves nothing wrong here; it only gives another
    ``block_hash``, which the comparison with a node or checkpoint (check 6.1) refuses.

    Args:
        anchor: the JSON value; unknown or missing members are refused.
        commitment: 32 bytes, computed from the batch header by the caller.
        leaf_count: size of the batch's tree.

    Raises:
        MismatchError: a check failed; the message starts with its name (``receipt-proof``, ``status``, …).
        MalformedError, LimitExceededError: the value or something in it is not in its format.
        UnsupportedVersionError: a transaction type this program does not know.
    """
    ANCHOR(dict(anchor), "anchor")
    header = BlockHeader.parse(_binary(anchor["header"]))
    contract = _hexadecimal(anchor["contract"])
    submitter = _hexadecimal(anchor["submitter"])
    chain_id = int(anchor["chain_id"])
    index = anchor["transaction"]["index"]
    key = rlp.encode_integer(index)

    transaction = _prove("transaction-proof", header.transactions_root, key, anchor["transaction"]["proof"])
    _check_transaction(transaction, contract=contract, chain_id=chain_id)
    receipt = _prove("receipt-proof", header.receipts_root, key, anchor["receipt"]["proof"])
    if _type_of(receipt) != _type_of(transaction):
        raise MismatchError("receipt-type: receipt and transaction are of different types")
    _check_receipt(
        receipt,
        log_index=anchor["receipt"]["log_index"],
        contract=contract,
        topics=[EVENT_TOPIC, submitter.rjust(32, b"\0"), commitment],
        leaf_count=leaf_count,
    )
    has_state_proof = anchor["state"] is not None
    return AnchorFacts(
        chain_id=chain_id,
        contract=anchor["contract"],
        code_hash=anchor["code_hash"] if has_state_proof else None,
        submitter=anchor["submitter"],
        transaction_hash="0x" + keccak256(transaction).hex(),
        block_number=header.number,
        block_hash="0x" + header.hash.hex(),
        block_time=header.timestamp,
        transaction_index=index,
        has_state_proof=has_state_proof,
    )


def verify_state(anchor: Mapping[str, Any], *, commitment: bytes, leaf_count: int) -> None:
    """Check that code and record of the contract are in the state of the anchor's header (check 5.2).

    Args:
        anchor: one that :func:`verify_event` accepted, with a state proof.
        commitment, leaf_count: as there.

    Raises:
        MismatchError, MalformedError, LimitExceededError: as there.
    """
    header = BlockHeader.parse(_binary(anchor["header"]))
    state = anchor["state"]
    storage_root = _check_account(
        header, _hexadecimal(anchor["contract"]), anchor["code_hash"], state["account_proof"]
    )
    slot = record_slot(_hexadecimal(anchor["submitter"]), commitment)
    stored = _prove("storage-proof", storage_root, keccak256(slot), state["storage_proof"])
    _check_record(stored, header, leaf_count)


def verify_anchor(anchor: Mapping[str, Any], *, commitment: bytes, leaf_count: int) -> AnchorFacts:
    """Both checks; what a sender asks of a proof it just collected. Arguments and errors as above."""
    facts = verify_event(anchor, commitment=commitment, leaf_count=leaf_count)
    if facts.has_state_proof:
        verify_state(anchor, commitment=commitment, leaf_count=leaf_count)
    return facts


def record_slot(submitter: bytes, commitment: bytes) -> bytes:
    """Storage slot, 32 bytes, of a record: keccak(key, slot 0) with key = keccak(submitter, commitment)."""
    return keccak256(keccak256(submitter.rjust(32, b"\0") + commitment) + _RECORDS_SLOT)


def _prove(name: str, root: bytes, key: bytes, nodes: Sequence[str]) -> bytes:
    try:
        return verify_trie_proof(root, key, [_binary(node) for node in nodes])
    except MismatchError as error:
        raise MismatchError(f"{name}: {error.message}") from error


def _type_of(envelope: bytes) -> int:
    """Type of a transaction or receipt (EIP-2718); 0 for the legacy form, which is a plain RLP list."""
    return 0 if envelope[0] >= 0xC0 else envelope[0]


def _check_transaction(envelope: bytes, *, contract: bytes, chain_id: int) -> None:
    kind = _type_of(envelope)
    if kind == 0:
        fields = rlp.as_list(rlp.decode(envelope), what="the transaction", length=9)
        recipient, v = fields[3], rlp.as_integer(fields[6], what="v of the transaction", size=32)
        if v < 35:
            raise MismatchError(
                "transaction-chain: the transaction is not bound to any chain (before EIP-155)"
            )
        found = (v - 35) // 2
    elif kind in _RECIPIENT_INDEX:
        fields = rlp.decode_list(envelope[1:], what="transaction")
        if len(fields) < 11:
            raise MalformedError(f"a transaction of type {kind} has {len(fields)} fields")
        recipient = fields[_RECIPIENT_INDEX[kind]]
        found = rlp.as_integer(fields[0], what="the chain id of the transaction", size=32)
    else:
        raise UnsupportedVersionError(f"a transaction of type {kind} is not known to this program")
    if found != chain_id:
        raise MismatchError(
            f"transaction-chain: the transaction was signed for chain {found}, not {chain_id}"
        )
    if recipient != contract:
        raise MismatchError("transaction-recipient: the transaction does not call the contract")


def _check_receipt(
    envelope: bytes, *, log_index: int, contract: bytes, topics: list[bytes], leaf_count: int
) -> None:
    body = envelope if _type_of(envelope) == 0 else envelope[1:]
    status, _, _, logs = rlp.as_list(rlp.decode(body), what="the receipt", length=4)
    if status != b"\x01":
        raise MismatchError("status: the transaction failed")
    entries = rlp.as_list(logs, what="the receipt's logs")
    if log_index >= len(entries):
        raise MismatchError(f"log: the receipt has {len(entries)} logs, none at {log_index}")
    address, found, data = rlp.as_list(entries[log_index], what="a log", length=3)
    if address != contract:
        raise MismatchError("log-address: the event was emitted by another contract")
    if found != topics:
        raise MismatchError("log-topics: the event is not that of this submitter and commitment")
    if data != leaf_count.to_bytes(32, "big"):
        raise MismatchError(f"log-data: the event does not name {leaf_count} leaves")


def _check_account(header: BlockHeader, contract: bytes, code_hash: str, nodes: Sequence[str]) -> bytes:
    """Check the contract's account in the header's state and return its storage root."""
    account = _prove("account-proof", header.state_root, keccak256(contract), nodes)
    fields = rlp.as_list(rlp.decode(account), what="the account", length=4)
    if fields[3] != _hexadecimal(code_hash):
        raise MismatchError("code-hash: the contract's code in this block is another")
    return rlp.as_bytes(fields[2], what="storageRoot", size=32)


def _check_record(stored: bytes, header: BlockHeader, leaf_count: int) -> None:
    packed = rlp.as_integer(rlp.decode(stored), what="the contract's record", size=24)
    time, block, leaves = (packed >> shift & (2**64 - 1) for shift in (0, 64, 128))
    # Only the first anchoring emits the event, so the time is this block's. A rollup may give its contracts
    # the number of the underlying chain's block, which is lower than its own.
    if time != header.timestamp or block > header.number:
        raise MismatchError("storage-record: the recorded time or block is not that of this header")
    if leaves != leaf_count:
        raise MismatchError(f"storage-record: the contract recorded {leaves} leaves, not {leaf_count}")


def _binary(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _hexadecimal(text: str) -> bytes:
    return bytes.fromhex(text[2:])
