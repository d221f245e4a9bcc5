"""Batches and their submissions, put into a record without any chain."""

from __future__ import annotations

import hashlib

from evidence_service.anchor.submission import State, Submission
from evidence_service.store import schema
from tests.unit.api.conftest import Service

SUBMITTER = "0x" + "11" * 20
CHAINS = (1, 2)


def add_batch(service: Service, sequence: int) -> str:
    """A closed batch of one piece of evidence that nothing was begun for; its id."""
    name = f"batch-{sequence}"
    with service.parts.batches._engine.begin() as connection:
        connection.execute(
            schema.batches.insert().values(
                id=name,
                sequence=sequence,
                status="closed",
                header=b"{}",
                commitment=hashlib.sha256(name.encode()).digest(),
                size=1,
                closed_at=service.clock.now,
            )
        )
        connection.execute(
            schema.evidence.insert().values(
                id=f"ev-of-{name}",
                matter_id=service.matter,
                kind="upload",
                operator="agent",
                certificate_wanted=False,
                status="registered",
                progress="registered",
                created_at=service.clock.now,
                registered_at=service.clock.now,
                batch_id=name,
                leaf_index=0,
            )
        )
        # An organisation sees the batches that hold evidence of its own.
        connection.execute(
            schema.batch_owners.insert().values(organisation_id=schema.DEFAULT_ORGANISATION, batch_id=name)
        )
    return name


def submit(
    service: Service,
    batch_id: str,
    chain_id: int,
    state: State = State.CREATED,
    *,
    submitter: str = SUBMITTER,
    reason: str = "",
) -> Submission:
    """A submission of a batch."""
    submission = Submission(
        submission_id=f"{batch_id}-{chain_id}",
        chain_id=chain_id,
        submitter=submitter,
        contract="0x" + "22" * 20,
        commitment=hashlib.sha256(batch_id.encode()).digest(),
        leaf_count=1,
        state=state,
        batch_id=batch_id,
        reason=reason,
    )
    service.parts.journal.create(submission)
    return submission


def add_batches(service: Service, *states: tuple[State, State]) -> None:
    """Batches 1, 2, … on both chains, in these states."""
    for sequence, pair in enumerate(states, start=1):
        name = add_batch(service, sequence)
        for chain_id, state in zip(CHAINS, pair, strict=True):
            submit(service, name, chain_id, state)
