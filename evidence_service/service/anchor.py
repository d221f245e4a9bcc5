"""Anchor: a closed batch becomes a proof on the chain, noted in the custody log of each of its members."""

from __future__ import annotations

from functools import partial

from evidence_service.anchor import proofs
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.submission import State, Submission
from evidence_service.errors import NodeUnavailableError
from evidence_service.service.parts import SERVICE, Parts, journal_port
from evidence_service.service.ports import Durable
from evidence_service.service.preserve import request_stamps
from evidence_service.service.waiting import until_available

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.25, 12.0, 1.3
"""Seconds between two looks at the chain: short where blocks come at once, a block time where they do not."""


def anchor(parts: Parts, durable: Durable, batch_id: str) -> None:
    """The workflow of one batch."""
    note = partial(parts.batches.note_waiting, batch_id)
    until_available(durable, "stamp header", lambda: stamp_header(parts, batch_id), note)
    until_available(durable, "submit", lambda: submit(parts, batch_id), note)
    pause = FIRST_PAUSE
    while not until_available(durable, "advance", lambda: advance(parts, batch_id), note):
        durable.sleep(pause)
        pause = min(GROWTH * pause, LONGEST_PAUSE)
    until_available(durable, "prove", lambda: prove(parts, batch_id), note)
    durable.step("record", record_anchor, parts, batch_id)


def stamp_header(parts: Parts, batch_id: str) -> None:
    """Have the authorities stamp the batch header."""
    if not parts.records.tokens("batch_header", batch_id):
        request_stamps(parts, "batch_header", batch_id, parts.batches.batch(batch_id).header)


def submit(parts: Parts, batch_id: str) -> None:
    """Write down what is to be anchored, before anything is sent."""
    chain, batch = parts.chain(), parts.batches.batch(batch_id)
    parts.journal.create(
        Submission(
            submission_id=_submission(chain.node.chain_id, batch_id),
            chain_id=chain.node.chain_id,
            submitter=chain.signer.address,
            contract=chain.contract,
            commitment=batch.commitment,
            leaf_count=batch.size,
        )
    )
    parts.batches.note_waiting(batch_id, None)


def advance(parts: Parts, batch_id: str) -> bool:
    """One transition of the submission; whether it is final."""
    chain = parts.chain()
    sender = Sender(chain.node, chain.signer, journal_port(parts))
    return sender.advance(_submission(chain.node.chain_id, batch_id)).state is State.FINALIZED


def prove(parts: Parts, batch_id: str) -> None:
    """Collect receipt, header and state proofs of the final anchor and store them."""
    chain = parts.chain()
    submission = parts.journal.load(_submission(chain.node.chain_id, batch_id))
    if submission.state is not State.FINALIZED:
        raise NodeUnavailableError(f"the anchoring of {batch_id} is not final yet")
    parts.batches.add_anchor(batch_id, chain.node.chain_id, proofs.collect(chain.node, submission))


def record_anchor(parts: Parts, batch_id: str) -> None:
    """Tell every member's custody log that it is anchored."""
    batch = parts.batches.batch(batch_id)
    proof = parts.batches.anchors(batch_id)[0]
    for evidence_id in parts.batches.members(batch_id):
        parts.custody(
            evidence_id,
            "anchor",
            "anchor",
            actor=SERVICE,
            purpose="record the batch's commitment in the contract",
            detail={
                "batch": str(batch.sequence),
                "commitment": batch.commitment.hex(),
                "chain_id": proof["chain_id"],
                "contract": proof["contract"],
            },
        )
        parts.records.advance(evidence_id, "anchored")


def _submission(chain_id: int, batch_id: str) -> str:
    return f"{batch_id}-on-{chain_id}"
