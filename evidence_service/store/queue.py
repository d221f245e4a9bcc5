"""The queue of captures: in which order they are taken, and how long one more would wait.

Urgent ones come first, then those whose receipts promise the earliest time. A list is promised less than the
workers can do (see :mod:`evidence_service.service.promise`), so single orders go before most of its rows and
its rows still keep their time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import DateTime, Interval, cast, func, literal, select, text

from evidence_service.core import document
from evidence_service.store import schema
from evidence_service.store.tenancy import Store

_RECENT = 100
"""Captures whose time is looked at."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry of the queue of work.

    Attributes:
        batch_by: what its receipt promises; None when there is no receipt.
    """

    id: str
    urgent: bool
    batch_by: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where one more capture comes.

    Attributes:
        ahead: captures before it.
        not_before: what the last of them is promised; None when it is the first.
    """

    ahead: int
    not_before: datetime | None


class CaptureQueue(Store):
    """The queue as the record has it."""

    def next(self, limit: int) -> list[Waiting]:
        """What is accepted and not registered for a batch yet, the most pressing first."""
        table = schema.evidence
        query = (
            select(table.c.id, table.c.urgent, table.c.batch_by)
            .where(text(schema.UNREGISTERED))
            .order_by(
                table.c.urgent.desc(), table.c.batch_by.asc().nulls_first(), table.c.created_at, table.c.id
            )
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Waiting(**row._mapping) for row in connection.execute(query)]

    def place(self, now: datetime, *, each: timedelta, needed: timedelta) -> Place:
        """The first place that breaks no promise given before.

        The capture in place n (from 0) is begun n × ``each`` from now and needs ``needed`` from then on.
        Whoever would be late if one more went before is not overtaken.
        """
        waiting = schema.queued_captures
        queued = (
            select(waiting.c.batch_by, func.row_number().over(order_by=waiting.c.batch_by).label("place"))
            .where(waiting.c.batch_by.is_not(None))
            .subquery()
        )
        pressed = select(func.max(queued.c.batch_by), func.max(queued.c.place)).where(
            queued.c.batch_by
            < literal(now + needed, DateTime(timezone=True)) + queued.c.place * cast(each, Interval)
        )
        with self._engine.connect() as connection:
            last, ahead = connection.execute(pressed).one()
        return Place(ahead or 0, last)

    def end(self) -> Place:
        """The place behind everybody."""
        waiting = schema.queued_captures
        query = select(func.count(), func.max(waiting.c.batch_by)).select_from(waiting)
        with self._engine.connect() as connection:
            count, last = connection.execute(query).one()
        return Place(count, last)

    def recent(self) -> list[timedelta]:
        """How long the last captures took, by the capture's own clock; the newest first."""
        table = schema.recent_captures
        query = select(table.c.started, table.c.finished).order_by(table.c.created_at.desc()).limit(_RECENT)
        with self._engine.connect() as connection:
            return [
                document.parse_time(row.finished, "capture") - document.parse_time(row.started, "capture")
                for row in connection.execute(query)
            ]
