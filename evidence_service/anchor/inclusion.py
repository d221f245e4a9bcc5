"""Where on the chain a submission's transaction and event are; what a node says of it is proved first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evidence_service.anchor import blocks, state
from evidence_service.anchor.blocks import Block
from evidence_service.anchor.endpoint import Caller, number
from evidence_service.anchor.finality import View
from evidence_service.anchor.node import Node
from evidence_service.anchor.submission import Submission
from evidence_service.errors import NodeLiedError, NodeUnavailableError
from evidence_service.verify.chain import EVENT_TOPIC


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction in a proved block. Hashes are 0x and lower-case hexadecimal."""

    transaction_hash: str
    block_number: int
    block_hash: str
    succeeded: bool = True
    anchored: bool = True
    """Whether its receipt holds the event; a repetition succeeds without one."""


class Blocks:
    """The proved blocks of one round, each fetched and checked once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[str, Block] = {}

    def get(self, block_hash: str) -> Block:
        """See :func:`evidence_service.anchor.blocks.block`; of the first address that proves it."""
        if block_hash not in self._known:
            self._known[block_hash] = self._node.first(
                f"block {block_hash}", lambda endpoint: blocks.block(endpoint, block_hash)
            )
        return self._known[block_hash]


def event_topics(submitter: str, commitment: bytes) -> list[str]:
    """Topics of the event ``Anchored`` for a submitter and a commitment."""
    return ["0x" + EVENT_TOPIC.hex(), "0x" + "0" * 24 + submitter[2:], "0x" + commitment.hex()]


def log_index(receipt: dict[str, Any], submission: Submission) -> int | None:
    """Position of the submission's event among a receipt's logs."""
    topics = event_topics(submission.submitter, submission.commitment)
    for index, log in enumerate(receipt["logs"]):
        if log["address"].lower() == submission.contract and log["topics"] == topics:
            return index
    return None


def of_attempts(node: Node, proved: Blocks, submission: Submission) -> Inclusion | None:
    """The attempt that was mined, if any: newest first, since at most one can be."""
    for attempt in reversed(submission.attempts):
        answers = node.each(lambda caller, wanted=attempt.hash: _block_of(caller, wanted))  # type: ignore[misc]
        for endpoint, block_hash in answers:
            if block_hash is None:
                continue
            try:
                block = proved.get(block_hash)
            except NodeUnavailableError:
                continue  # nobody has that block: another address may know better
            index = block.index(attempt.hash)
            if index is None:
                endpoint.caught(f"its receipt says {attempt.hash} is in block {block_hash}, which is not so")
                continue
            return _included(block, index, submission)
    return None


def of_event(
    node: Node, view: View, proved: Blocks, submission: Submission, code_hash: str
) -> Inclusion | None:
    """The transaction that anchored the commitment first, whoever sent it; None when nothing is recorded.

    Looks in the block that the contract recorded. On a rollup whose contracts see the number of another
    chain's block the event is not found there.

    Raises:
        NodeUnavailableError: recorded, but the node does not show the event.
    """
    asked = (view.head, submission.contract, submission.submitter, [submission.commitment], code_hash)
    found = node.first(
        "the contract's record", lambda caller: state.records(caller, *asked)[0], prefer=view.endpoint
    )
    if found is None:
        return None
    number = hex(found.block_number)
    header = node.first(
        "the anchor's block", lambda caller: blocks.header(caller, number), prefer=view.endpoint
    )
    if header is not None:
        block = proved.get(header.hash)
        for index, receipt in enumerate(block.receipts):
            if log_index(receipt, submission) is not None:
                return _included(block, index, submission)
    raise NodeUnavailableError("the contract recorded the commitment, but the node shows no event for it")


def _block_of(caller: Caller, transaction_hash: str) -> str | None:
    receipt = caller.record("eth_getTransactionReceipt", transaction_hash)
    if receipt is None or not receipt.get("blockHash"):
        return None
    block_hash = str(receipt["blockHash"]).lower()
    if len(block_hash) != 66:
        raise NodeLiedError(f"its receipt of {transaction_hash} names no block")
    return block_hash


def _included(block: Block, index: int, submission: Submission) -> Inclusion:
    receipt = block.receipts[index]
    return Inclusion(
        block.hashes[index],
        block.header.number,
        block.header.hash,
        succeeded=number(receipt.get("status"), "status") == 1,
        anchored=log_index(receipt, submission) is not None,
    )
