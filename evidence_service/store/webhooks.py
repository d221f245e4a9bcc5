"""Where organisations want to be told of events, and what became of telling them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.errors import ConflictError, NotFoundError, PolicyRefusedError
from evidence_service.store import schema
from evidence_service.store.administration import Change, lock, note
from evidence_service.store.events import TRIAL
from evidence_service.store.tenancy import Store

MOST = 20
"""Webhooks of an organisation."""
_KEPT = 5
"""Secrets before the current one that sign too."""
REPLAYED = 10_000
"""Events that one replay queues at most."""
_HOOKS, _DELIVERIES, _EVENTS = schema.webhooks, schema.deliveries, schema.events
_SHOWN = (
    "id",
    "url",
    "types",
    "created_at",
    "disabled_at",
    "reason",
    "failures",
    "delivered_at",
    "previous",
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint, without its secret.

    Attributes:
        types: of the events it is told of; empty for all.
        disabled_at: since when it is told nothing; reason: why.
        failures: in a row.
        delivered_at: when it last took an event.
        previous: secrets before the current one and until when each signs too, the newest first.
    """

    id: str
    url: str
    types: Sequence[str]
    created_at: datetime
    disabled_at: datetime | None
    reason: str
    failures: int
    delivered_at: datetime | None
    previous: Sequence[tuple[bytes, datetime]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of telling a webhook of an event.

    Attributes:
        state: pending → delivered | failed (given up) | gone (the endpoint wants no more).
        attempt: begun so far.
        next_at: when it is tried next; None when it is not.
        last_status: of HTTP; problem: in words.
    """

    position: int
    type: str
    attempt: int
    state: str
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None
    problem: str


class Webhooks(Store):
    """Webhooks in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def add(
        self, webhook_id: str, url: str, types: Sequence[str], sealed: bytes, *, now: datetime, noted: Change
    ) -> None:
        """Record a webhook.

        Raises:
            ConflictError: there is one with this id.
            PolicyRefusedError: the organisation has as many as it may.
        """
        with self._engine.begin() as connection:
            lock(connection)
            if connection.execute(select(exists().where(_HOOKS.c.id == webhook_id))).scalar_one():
                raise ConflictError(
                    f"webhook {webhook_id} was made by this request before; its secret was shown then",
                    what_to_do=f"POST /v1/webhooks/{webhook_id}/rotate gives it another one",
                )
            if connection.execute(select(func.count()).select_from(_HOOKS)).scalar_one() >= MOST:
                raise PolicyRefusedError(
                    f"an organisation has {MOST} webhooks at most", what_to_do="delete one that is not needed"
                )
            connection.execute(
                insert(_HOOKS).values(
                    id=webhook_id, url=url, types=list(types), sealed=sealed, created_at=now
                )
            )
            note(connection, noted)

    def webhook(self, webhook_id: str) -> Webhook:
        """One webhook.

        Raises:
            NotFoundError: there is none with this id.
        """
        query = select(*(_HOOKS.c[name] for name in _SHOWN)).where(_HOOKS.c.id == webhook_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _unknown(webhook_id)
        return _webhook(row)

    def all(self, *, after: str = "", limit: int = MOST) -> list[Webhook]:
        """Webhooks in the order of their ids, from just after one of them."""
        query = select(*(_HOOKS.c[name] for name in _SHOWN)).where(_HOOKS.c.id > after)
        query = query.order_by(_HOOKS.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [_webhook(row) for row in connection.execute(query)]

    def change(self, webhook_id: str, *, noted: Change, **columns: Any) -> None:
        """Change its address or types; it is tried at once again."""
        with self._engine.begin() as connection:
            _change(connection, webhook_id, {**columns, "rests_until": None})
            note(connection, noted)

    def enable(self, webhook_id: str, *, noted: Change) -> None:
        """Tell it what happens from now on, at once."""
        with self._engine.begin() as connection:
            _change(
                connection,
                webhook_id,
                {"disabled_at": None, "reason": "", "failures": 0, "rests_until": None},
            )
            note(connection, noted)

    def disable(self, webhook_id: str, reason: str, *, now: datetime, noted: Change) -> None:
        """Tell it nothing any more; what was still to be told is given up."""
        with self._engine.begin() as connection:
            if not disable(connection, webhook_id, reason, now):
                raise _unknown(webhook_id)
            note(connection, noted)

    def rotate(
        self, webhook_id: str, sealed: bytes, *, until: datetime, now: datetime, noted: Change
    ) -> None:
        """Sign with a new secret, and until a moment with the one before as well.

        Those before that one stay for their time: whoever repeats a request whose answer was lost does not
        take from the receiver the secret it still has.
        """
        with self._engine.begin() as connection:
            row = connection.execute(
                select(_HOOKS.c.sealed, _HOOKS.c.previous).where(_HOOKS.c.id == webhook_id).with_for_update()
            ).one_or_none()
            if row is None:
                raise _unknown(webhook_id)
            kept = [(bytes(row.sealed), until), *still_signing(row.previous, now)][:_KEPT]
            previous = [[item.hex(), end.isoformat()] for item, end in kept]
            _change(connection, webhook_id, {"previous": previous, "sealed": sealed})
            note(connection, noted)

    def delete(self, webhook_id: str, *, noted: Change) -> None:
        """Forget it and its deliveries."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(_HOOKS).where(_HOOKS.c.id == webhook_id).returning(_HOOKS.c.id))
            if gone.one_or_none() is None:
                raise _unknown(webhook_id)
            note(connection, noted)

    def deliveries(self, webhook_id: str, *, before: int | None, limit: int) -> list[Delivery]:
        """Its deliveries, newest event first.

        Args:
            before: position of the last one that is known already.
        """
        columns = [_DELIVERIES.c[name] for name in Delivery.__slots__ if name != "type"]
        query = (
            select(*columns, _EVENTS.c.type)
            .join(_EVENTS, _of_event())
            .where(_DELIVERIES.c.webhook_id == webhook_id)
            .order_by(_DELIVERIES.c.position.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(_DELIVERIES.c.position < before)
        with self._engine.connect() as connection:
            return [Delivery(**row._mapping) for row in connection.execute(query)]

    def replay(
        self, webhook_id: str, *, after: int, since: datetime | None, now: datetime, noted: Change
    ) -> tuple[int, int | None]:
        """Queue again what it wants to know and happened from just after a position, or from a moment.

        Where nothing did, nothing is written to the log.

        Returns:
            How many there were, and the last one's position where there may be more.
        """
        wanted = and_(
            _EVENTS.c.organisation_id == _HOOKS.c.organisation_id,
            _EVENTS.c.position > after,
            _EVENTS.c.type != TRIAL,
            or_(_HOOKS.c.types == [], _HOOKS.c.types.has_key(_EVENTS.c.type)),
        )
        query = (
            select(_HOOKS.c.id, _HOOKS.c.organisation_id, _EVENTS.c.position)
            .join(_EVENTS, wanted)
            .where(_HOOKS.c.id == webhook_id)
            .order_by(_EVENTS.c.position)
            .limit(REPLAYED)
        )
        if since is not None:
            query = query.where(_EVENTS.c.at >= since)
        fresh = {"attempt": 0, "state": "pending", "created_at": now, "next_at": now, "problem": ""}
        with self._engine.begin() as connection:
            found = connection.execute(query).all()
            if found:
                connection.execute(
                    upsert(_DELIVERIES).on_conflict_do_update(
                        index_elements=["webhook_id", "position"], set_={**fresh, "last_status": None}
                    ),
                    [
                        {
                            "webhook_id": row.id,
                            "organisation_id": row.organisation_id,
                            "position": row.position,
                        }
                        | fresh
                        for row in found
                    ],
                )
                note(connection, noted)
        return len(found), found[-1].position if len(found) == REPLAYED else None


def _of_event() -> Any:
    return and_(
        _EVENTS.c.organisation_id == _DELIVERIES.c.organisation_id,
        _EVENTS.c.position == _DELIVERIES.c.position,
    )


def still_signing(previous: Sequence[Sequence[str]], now: datetime) -> list[tuple[bytes, datetime]]:
    """Secrets before the current one whose time is not over, as the column has them, with their ends."""
    found = [(bytes.fromhex(sealed), datetime.fromisoformat(until)) for sealed, until in previous]
    return [(sealed, until) for sealed, until in found if until > now]


def _webhook(row: Row[Any]) -> Webhook:
    previous = [(bytes.fromhex(sealed), datetime.fromisoformat(until)) for sealed, until in row.previous]
    return Webhook(**{**row._mapping, "previous": previous})


def _unknown(webhook_id: str) -> NotFoundError:
    return NotFoundError(f"there is no webhook {webhook_id}", what_to_do="look at GET /v1/webhooks")


def _change(connection: Connection, webhook_id: str, columns: dict[str, Any]) -> None:
    changed = connection.execute(
        update(_HOOKS).where(_HOOKS.c.id == webhook_id).values(**columns).returning(_HOOKS.c.id)
    )
    if changed.one_or_none() is None:
        raise _unknown(webhook_id)


def disable(connection: Connection, webhook_id: str, reason: str, now: datetime) -> bool:
    """Disable a webhook, the first time counts; whether there is one."""
    changed = connection.execute(
        update(_HOOKS)
        .where(_HOOKS.c.id == webhook_id)
        .values(
            disabled_at=func.coalesce(_HOOKS.c.disabled_at, now),
            reason=func.coalesce(func.nullif(_HOOKS.c.reason, ""), reason),
        )
        .returning(_HOOKS.c.id)
    ).one_or_none()
    connection.execute(
        update(_DELIVERIES)
        .where(_DELIVERIES.c.webhook_id == webhook_id, text(schema.DELIVERABLE))
        .values(state="failed", next_at=None, problem="the webhook was disabled before")
    )
    return changed is not None
