"""The custody log of each organisation: its custody events, in the order they were logged, in one chain.

An event is queued in the transaction that records it (a trigger does that, so no way of recording one leaves
it out), and logged soon after by one worker at a time. Between the two its own evidence's chain binds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.core import custody, custody_log
from evidence_service.store import schema
from evidence_service.store.tenancy import Store, end_when_paused

_LOG, _PENDING, _CHECKPOINTS = schema.custody_log, schema.custody_pending, schema.custody_checkpoints
_EVENTS = schema.custody_events
_PORTION = 1_000
# For each organisation by the log's own key, from the newest checkpoint on: never the log as a whole. Without
# the order the planner expects to come upon an entry soon wherever it begins.
UNCHECKED = """
SELECT o.id FROM organisations o
CROSS JOIN LATERAL (SELECT coalesce(max(c.size), 0) AS size FROM custody_checkpoints c
                    WHERE c.organisation_id = o.id) covered
CROSS JOIN LATERAL (SELECT FROM custody_log l
                    WHERE l.organisation_id = o.id AND l.position > covered.size
                    AND NOT EXISTS (SELECT FROM custody_checkpoints own
                                    WHERE own.evidence_id = l.evidence_id
                                    AND own.organisation_id = l.organisation_id)
                    ORDER BY l.position LIMIT 1) happened
ORDER BY o.id
"""
"""Organisations in whose logs something happened since their newest checkpoint."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of an organisation's custody log.

    Attributes:
        position: from 1; sequence: of the event in the log of its evidence.
        event_hash: 32 bytes; head: of the chain up to here, 32 bytes.
    """

    position: int
    evidence_id: str
    sequence: int
    event_hash: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was made.

    Attributes:
        document: its bytes (``evidence-custody-checkpoint/1``).
        evidence_id: as which its digest is anchored.
    """

    size: int
    document: bytes
    evidence_id: str


@dataclass(frozen=True, slots=True)
class NewCheckpoint:
    """A checkpoint to be kept.

    Attributes:
        follows: size of the checkpoint before it; 0 for the first.
        matter, evidence: rows of the matter and the evidence it is registered as, without organisation.
        events: custody log of that evidence.
    """

    size: int
    follows: int
    document: bytes
    matter: Mapping[str, Any]
    evidence: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]


class CustodyLog(Store):
    """Custody logs in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    # --- for the worker, who sees all of them ---

    def waiting(self) -> list[str]:
        """Organisations with events that are not logged yet."""
        with self._engine.connect() as connection:
            return list(connection.execute(select(_PENDING.c.organisation_id).distinct()).scalars())

    def log(self, organisation_id: str) -> int:
        """Log what waits, in the order it was recorded, and say how much that was; at most 1,000 at once."""
        with self._engine.begin() as connection:
            # One at a time: the position and the head before must not change under us.
            _lock(connection, organisation_id)
            rows = connection.execute(
                select(_PENDING.c.id, _EVENTS.c.evidence_id, _EVENTS.c.sequence, _EVENTS.c.event)
                .join(
                    _EVENTS,
                    (_EVENTS.c.evidence_id == _PENDING.c.evidence_id)
                    & (_EVENTS.c.sequence == _PENDING.c.sequence)
                    & (_EVENTS.c.organisation_id == _PENDING.c.organisation_id),
                )
                .where(_PENDING.c.organisation_id == organisation_id)
                .order_by(_PENDING.c.id)
                .limit(_PORTION)
            ).all()
            if not rows:
                return 0
            last = _last(connection, organisation_id)
            position, head = (0, custody_log.START) if last is None else (last.position, last.head)
            entries: list[dict[str, Any]] = []
            for row in rows:
                found = custody.event_hash(row.event)
                position, head = position + 1, custody_log.extend(head, found)
                entries.append(
                    {
                        "organisation_id": organisation_id,
                        "position": position,
                        "evidence_id": row.evidence_id,
                        "sequence": row.sequence,
                        "event_hash": found,
                        "head": head,
                    }
                )
            connection.execute(insert(_LOG), entries)
            connection.execute(delete(_PENDING).where(_PENDING.c.id.in_([row.id for row in rows])))
            return len(rows)

    def unchecked(self) -> list[str]:
        """Organisations in whose logs something happened since their last checkpoint.

        What the checkpoints themselves brought about does not count: it would never end.
        """
        with self._engine.connect() as connection:
            return list(connection.execute(text(UNCHECKED)).scalars())

    def add_checkpoint(self, organisation_id: str, new: NewCheckpoint) -> None:
        """Keep a checkpoint and enter its digest for the next batch, in one transaction; repeating it changes
        nothing.

        Nothing is kept either where another worker has kept one since this one was made: it would not follow
        that one.
        """
        with self._engine.begin() as connection:
            _lock(connection, organisation_id)
            newest = connection.execute(
                select(func.coalesce(func.max(_CHECKPOINTS.c.size), 0)).where(
                    _CHECKPOINTS.c.organisation_id == organisation_id
                )
            ).scalar_one()
            if newest != new.follows or new.size <= newest:
                return
            owner = {"organisation_id": organisation_id}
            connection.execute(upsert(schema.matters).values(**new.matter, **owner).on_conflict_do_nothing())
            connection.execute(insert(schema.evidence).values(**new.evidence, **owner))
            connection.execute(
                insert(_EVENTS),
                [
                    {
                        "evidence_id": event["evidence_id"],
                        "sequence": event["sequence"],
                        "step_key": event["action"],
                        "event": event,
                        **owner,
                    }
                    for event in new.events
                ],
            )
            connection.execute(
                insert(_CHECKPOINTS).values(
                    size=new.size, document=new.document, evidence_id=new.evidence["id"], **owner
                )
            )

    # --- for everybody, one organisation at a time ---

    def last(self, organisation_id: str) -> Entry | None:
        """The newest entry."""
        with self._engine.connect() as connection:
            return _last(connection, organisation_id)

    def entries(self, organisation_id: str, *, after: int = 0, limit: int = 200) -> list[tuple[Entry, Any]]:
        """Entries in their order, each with its event as it is stored now; None where that is gone."""
        query = (
            select(*schema.facts(_LOG), _EVENTS.c.event)
            .select_from(
                _LOG.outerjoin(
                    _EVENTS,
                    (_EVENTS.c.evidence_id == _LOG.c.evidence_id)
                    & (_EVENTS.c.sequence == _LOG.c.sequence)
                    & (_EVENTS.c.organisation_id == _LOG.c.organisation_id),
                )
            )
            .where(_LOG.c.organisation_id == organisation_id, _LOG.c.position > after)
            .order_by(_LOG.c.position)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [
                (
                    Entry(
                        row.position, row.evidence_id, row.sequence, bytes(row.event_hash), bytes(row.head)
                    ),
                    row.event,
                )
                for row in connection.execute(query)
            ]

    def checkpoints(self, organisation_id: str, *, after: int = 0, limit: int = 200) -> list[Checkpoint]:
        """Checkpoints by their size, from just after one of them."""
        query = (
            select(_CHECKPOINTS.c.size, _CHECKPOINTS.c.document, _CHECKPOINTS.c.evidence_id)
            .where(_CHECKPOINTS.c.organisation_id == organisation_id, _CHECKPOINTS.c.size > after)
            .order_by(_CHECKPOINTS.c.size)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [
                Checkpoint(row.size, bytes(row.document), row.evidence_id)
                for row in connection.execute(query)
            ]

    def last_checkpoint(self, organisation_id: str) -> Checkpoint | None:
        """The newest checkpoint."""
        query = (
            select(_CHECKPOINTS.c.size, _CHECKPOINTS.c.document, _CHECKPOINTS.c.evidence_id)
            .where(_CHECKPOINTS.c.organisation_id == organisation_id)
            .order_by(_CHECKPOINTS.c.size.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Checkpoint(row.size, bytes(row.document), row.evidence_id)

    # --- for the audit ---

    def unaccounted(self, organisation_id: str) -> Iterator[tuple[str, int]]:
        """Evidence and sequence of events that are neither logged nor waiting to be, or wait and are gone.

        Each in the organisation it belongs to: what is another one's counts as gone here, and an event whose
        evidence, or its matter, is another one's as unaccounted for.
        """
        query = text(
            """
            SELECT e.evidence_id, e.sequence FROM custody_events e
            WHERE e.organisation_id = :organisation
            AND (NOT EXISTS (SELECT FROM custody_log l
                             WHERE l.evidence_id = e.evidence_id AND l.sequence = e.sequence
                             AND l.organisation_id = e.organisation_id)
                 AND NOT EXISTS (SELECT FROM custody_pending p
                                 WHERE p.evidence_id = e.evidence_id AND p.sequence = e.sequence
                                 AND p.organisation_id = e.organisation_id)
                 OR NOT EXISTS (SELECT FROM evidence v JOIN matters m
                                ON m.id = v.matter_id AND m.organisation_id = v.organisation_id
                                WHERE v.id = e.evidence_id AND v.organisation_id = e.organisation_id))
            UNION ALL
            SELECT p.evidence_id, p.sequence FROM custody_pending p
            WHERE p.organisation_id = :organisation
            AND NOT EXISTS (SELECT FROM custody_events e
                            WHERE e.evidence_id = p.evidence_id AND e.sequence = p.sequence
                            AND e.organisation_id = p.organisation_id)
            """
        )
        with self._engine.connect() as connection:
            for row in connection.execute(query, {"organisation": organisation_id}):
                yield row.evidence_id, row.sequence


def _lock(connection: Connection, organisation_id: str) -> None:
    end_when_paused(connection)
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"custody log {organisation_id}"},
    )


def _last(connection: Connection, organisation_id: str) -> Entry | None:
    row = connection.execute(
        select(*schema.facts(_LOG))
        .where(_LOG.c.organisation_id == organisation_id)
        .order_by(_LOG.c.position.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Entry(row.position, row.evidence_id, row.sequence, bytes(row.event_hash), bytes(row.head))
