"""Batches: entries are closed into one under a lock, so that sequence and order are decided once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, insert, select, text, update

from evidence_service.core import batch, merkle
from evidence_service.core.digest import digest_of
from evidence_service.errors import NotFoundError
from evidence_service.store import schema

_CLOSING_LOCK = 0x62617463  # "batc"


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed batch.

    Attributes:
        status: closed → anchored.
        header: canonical bytes; commitment: 32 bytes.
    """

    id: str
    sequence: int
    status: str
    header: bytes
    commitment: bytes
    size: int
    closed_at: datetime
    waiting_for: str | None


class Batches:
    """Batches in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close_due(self, *, now: datetime, maximum_age: timedelta, maximum_size: int) -> Batch | None:
        """Close a batch when its first entry is old enough or there are enough of them; None otherwise."""
        entries = schema.evidence
        waiting = entries.c.registered_at.is_not(None) & entries.c.batch_id.is_(None)
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CLOSING_LOCK})
            count, oldest = connection.execute(
                select(func.count(), func.min(entries.c.registered_at)).where(waiting)
            ).one()
            if count == 0 or (count < maximum_size and now - oldest < maximum_age):
                return None
            rows = connection.execute(
                select(entries.c.id, entries.c.manifest, entries.c.salt)
                .where(waiting)
                .order_by(entries.c.registered_at, entries.c.id)
                .limit(maximum_size)
            ).all()
            last = connection.execute(
                select(schema.batches.c.sequence, schema.batches.c.commitment)
                .order_by(schema.batches.c.sequence.desc())
                .limit(1)
            ).one_or_none()
            sequence = 1 if last is None else last.sequence + 1
            tree = merkle.MerkleTree([batch.entry_leaf(digest_of(row.manifest), row.salt) for row in rows])
            header = batch.build_header(
                tree=tree,
                sequence=sequence,
                previous=None if last is None else last.commitment,
                opened_at=min(oldest, now),
                closed_at=now,
            )
            closed = Batch(
                id=f"batch-{sequence}",
                sequence=sequence,
                status="closed",
                header=header,
                commitment=batch.commitment(header),
                size=tree.size,
                closed_at=now,
                waiting_for=None,
            )
            connection.execute(
                insert(schema.batches).values(
                    **{name: getattr(closed, name) for name in Batch.__dataclass_fields__}
                )
            )
            for index, row in enumerate(rows):
                connection.execute(
                    update(entries)
                    .where(entries.c.id == row.id)
                    .values(batch_id=closed.id, leaf_index=index, progress="in a batch")
                )
            return closed

    def batch(self, batch_id: str) -> Batch:
        """A batch.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(
                select(schema.batches).where(schema.batches.c.id == batch_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        return Batch(**row._mapping)

    def unanchored(self) -> list[Batch]:
        """Closed batches whose anchoring is not finished."""
        query = select(schema.batches).where(schema.batches.c.status == "closed")
        with self._engine.connect() as connection:
            return [Batch(**row._mapping) for row in connection.execute(query)]

    def members(self, batch_id: str) -> list[str]:
        """Evidence ids in leaf order."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(schema.evidence.c.id)
                .where(schema.evidence.c.batch_id == batch_id)
                .order_by(schema.evidence.c.leaf_index)
            )
            return [row.id for row in rows]

    def tree(self, batch_id: str) -> merkle.MerkleTree:
        """The batch's tree, made again from the stored manifests and salts."""
        entries = schema.evidence
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(entries.c.manifest, entries.c.salt)
                .where(entries.c.batch_id == batch_id)
                .order_by(entries.c.leaf_index)
            )
            return merkle.MerkleTree([batch.entry_leaf(digest_of(row.manifest), row.salt) for row in rows])

    def note_waiting(self, batch_id: str, waiting_for: str | None) -> None:
        """Say what anchoring waits for, on the batch and on all its evidence."""
        with self._engine.begin() as connection:
            connection.execute(
                update(schema.batches).where(schema.batches.c.id == batch_id).values(waiting_for=waiting_for)
            )
            connection.execute(
                update(schema.evidence)
                .where(schema.evidence.c.batch_id == batch_id, schema.evidence.c.status == "registered")
                .values(waiting_for=waiting_for, progress="anchoring")
            )

    def finish(self, batch_id: str) -> None:
        """Record that the batch has every anchor it needs."""
        with self._engine.begin() as connection:
            connection.execute(
                update(schema.batches)
                .where(schema.batches.c.id == batch_id)
                .values(status="anchored", waiting_for=None)
            )

    def anchors(self, batch_id: str) -> list[dict[str, Any]]:
        """Proofs of the batch's final anchors, by chain id."""
        table = schema.submissions
        query = (
            select(table.c.proof)
            .where(table.c.batch_id == batch_id, table.c.state == "sealed")
            .order_by(table.c.chain_id)
        )
        with self._engine.connect() as connection:
            return [row.proof for row in connection.execute(query)]

    def unnoted(self) -> list[str]:
        """Submissions whose proof is stored and that the custody logs do not tell of yet."""
        table = schema.submissions
        query = select(table.c.id).where(
            table.c.state == "sealed", table.c.batch_id.is_not(None), ~table.c.noted
        )
        with self._engine.connect() as connection:
            return [row.id for row in connection.execute(query)]

    def note(self, submission_id: str) -> None:
        """Record that the custody logs tell of an anchor."""
        table = schema.submissions
        with self._engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == submission_id).values(noted=True))
