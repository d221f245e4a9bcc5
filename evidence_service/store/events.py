"""What happened, in an order in which nothing comes late.

A trigger adds an event in the transaction that changes its subject. Identity values do not say when it can be
seen: transactions commit in another order than they began to write, and who reads "from just after 7" would
never see a 6 that is committed later. So an event has no position at first. Whoever tells events gives
positions, one at a time under a lock, to what is committed: a position never appears below one that could be
read. Positions count each organisation's events from 1 without a gap: nobody learns from them how much others
do, and a reader sees that he has missed none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text

from evidence_service.core.document import format_time
from evidence_service.store import schema
from evidence_service.store.tenancy import Store

CHANNEL = "evidence_events"
"""Of LISTEN and NOTIFY: an organisation's id says that events of it got positions."""
TRIAL = "webhook.test"
"""Type of the event that a webhook is tried with; only that webhook is told of it."""
_EVENTS = schema.events
_LOCK = 0x65767473  # "evts": any constant that no other advisory lock of this database uses
_PORTION = 1000

# Positions, what is to be delivered because of them, and the word to those who listen, in one statement: all
# of it or nothing. The condition is that of a partial index, word for word.
_NUMBER = f"""
    WITH settled AS (
        SELECT id, organisation_id, row_number() OVER (PARTITION BY organisation_id ORDER BY id) AS step
        FROM (
            SELECT id, organisation_id FROM events WHERE {schema.UNTOLD_EVENT} ORDER BY id LIMIT :portion
        ) AS next
    ), newest AS (
        SELECT of.organisation_id, COALESCE((
            SELECT position FROM events
            WHERE events.organisation_id = of.organisation_id AND position IS NOT NULL
            ORDER BY position DESC LIMIT 1), 0) AS position
        FROM (SELECT DISTINCT organisation_id FROM settled) AS of
    ), numbered AS (
        UPDATE events SET position = newest.position + settled.step
        FROM settled JOIN newest USING (organisation_id) WHERE events.id = settled.id
        RETURNING events.organisation_id, events.position, events.type, events.subject_id
    ), queued AS (
        INSERT INTO deliveries (webhook_id, organisation_id, position, created_at, next_at)
        SELECT webhooks.id, webhooks.organisation_id, numbered.position, :now, :now
        FROM numbered JOIN webhooks USING (organisation_id)
        WHERE webhooks.disabled_at IS NULL AND CASE WHEN numbered.type = '{TRIAL}'
            THEN webhooks.id = numbered.subject_id
            ELSE webhooks.types = '[]' OR webhooks.types ? numbered.type END
    ), heard AS (
        SELECT pg_notify('{CHANNEL}', organisation_id) FROM numbered GROUP BY organisation_id
    )
    SELECT (SELECT count(*) FROM numbered), (SELECT count(*) FROM heard)
"""  # noqa: S608 - constants of this module and of the schema


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        position: among the events of its organisation, from 1.
        type: what kind of thing and what became of it, e.g. ``evidence.anchored``.
        subject_id: of the evidence, certificate, exhibit or webhook.
        data: ids and states; the database's own words.
    """

    position: int
    type: str
    subject_id: str
    data: Mapping[str, Any]
    at: datetime

    @property
    def told(self) -> str:
        """What followers and webhooks are told, as JSON; the same bytes every time."""
        document = {
            "type": self.type,
            "timestamp": format_time(self.at),
            "position": self.position,
            "data": dict(self.data),
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class Events(Store):
    """Events in PostgreSQL."""

    def give_positions(self, now: datetime) -> int:
        """Give positions to what is committed and has none, and queue its deliveries; how many there were.

        0 also where another process is about it. For the worker, who sees all organisations.
        """
        with self._engine.begin() as connection:
            # A statement of its own: the next one has to see what whoever held the lock before has committed.
            if not connection.execute(select(func.pg_try_advisory_xact_lock(_LOCK))).scalar_one():
                return 0
            statement = text(_NUMBER)
            return int(connection.execute(statement, {"portion": _PORTION, "now": now}).one()[0])

    def after(self, organisation_id: str, position: int, *, limit: int) -> list[Event]:
        """An organisation's events from just after a position, oldest first."""
        query = (
            select(_EVENTS.c.position, _EVENTS.c.type, _EVENTS.c.subject_id, _EVENTS.c.data, _EVENTS.c.at)
            .where(_EVENTS.c.organisation_id == organisation_id, _EVENTS.c.position > position)
            .order_by(_EVENTS.c.position)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def newest(self, organisation_id: str) -> int:
        """Position of an organisation's newest event; 0 where there is none."""
        query = select(func.coalesce(func.max(_EVENTS.c.position), 0)).where(
            _EVENTS.c.organisation_id == organisation_id
        )
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def try_webhook(self, organisation_id: str, webhook_id: str) -> None:
        """Add the event a webhook is tried with."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(_EVENTS).values(
                    organisation_id=organisation_id,
                    type=TRIAL,
                    subject_id=webhook_id,
                    data={"id": webhook_id},
                )
            )
