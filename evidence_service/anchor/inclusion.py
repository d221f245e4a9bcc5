"""Where on the chain a submission's event is, asked of a node (what it says is proved later)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node, number
from evidence_service.anchor.submission import Submission
from evidence_service.errors import NodeUnavailableError
from evidence_service.verify.chain import EVENT_TOPIC


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction in a block. Hashes are 0x and lower-case hexadecimal."""

    transaction_hash: str
    block_number: int
    block_hash: str
    succeeded: bool = True
    anchored: bool = True
    """Whether its receipt holds the event; a repetition succeeds without one."""


def event_topics(submitter: str, commitment: bytes) -> list[str]:
    """Topics of the event ``Anchored`` for a submitter and a commitment."""
    return ["0x" + EVENT_TOPIC.hex(), "0x" + "0" * 24 + submitter[2:], "0x" + commitment.hex()]


def of_attempts(node: Node, submission: Submission) -> Inclusion | None:
    """The attempt that was mined, if any: newest first, since at most one can be."""
    for attempt in reversed(submission.attempts):
        receipt = node.record("eth_getTransactionReceipt", attempt.hash)
        if receipt is not None and receipt.get("blockHash"):
            topics = event_topics(submission.submitter, submission.commitment)
            return Inclusion(
                attempt.hash,
                number(receipt.get("blockNumber"), "blockNumber"),
                str(receipt["blockHash"]),
                succeeded=number(receipt.get("status"), "status") == 1,
                anchored=any(
                    log["address"].lower() == submission.contract and log["topics"] == topics
                    for log in receipt["logs"]
                ),
            )
    return None


def of_event(node: Node, submission: Submission) -> Inclusion | None:
    """The transaction that anchored the commitment first, whoever sent it; None when nothing is recorded.

    Looks in the block that the contract recorded. On a rollup whose contracts see the number of another
    chain's block the event is not found there.

    Raises:
        NodeUnavailableError: recorded, but the node does not show the event.
    """
    found = contract.recorded(node, submission.contract, submission.submitter, submission.commitment)
    if not found.time:
        return None
    query = {
        "fromBlock": hex(found.block_number),
        "toBlock": hex(found.block_number),
        "address": submission.contract,
        "topics": event_topics(submission.submitter, submission.commitment),
    }
    logs: list[dict[str, Any]] = node.call("eth_getLogs", query)
    if not logs:
        raise NodeUnavailableError("the contract recorded the commitment, but the node shows no event for it")
    return Inclusion(logs[0]["transactionHash"], found.block_number, logs[0]["blockHash"])
