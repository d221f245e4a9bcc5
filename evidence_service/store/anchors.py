"""Where each batch stands on each chain, for people: submissions beside their batches, newest batch first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, exists, func, select, true

from evidence_service.store import schema
from evidence_service.store.tenancy import Store

_DONE = "sealed"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One batch on one chain.

    Attributes:
        state: of the submission; ``sealed`` when its proof is stored.
        attempts: transactions signed for it.
        reason: why it is held up, in words; empty otherwise.
    """

    batch_id: str
    sequence: int
    size: int
    commitment: bytes
    closed_at: datetime
    chain_id: int
    submitter: str
    contract: str
    state: str
    nonce: int | None
    attempts: int
    transaction_hash: str | None
    block_number: int | None
    block_hash: str | None
    reason: str

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.state == _DONE


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not done on a chain.

    Attributes:
        states: state → how many submissions.
        oldest: when the oldest batch among them was closed; None without any.
    """

    states: dict[str, int]
    oldest: datetime | None


class Anchors(Store):
    """Reads of submissions for people and metrics."""

    def page(
        self, *, before: int | None = None, limit: int = 100, open_only: bool = False
    ) -> tuple[list[Anchor], int | None]:
        """Anchors of the newest batches, and the sequence before which to go on; None after the last.

        Args:
            before: only batches with a lower sequence.
            limit: at most so many batches, each with all its rows.
            open_only: without anchors that are done.
        """
        table, batches = schema.submissions, schema.batches
        wanted = table.c.state != _DONE if open_only else true()
        newest = (
            select(batches.c.sequence)
            .where(exists().where(table.c.batch_id == batches.c.id, wanted))
            .order_by(batches.c.sequence.desc())
            # One more tells whether there is a next page.
            .limit(limit + 1)
        )
        if before is not None:
            newest = newest.where(batches.c.sequence < before)
        query = _rows().where(batches.c.sequence.in_(newest), wanted)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(batches.c.sequence.desc(), table.c.chain_id))
            found = [_anchor(row) for row in rows]
        sequences = list(dict.fromkeys(item.sequence for item in found))
        if len(sequences) <= limit:
            return found, None
        return [item for item in found if item.sequence != sequences[-1]], sequences[-2]

    def of_batch(self, batch_id: str) -> list[Anchor]:
        """The batch's anchors by chain id."""
        table = schema.submissions
        query = _rows().where(table.c.batch_id == batch_id).order_by(table.c.chain_id)
        with self._engine.connect() as connection:
            return [_anchor(row) for row in connection.execute(query)]

    def backlog(self, chain_id: int) -> Backlog:
        """What is not done on a chain."""
        table, batches = schema.submissions, schema.batches
        query = (
            select(table.c.state, func.count(), func.min(batches.c.closed_at))
            .join(batches, batches.c.id == table.c.batch_id)
            .where(table.c.chain_id == chain_id, table.c.state != _DONE)
            .group_by(table.c.state)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        states = {state: count for state, count, _ in rows}
        return Backlog(states, min((oldest for _, _, oldest in rows), default=None))


def _rows() -> Select[Any]:
    table, batches = schema.submissions, schema.batches
    # In the order of the fields of Anchor.
    return select(
        batches.c.id,
        batches.c.sequence,
        batches.c.size,
        batches.c.commitment,
        batches.c.closed_at,
        table.c.chain_id,
        table.c.submitter,
        table.c.contract,
        table.c.state,
        table.c.nonce,
        func.jsonb_array_length(table.c.attempts),
        table.c.transaction_hash,
        table.c.block_number,
        table.c.block_hash,
        table.c.reason,
    ).join(batches, batches.c.id == table.c.batch_id)


def _anchor(row: Row[Any]) -> Anchor:
    return Anchor(*tuple(row))
