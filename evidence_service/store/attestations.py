"""Attestations of batch headers by calendars: what is wanted, pending, complete. Every method is durable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.errors import NotFoundError
from evidence_service.store import schema
from evidence_service.store.tenancy import Store


@dataclass(frozen=True, slots=True)
class Attestation:
    """One batch at one calendar.

    Attributes:
        state: wanted → pending → complete; only forward.
        proof: detached ``.ots`` file over the batch header; None while it is wanted.
        attempt: how often the calendar was asked.
        next_at: when it is asked again; None when nothing is missing.
        waiting_for: why it did not go on, in words; None when it did.
    """

    batch_id: str
    calendar: str
    state: str
    proof: bytes | None
    attempt: int
    next_at: datetime | None
    submitted_at: datetime | None
    waiting_for: str | None


class Attestations(Store):
    """Attestations in PostgreSQL."""

    def want(self, calendars: Sequence[str], *, now: datetime, limit: int) -> None:
        """Ask each calendar for an attestation of every batch that has none yet, some at a time."""
        table, batches = schema.attestations, schema.batches
        with self._engine.begin() as connection:
            for calendar in calendars:
                known = select(table.c.batch_id).where(
                    table.c.batch_id == batches.c.id, table.c.calendar == calendar
                )
                found = connection.execute(
                    select(batches.c.id).where(~known.exists()).order_by(batches.c.sequence).limit(limit)
                )
                values = [
                    {
                        "batch_id": row.id,
                        "calendar": calendar,
                        "state": "wanted",
                        "attempt": 0,
                        "next_at": now,
                    }
                    for row in found
                ]
                if values:
                    connection.execute(upsert(table).values(values).on_conflict_do_nothing())

    def due(self, *, now: datetime, limit: int) -> list[Attestation]:
        """Those whose calendar is to be asked, longest waiting first."""
        table = schema.attestations
        query = select(table).where(table.c.next_at <= now).order_by(table.c.next_at).limit(limit)
        with self._engine.connect() as connection:
            return [Attestation(**row._mapping) for row in connection.execute(query)]

    def attestation(self, batch_id: str, calendar: str) -> Attestation:
        """One attestation.

        Raises:
            NotFoundError: none was asked for.
        """
        for item in self.of_batch(batch_id):
            if item.calendar == calendar:
                return item
        raise NotFoundError(f"no attestation of {batch_id} was asked for at {calendar}")

    def of_batch(self, batch_id: str) -> list[Attestation]:
        """All of a batch, by calendar."""
        table = schema.attestations
        query = select(table).where(table.c.batch_id == batch_id).order_by(table.c.calendar)
        with self._engine.connect() as connection:
            return [Attestation(**row._mapping) for row in connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """How many are in each state."""
        table = schema.attestations
        query = select(table.c.state, func.count()).group_by(table.c.state)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def keep(self, item: Attestation) -> None:
        """Write down what a calendar gave, or why it gave nothing."""
        table = schema.attestations
        with self._engine.begin() as connection:
            connection.execute(
                update(table)
                .where(table.c.batch_id == item.batch_id, table.c.calendar == item.calendar)
                # Two workers that asked at once: what is complete stays complete.
                .where(table.c.state != "complete")
                .values(
                    state=item.state,
                    proof=item.proof,
                    attempt=item.attempt,
                    next_at=item.next_at,
                    submitted_at=item.submitted_at,
                    waiting_for=item.waiting_for,
                )
            )
