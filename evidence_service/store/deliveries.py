"""Telling webhooks: whose turn it is, and how it went.

Several workers deliver at once. One takes a delivery by a lease on its webhook: at most one request is on its
way to an endpoint, and what a worker that died had taken is taken again when the lease is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, text, update

from evidence_service.store import schema
from evidence_service.store.events import Event
from evidence_service.store.tenancy import Store
from evidence_service.store.webhooks import disable, still_signing

_AT_ONCE = 4
"""Requests on their way to endpoints of one organisation."""
_HOOKS, _DELIVERIES, _EVENTS = schema.webhooks, schema.deliveries, schema.events


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery somebody has taken, with what it needs.

    Attributes:
        sealed: the secrets that sign, newest first.
        attempt: this one's number, from 1; what is recorded of it counts only while it is the newest.
        failures: of the webhook, in a row.
    """

    organisation_id: str
    webhook_id: str
    url: str = field(repr=False)
    sealed: tuple[bytes, ...] = field(repr=False)
    event: Event
    attempt: int
    failures: int
    created_at: datetime


class Deliveries(Store):
    """Deliveries in PostgreSQL, for the worker. Every method is one transaction."""

    def take(self, *, now: datetime, lease: timedelta) -> Taken | None:
        """Take the delivery that is due and whose turn it is; None when there is none.

        Organisations with the fewest requests on their way come first, then the webhook that has waited the
        longest: neither many webhooks of one organisation nor a slow one hold up the others for long.
        """
        busy = _HOOKS.alias("busy")
        in_flight = (
            select(func.count())
            .where(busy.c.organisation_id == _HOOKS.c.organisation_id, busy.c.leased_until > now)
            .scalar_subquery()
        )
        due = and_(
            _DELIVERIES.c.webhook_id == _HOOKS.c.id,
            text(f"deliveries.{schema.DELIVERABLE}"),
            _DELIVERIES.c.next_at <= now,
        )
        free = (
            select(_HOOKS.c.id)
            .where(
                _HOOKS.c.disabled_at.is_(None),
                or_(_HOOKS.c.leased_until.is_(None), _HOOKS.c.leased_until <= now),
                or_(_HOOKS.c.rests_until.is_(None), _HOOKS.c.rests_until <= now),
                exists().where(due),
                in_flight < _AT_ONCE,
            )
            .order_by(in_flight, _HOOKS.c.served_at.nulls_first(), _HOOKS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True, of=_HOOKS)
        )
        with self._engine.begin() as connection:
            webhook_id = connection.execute(free).scalar_one_or_none()
            if webhook_id is None:
                return None
            position = connection.execute(
                select(_DELIVERIES.c.position)
                .where(due, _HOOKS.c.id == webhook_id)
                .order_by(_DELIVERIES.c.next_at, _DELIVERIES.c.position)
                .limit(1)
            ).scalar_one_or_none()
            if position is None:
                return None  # changed since, by a worker whose lease was over
            hook = connection.execute(
                update(_HOOKS)
                .where(_HOOKS.c.id == webhook_id)
                .values(served_at=now, leased_until=now + lease)
                .returning(_HOOKS)
            ).one()
            taken = connection.execute(
                update(_DELIVERIES)
                .where(_DELIVERIES.c.webhook_id == webhook_id, _DELIVERIES.c.position == position)
                .values(attempt=_DELIVERIES.c.attempt + 1, last_at=now)
                .returning(_DELIVERIES)
            ).one()
            event = connection.execute(
                select(*(_EVENTS.c[name] for name in Event.__slots__)).where(
                    _EVENTS.c.organisation_id == hook.organisation_id, _EVENTS.c.position == taken.position
                )
            ).one()
        previous = [sealed for sealed, _ in still_signing(hook.previous, now)]
        return Taken(
            hook.organisation_id,
            hook.id,
            hook.url,
            (bytes(hook.sealed), *previous),
            Event(**event._mapping),
            taken.attempt,
            hook.failures,
            taken.created_at,
        )

    def delivered(self, taken: Taken, status: int, now: datetime) -> None:
        """It was taken by the endpoint."""
        with self._engine.begin() as connection:
            if _finish(connection, taken, state="delivered", next_at=None, last_status=status, problem=""):
                _release(connection, taken, failures=0, rests_until=None, delivered_at=now)

    def put_off(
        self, taken: Taken, *, until: datetime, rest: datetime, status: int | None, problem: str
    ) -> None:
        """It failed, and is tried again.

        Args:
            rest: until when the endpoint is left alone altogether.
        """
        with self._engine.begin() as connection:
            if _finish(connection, taken, next_at=until, last_status=status, problem=problem):
                _release(connection, taken, failures=_HOOKS.c.failures + 1, rests_until=rest)

    def give_up(self, taken: Taken, *, status: int | None, problem: str, now: datetime) -> bool:
        """It failed for too long; whether the webhook, which took nothing in all that time, is disabled."""
        with self._engine.begin() as connection:
            if not _finish(
                connection, taken, state="failed", next_at=None, last_status=status, problem=problem
            ):
                return False
            last = connection.execute(
                select(_HOOKS.c.delivered_at).where(_HOOKS.c.id == taken.webhook_id)
            ).scalar_one_or_none()
            _release(connection, taken, failures=_HOOKS.c.failures + 1)
            if last is not None and last >= taken.created_at:
                return False
            reason = f"nothing could be delivered from {taken.created_at:%Y-%m-%d %H:%M} UTC on: {problem}"
            return disable(connection, taken.webhook_id, reason, now)

    def gone(self, taken: Taken, status: int, now: datetime) -> None:
        """The endpoint wants to be told nothing any more."""
        with self._engine.begin() as connection:
            told = "the endpoint answered that it is gone"
            if _finish(connection, taken, state="gone", next_at=None, last_status=status, problem=told):
                _release(connection, taken)
                disable(connection, taken.webhook_id, f"{told} (HTTP {status})", now)


def _finish(connection: Connection, taken: Taken, **columns: Any) -> bool:
    """Record how an attempt ended, unless somebody has begun another one since; whether it was recorded."""
    changed = connection.execute(
        update(_DELIVERIES)
        .where(
            _DELIVERIES.c.webhook_id == taken.webhook_id,
            _DELIVERIES.c.position == taken.event.position,
            _DELIVERIES.c.attempt == taken.attempt,
        )
        .values(**columns)
        .returning(_DELIVERIES.c.position)
    )
    return changed.one_or_none() is not None


def _release(connection: Connection, taken: Taken, **columns: Any) -> None:
    connection.execute(
        update(_HOOKS).where(_HOOKS.c.id == taken.webhook_id).values(leased_until=None, **columns)
    )
