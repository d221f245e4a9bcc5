"""Anchor: a closed batch is stamped and submitted to every chain; each final anchor is noted in custody logs.

What happens on a chain in between is :mod:`evidence_service.service.rounds`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial

from evidence_service.anchor.submission import Submission
from evidence_service.core import document
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.ports import Durable
from evidence_service.service.preserve import request_stamps
from evidence_service.service.tracing import NoTracing
from evidence_service.service.waiting import until_available
from evidence_service.store.batches import Batch

NOBODY = "0x" + "00" * 20
"""Submitter of what waits for the address of a key whose custodian is away."""


def submit(parts: Parts, batch_id: str, addresses: Mapping[int, str]) -> None:
    """Write down what is to be anchored where, before anything is sent; repeating it changes nothing.

    Args:
        addresses: of the key that sends on each chain, by chain id; where one is not known yet, the rounds
            fill it in.
    """
    batch = parts.batches.batch(batch_id)
    for chain in parts.chains:
        parts.journal.create(
            Submission(
                submission_id=f"{batch_id}-on-{chain.chain_id}",
                chain_id=chain.chain_id,
                submitter=addresses.get(chain.chain_id, NOBODY),
                contract=chain.contract,
                commitment=batch.commitment,
                leaf_count=batch.size,
                batch_id=batch_id,
            )
        )


def stamp_batch(parts: Parts, durable: Durable, batch_id: str) -> None:
    """The workflow that has the authorities stamp a batch header."""
    note = partial(parts.batches.note_waiting, batch_id)
    until_available(durable, "stamp header", lambda: stamp_header(parts, batch_id), note)
    until_available(durable, "finish", lambda: finish(parts, batch_id), note)


def stamp_header(parts: Parts, batch_id: str) -> None:
    """Have the authorities stamp the batch header."""
    if not parts.records.tokens("batch_header", batch_id):
        request_stamps(parts, "batch_header", batch_id, parts.batches.batch(batch_id).header)


def note_anchor(parts: Parts, durable: Durable, submission_id: str) -> None:
    """The workflow that notes a sealed anchor."""
    batch_id = parts.journal.load(submission_id).batch_id or ""
    note = partial(parts.batches.note_waiting, batch_id, source="custody log")
    until_available(durable, "record", lambda: record_anchor(parts, submission_id), note)
    until_available(durable, "finish", lambda: finish(parts, batch_id), note)


def record_anchor(parts: Parts, submission_id: str) -> None:
    """Tell every member's custody log that it is anchored on a chain."""
    submission = parts.journal.load(submission_id)
    batch = parts.batches.batch(submission.batch_id or "")
    event = parts.event(
        "anchor",
        actor=SERVICE,
        purpose=f"record the batch's commitment in the contract on chain {submission.chain_id}",
        detail={
            "batch": str(batch.sequence),
            "commitment": batch.commitment.hex(),
            "chain_id": str(submission.chain_id),
            "contract": submission.contract,
        },
    )
    members = parts.batches.members(batch.id)
    parts.records.append_custody_each(members, f"anchor {submission.chain_id}", event, now=parts.now())
    _trace(parts, batch, members, submission)
    parts.batches.note(submission_id)


def _trace(parts: Parts, batch: Batch, members: Iterable[str], submission: Submission) -> None:
    """Show the time from the closed batch to its final anchor in the trace of every member."""
    if isinstance(parts.tracing, NoTracing):
        return
    closed_at = document.parse_time(json.loads(batch.header)["closed_at"], "closed_at")
    about = {"chain_id": submission.chain_id, "batch": batch.sequence, "leaf_count": batch.size}
    for evidence_id in members:
        parts.tracing.period(evidence_id, "anchor", closed_at, parts.now(), cause=batch.id, attributes=about)


def finish(parts: Parts, batch_id: str) -> None:
    """Count a batch as anchored when its header is stamped and every required chain has noted its anchor."""
    if not parts.records.tokens("batch_header", batch_id):
        return
    noted = parts.batches.noted_chains(batch_id)
    if not noted or any(chain.required and chain.chain_id not in noted for chain in parts.chains):
        return
    parts.batches.finish(batch_id)
