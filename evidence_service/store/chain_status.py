"""What the last round on each chain saw, for people and metrics; kept in the database for every process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.store import schema
from evidence_service.store.tenancy import Store


@dataclass(frozen=True, slots=True)
class Status:
    """Of one key on one chain.

    Attributes:
        at: time of the round.
        seen: head, final block, nonce, balance, nodes, …, as the sender's round reported them.
        events: name → how often since the beginning.
    """

    chain_id: int
    submitter: str
    at: datetime
    seen: Mapping[str, Any]
    events: Mapping[str, int]


class ChainStatus(Store):
    """Status of every chain in PostgreSQL."""

    def record(
        self,
        chain_id: int,
        submitter: str,
        *,
        at: datetime,
        seen: Mapping[str, Any],
        events: Mapping[str, int],
    ) -> None:
        """Replace what was seen and add to the events counted so far."""
        table = schema.chain_status
        key = (table.c.chain_id == chain_id) & (table.c.submitter == submitter)
        with self._engine.begin() as connection:
            before = connection.execute(select(table.c.status).where(key).with_for_update()).scalar()
            total = dict((before or {}).get("events", {}))
            for name, count in events.items():
                total[name] = total.get(name, 0) + count
            values = {"at": at, "status": {"seen": dict(seen), "events": total}}
            connection.execute(
                upsert(table)
                .values(chain_id=chain_id, submitter=submitter, **values)
                .on_conflict_do_update(index_elements=["chain_id", "submitter"], set_=values)
            )

    def all(self) -> list[Status]:
        """Every key on every chain that was ever used."""
        table = schema.chain_status
        with self._engine.connect() as connection:
            rows = connection.execute(select(table).order_by(table.c.chain_id, table.c.submitter))
            return [
                Status(row.chain_id, row.submitter, row.at, row.status["seen"], row.status["events"])
                for row in rows
            ]
