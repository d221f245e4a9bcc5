"""Collect the proof that an anchor needs nobody's word: header, trie proofs, state proof."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from evidence_service.anchor import contract, state
from evidence_service.anchor.blocks import Block
from evidence_service.anchor.endpoint import Endpoint
from evidence_service.anchor.inclusion import log_index
from evidence_service.anchor.node import Node
from evidence_service.anchor.submission import Submission
from evidence_service.errors import EvidenceError, NodeUnavailableError, RefusedError
from evidence_service.verify.chain import record_slot, verify_anchor


def collect(node: Node, block: Block, submission: Submission, *, state_is_kept: bool) -> dict[str, Any]:
    """The ``anchor`` member of a proof bundle for a mined submission, checked by the verifier itself.

    Args:
        block: the proved block the submission is in.
        state_is_kept: nodes still have to have the state after the block (they keep it for some 128 blocks).
            Otherwise a proof without ``state`` is better than none.

    Raises:
        NodeUnavailableError: no answer, or none that proves what it claims.
        RefusedError: the submission was not mined in this block.
    """
    index = None if submission.transaction_hash is None else block.index(submission.transaction_hash)
    position = None if index is None else log_index(block.receipts[index], submission)
    if index is None or position is None:
        raise RefusedError(f"submission {submission.submission_id} is not anchored in {block.header.hash}")
    anchor: dict[str, Any] = {
        "chain_id": str(submission.chain_id),
        "contract": submission.contract,
        "code_hash": contract.code_hash(),
        "submitter": submission.submitter,
        "header": _text(block.header.raw),
        "transaction": {"index": index, "proof": block.transaction_proof(index)},
        "receipt": {"log_index": position, "proof": block.receipt_proof(index)},
        "state": None,
    }
    commitment, leaves = submission.commitment, submission.leaf_count
    slot = record_slot(bytes.fromhex(submission.submitter[2:]), submission.commitment)

    def with_state(endpoint: Endpoint) -> dict[str, Any]:
        found = state.state_proof(endpoint, block.header, submission.contract, slot)
        proof = {"account_proof": _texts(found.account), "storage_proof": _texts(found.storage)}
        whole = {**anchor, "state": proof}
        try:
            verify_anchor(whole, commitment=commitment, leaf_count=leaves)
        except EvidenceError as error:
            raise state.contradiction(endpoint, block.header, error) from error
        return whole

    try:
        return node.first("eth_getProof", with_state)
    except NodeUnavailableError:
        if state_is_kept:
            raise
        verify_anchor(anchor, commitment=commitment, leaf_count=leaves)
        return anchor


def _texts(nodes: Sequence[bytes]) -> list[str]:
    return [_text(node) for node in nodes]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
