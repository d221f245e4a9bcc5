"""The queue of captures: in which order they are taken, and how long one more would wait.

Whose turn it is decides :mod:`evidence_service.service.turns`. A list is promised less than the workers can
do (see :mod:`evidence_service.service.promise`), so single orders go before most of its rows and its rows
still keep their time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import DateTime, Interval, cast, func, literal, select, text

from evidence_service.core import document
from evidence_service.store import schema
from evidence_service.store.tenancy import Store, end_when_paused, organisation_of

_RECENT = 100
"""Captures whose time is looked at."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry of the queue of work.

    Attributes:
        batch_by: what its receipt promises; None when there is no receipt.
    """

    id: str
    organisation: str
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

    def waits(self) -> bool:
        """Whether anything is accepted and not registered for a batch yet."""
        query = select(select(schema.evidence.c.id).where(text(schema.UNREGISTERED)).exists())
        with self._engine.connect() as connection:
            return bool(connection.execute(query).scalar_one())

    @contextmanager
    def dispatching(self) -> Iterator[bool]:
        """Whether this is the one that decides what comes next, across processes; does not wait."""
        with self._engine.begin() as connection:
            end_when_paused(connection)
            lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended('evidence dispatch', 0))")
            yield bool(connection.execute(lock).scalar_one())

    def next(self, limit: int, *, without: Collection[str] = ()) -> list[Waiting]:
        """What is accepted and not registered for a batch yet, the most pressing of each organisation first.

        Args:
            limit: of each organisation.
            without: ids that are left out.
        """
        table = schema.evidence
        order = table.c.urgent.desc(), table.c.batch_by.asc().nulls_first(), table.c.created_at, table.c.id
        turn = func.row_number().over(partition_by=table.c.organisation_id, order_by=order)
        first = (
            select(
                table.c.id,
                table.c.organisation_id.label("organisation"),
                table.c.urgent,
                table.c.batch_by,
                turn.label("turn"),
            )
            .where(text(schema.UNREGISTERED), table.c.id.not_in(list(without)))
            .subquery()
        )
        columns = [first.c[name] for name in Waiting.__dataclass_fields__]
        query = (
            select(*columns)
            .where(first.c.turn <= limit)
            .order_by(first.c.urgent.desc(), first.c.batch_by.asc().nulls_first(), first.c.turn, first.c.id)
        )
        with self._engine.connect() as connection:
            return [Waiting(**row._mapping) for row in connection.execute(query)]

    def still_waiting(self, ids: Collection[str]) -> set[str]:
        """Those of some pieces of evidence that are neither registered for a batch nor refused."""
        table = schema.evidence
        query = select(table.c.id).where(text(schema.UNREGISTERED), table.c.id.in_(list(ids)))
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def organisations(self, ids: Collection[str]) -> Counter[str]:
        """How many of some pieces of evidence each organisation has."""
        table = schema.evidence
        query = select(table.c.organisation_id).where(table.c.id.in_(list(ids)))
        with self._engine.connect() as connection:
            return Counter(connection.execute(query).scalars())

    def singles(self) -> int:
        """Captures that wait and are of no list, of the organisation this is bound to."""
        table, rows = schema.evidence, schema.capture_list_rows
        listed = select(rows.c.evidence_id).where(rows.c.evidence_id == table.c.id).exists()
        query = select(func.count()).select_from(table).where(text(schema.UNCAPTURED), ~listed)
        organisation_id = organisation_of(self._engine)
        if organisation_id is not None:
            query = query.where(table.c.organisation_id == organisation_id)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

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
