"""Steps 5 and 6: a transaction is in a block header, and that header is a block of the chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from evidence_service.core import batch
from evidence_service.errors import EvidenceError
from evidence_service.verify.chain import AnchorFacts, verify_event, verify_state
from evidence_service.verify.policy import NEVER_EVIDENCE, Policy
from evidence_service.verify.report import ConfirmedAnchor, Family, Status
from evidence_service.verify.steps.run import Run


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What one node says about one header.

    Attributes:
        node: its address without path or credentials, for the report.
        answer: ``unavailable`` when it gave no usable answer.
        why: what went wrong, empty unless unavailable.
    """

    node: str
    answer: Literal["canonical", "different", "not_finalized", "unavailable"]
    why: str = ""


CompareHeader = Callable[[AnchorFacts], Sequence[NodeAnswer]]
"""Asks the outside world about a header, every node that was given."""

_SAYINGS = {
    "canonical": "has this block, final",
    "different": "has another block",
    "not_finalized": "does not call it final yet",
}


def check_anchors(run: Run, value: Mapping[str, Any], header: bytes | None) -> list[AnchorFacts]:
    """Checks 5.1, 5.2 and 5.3; the anchors that were proved in their headers."""
    if header is None and value["batch_header"] is not None:
        # The manifest is not in that batch (3.1 failed): whatever is said of the batch says nothing of it.
        return []
    if header is None or not value["anchors"]:
        run.add("5.1", Status.PENDING, "not anchored yet", "get the bundle again after its batch is final")
        return []
    commitment, leaves = batch.commitment(header), value["batch_header"]["size"]
    # (5.1) every anchor present has to hold.
    facts = []
    try:
        for anchor in value["anchors"]:
            facts.append(verify_event(anchor, commitment=commitment, leaf_count=leaves))
    except EvidenceError as error:
        run.failed("5.1", error)
        return []
    run.passed("5.1", "; ".join(f"{item.transaction_hash} in block {item.block_number}" for item in facts))
    # (5.2)
    try:
        for anchor in value["anchors"]:
            if anchor["state"] is not None:
                verify_state(anchor, commitment=commitment, leaf_count=leaves)
    except EvidenceError as error:
        run.failed("5.2", error)
        return []
    if all(item.has_state_proof for item in facts):
        run.passed("5.2", "contract code and record proved from the state root")
    else:
        run.add(
            "5.2",
            Status.NOT_CHECKED,
            "the node no longer had the state of the block; the event alone proves the anchoring",
            required=False,
        )
    _check_chains(run, value, facts)
    return facts


def _check_chains(run: Run, value: Mapping[str, Any], facts: Sequence[AnchorFacts]) -> None:
    # (5.3)
    unknown = []
    for item, anchor in zip(facts, value["anchors"], strict=True):
        chain = run.policy.chain(item.chain_id, item.contract)
        if chain is None or anchor["code_hash"] != chain.code_hash:
            unknown.append(f"chain {item.chain_id}, contract {item.contract}")
        run.demonstrations.append(item.chain_id in NEVER_EVIDENCE)
        run.anchors.append(
            ConfirmedAnchor(
                chain_id=item.chain_id,
                chain_name=None if chain is None else chain.name,
                contract=item.contract,
                submitter=item.submitter,
                transaction_hash=item.transaction_hash,
                block_number=item.block_number,
                block_hash=item.block_hash,
                block_time=datetime.fromtimestamp(item.block_time, UTC),
                has_state_proof=item.has_state_proof,
                canonical=False,
            )
        )
    if unknown:
        run.add(
            "5.3",
            Status.FAIL,
            f"the policy does not name {'; '.join(unknown)}",
            "use a trust file that names this chain and contract, if you have reason to trust them",
            family=Family.TRUST,
        )
    else:
        names = ", ".join(str(item.chain_name) for item in run.anchors)
        run.passed("5.3", f"{names}: chain, contract and code named by the policy", family=Family.TRUST)


def check_canonical(run: Run, facts: Sequence[AnchorFacts], compare_header: CompareHeader | None) -> None:
    """Check 6.1: the step between "in a header" and "on the blockchain"; never skipped silently."""
    if not facts:
        return
    standings = []
    for position, item in enumerate(facts):
        standing, why = _standing(run.policy, item, compare_header)
        standings.append((standing, why))
        if standing == "canonical":
            run.anchors[position] = replace(run.anchors[position], canonical=True)
    why = "; ".join(words for _, words in standings)
    kinds = {standing for standing, _ in standings}
    if "different" in kinds:
        run.add("6.1", Status.FAIL, why, "ask another node; if all agree, the anchor is not on this chain")
    elif "contradicted" in kinds:
        run.add("6.1", Status.NOT_CHECKED, why, "one of the nodes is wrong: ask others with --rpc URL")
    elif "unknown" in kinds:
        run.add(
            "6.1",
            Status.NOT_CHECKED,
            why,
            "give a node with --rpc URL, or a trust file with a checkpoint for this block",
        )
    elif "not_finalized" in kinds:
        run.add("6.1", Status.PENDING, why, "verify again when the block is final")
    else:
        run.passed("6.1", why)


def _standing(policy: Policy, facts: AnchorFacts, compare_header: CompareHeader | None) -> tuple[str, str]:
    """What is known about a header: the kind, and in words."""
    block = f"block {facts.block_number} of chain {facts.chain_id}"
    chain = policy.chain(facts.chain_id, facts.contract)
    checkpoint = None if chain is None else chain.checkpoints.get(facts.block_number)
    if checkpoint is not None and checkpoint != facts.block_hash:
        return "different", f"{block} has another hash in the policy's checkpoints"
    answers = () if compare_header is None else compare_header(facts)
    silent = "".join(
        f"; {item.node} was not asked: {item.why}" for item in answers if item.answer == "unavailable"
    )
    said = [item for item in answers if item.answer != "unavailable"]
    if not said:
        if checkpoint is not None:
            return "canonical", f"{block} is a checkpoint of the policy{silent}"
        return "unknown", f"{block} was compared with no node and no checkpoint{silent}"
    words = ", ".join(f"{item.node} {_SAYINGS[item.answer]}" for item in said)
    kinds = {item.answer for item in said}
    if "different" in kinds and (len(kinds) > 1 or checkpoint is not None):
        also = "" if checkpoint is None else ", which is a checkpoint of the policy"
        return "contradicted", f"{block}{also}: there is disagreement: {words}{silent}"
    kind = "not_finalized" if "not_finalized" in kinds else next(iter(kinds))
    return kind, f"{block}: {words}{silent}"
