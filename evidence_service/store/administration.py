"""The log of what administrators did: added to in the transaction of each change, and never edited.

Neither of the service's roles may update or delete a row of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, text

from evidence_service.store import schema
from evidence_service.store.tenancy import Store

_EVENTS = schema.administration_events

Action = Literal[
    "register_organisation",
    "add_member",
    "change_roles",
    "end_member",
    "issue_key",
    "revoke_key",
    "add_webhook",
    "change_webhook",
    "rotate_webhook",
    "delete_webhook",
    "replay_events",
    "set_release_rule",
    "confirm_member",
]


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to whom, by whom.

    Attributes:
        subject: id of the organisation, member, key or webhook.
        detail: what it is afterwards; nothing secret.
    """

    action: Action
    actor: str
    subject: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event(Change):
    """A change in the log.

    Attributes:
        sequence: counts within the organisation, from 1 without gaps.
    """

    sequence: int = 0


class Administration(Store):
    """The log in PostgreSQL."""

    def page(self, *, after: int = 0, limit: int = 100) -> list[Event]:
        """Events in their order, from just after one of them."""
        query = select(*schema.facts(_EVENTS)).where(_EVENTS.c.sequence > after)
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(_EVENTS.c.sequence).limit(limit))
            return [Event(**row._mapping) for row in found]


def lock(connection: Connection) -> None:
    """One administrative change at a time in each organisation, until the transaction ends.

    Two administrators who end each other at once are one after the other: the second finds himself the last.
    """
    connection.execute(
        text(
            "SELECT pg_advisory_xact_lock(hashtextextended('administration ' || evidence_organisation(), 0))"
        )
    )


def note(connection: Connection, change: Change) -> None:
    """Add a change to the log of the transaction's organisation."""
    lock(connection)
    own = _EVENTS.c.organisation_id == func.evidence_organisation()
    last = connection.execute(select(func.max(_EVENTS.c.sequence)).where(own)).scalar_one()
    values = {name: getattr(change, name) for name in Change.__slots__}
    connection.execute(
        insert(_EVENTS).values(**values | {"detail": dict(change.detail)}, sequence=(last or 0) + 1)
    )
