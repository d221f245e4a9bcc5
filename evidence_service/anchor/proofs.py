"""Collect the proof that an anchor needs nobody's word: header, trie proofs, state proof."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import rlp
from trie.hexary import HexaryTrie

from evidence_service.anchor import contract, encoding, inclusion
from evidence_service.anchor.node import Node, binary
from evidence_service.anchor.submission import Submission
from evidence_service.errors import (
    EvidenceError,
    NodeUnavailableError,
    RefusedError,
)
from evidence_service.verify.chain import record_slot, verify_anchor
from evidence_service.verify.trie import keccak256


def collect(node: Node, submission: Submission) -> dict[str, Any]:
    """The ``anchor`` member of a proof bundle for a mined submission, checked by the verifier itself.

    Nodes keep old state for some 128 blocks: later ones give a proof without ``state``.

    Args:
        submission: ``mined`` or ``finalized``; only the latter is worth sealing.

    Raises:
        NodeUnavailableError: no answer, or one that does not prove what it claims.
        UnsupportedVersionError: the block holds a transaction type unknown here.
        RefusedError: the submission was not mined yet.
    """
    if submission.block_hash is None or submission.transaction_hash is None:
        raise RefusedError(f"submission {submission.submission_id} is not mined yet")
    block = node.record("eth_getBlockByHash", submission.block_hash, True)
    if block is None:
        raise NodeUnavailableError(f"the node does not know block {submission.block_hash}")
    raw_header = encoding.header(block)
    if "0x" + keccak256(raw_header).hex() != submission.block_hash:
        raise NodeUnavailableError(
            f"the header of block {submission.block_hash} cannot be rebuilt from the node's answer",
            what_to_do="give another node; if all agree, the chain has header fields unknown to this program",
        )
    transactions = block["transactions"]
    index = _position(transactions, submission.transaction_hash)
    receipts = _receipts(node, submission.block_hash, transactions)
    anchor = {
        "chain_id": str(submission.chain_id),
        "contract": submission.contract,
        "code_hash": contract.code_hash(),
        "submitter": submission.submitter,
        "header": _text(raw_header),
        "transaction": {
            "index": index,
            "proof": _trie_proof([encoding.transaction(item) for item in transactions], index),
        },
        "receipt": {
            "log_index": _log_index(receipts[index], submission),
            "proof": _trie_proof([encoding.receipt(item) for item in receipts], index),
        },
        "state": _state(node, submission),
    }
    try:
        verify_anchor(anchor, commitment=submission.commitment, leaf_count=submission.leaf_count)
    except EvidenceError as error:
        raise NodeUnavailableError(
            f"the node's answers do not prove the anchor: {error.message}",
            what_to_do="ask another node; an honest one proves it",
        ) from error
    return anchor


def _position(transactions: Sequence[dict[str, Any]], transaction_hash: str) -> int:
    for index, transaction in enumerate(transactions):
        if transaction["hash"] == transaction_hash:
            return index
    raise NodeUnavailableError(f"the node's block does not hold transaction {transaction_hash}")


def _receipts(node: Node, block_hash: str, transactions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All receipts of a block, at once or, where a node has no such method, one by one."""
    answer = node.ask("eth_getBlockReceipts", block_hash)
    receipts = answer.result
    if not isinstance(receipts, list):
        receipts = [node.record("eth_getTransactionReceipt", item["hash"]) for item in transactions]
    if len(receipts) != len(transactions) or None in receipts:
        raise NodeUnavailableError("the node does not have all receipts of the block")
    return receipts


def _log_index(receipt: dict[str, Any], submission: Submission) -> int:
    topics = inclusion.event_topics(submission.submitter, submission.commitment)
    for index, log in enumerate(receipt["logs"]):
        if log["address"].lower() == submission.contract and log["topics"] == topics:
            return index
    raise NodeUnavailableError("the transaction's receipt does not hold the event")


def _trie_proof(values: Sequence[bytes], index: int) -> list[str]:
    """Nodes from the root to the value at an index of a transactions or receipts trie."""
    trie = HexaryTrie({})
    for position, value in enumerate(values):
        trie[rlp.encode(position)] = value
    encoded = [rlp.encode(node) for node in trie.get_proof(rlp.encode(index))]
    # A node below 32 bytes is inside its parent; only the root stands for itself at any size.
    return [_text(node) for depth, node in enumerate(encoded) if depth == 0 or len(node) >= 32]


def _state(node: Node, submission: Submission) -> dict[str, list[str]] | None:
    """Account and storage proof in the state after the block; None when the node has dropped that state."""
    slot = "0x" + record_slot(bytes.fromhex(submission.submitter[2:]), submission.commitment).hex()
    answer = node.ask("eth_getProof", submission.contract, [slot], hex(submission.block_number or 0))
    if answer.refusal is not None or not isinstance(answer.result, dict):
        return None
    proof = answer.result
    return {
        "account_proof": _nodes(proof["accountProof"]),
        "storage_proof": _nodes(proof["storageProof"][0]["proof"]),
    }


def _nodes(values: Sequence[str]) -> list[str]:
    return [_text(binary(value, "eth_getProof")) for value in values]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
