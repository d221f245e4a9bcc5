"""Lists of captures: which rows came in together, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.errors import NotFoundError
from evidence_service.store import schema
from evidence_service.store.certificate_orders import refusal
from evidence_service.store.tenancy import Store

_LISTS, _ROWS, _EVIDENCE = schema.capture_lists, schema.capture_list_rows, schema.evidence


@dataclass(frozen=True, slots=True)
class NewRow:
    """One row: accepted as a piece of evidence, or refused with a problem."""

    position: int
    url: str
    label: str
    evidence_id: str | None = None
    problem: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class NewList:
    """A list as it is accepted."""

    id: str
    matter_id: str
    operator: str
    created_at: datetime
    rows: Sequence[NewRow]


@dataclass(frozen=True, slots=True)
class CaptureList:
    """A list and where its rows stand.

    Attributes:
        statuses: how many accepted rows have each status; outcomes: how many captures ended in each way.
        stopped: accepted rows whose work was refused later.
    """

    id: str
    matter_id: str
    operator: str
    created_at: datetime
    accepted: int
    refused: int
    stopped: int
    statuses: Mapping[str, int]
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A row and where its evidence stands; the evidence's members are None when the row was refused."""

    position: int
    url: str
    label: str
    problem: Mapping[str, str] | None
    evidence_id: str | None
    status: str | None
    progress: str | None
    waiting_for: str | None
    outcome: str | None
    reasons: Sequence[str] | None
    batch_by: datetime | None
    refused: bool | None
    certificate_refused: str | None


class Lists(Store):
    """Lists in PostgreSQL."""

    def get(self, list_id: str) -> CaptureList:
        """A list with its counts.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            found = connection.execute(
                select(*schema.facts(_LISTS)).where(_LISTS.c.id == list_id)
            ).one_or_none()
            if found is None:
                raise NotFoundError(f"there is no capture list {list_id}")
            groups = connection.execute(
                select(
                    _EVIDENCE.c.status, _EVIDENCE.c.outcome, _EVIDENCE.c.refused, func.count().label("rows")
                )
                .select_from(_ROWS.outerjoin(_EVIDENCE, _EVIDENCE.c.id == _ROWS.c.evidence_id))
                .where(_ROWS.c.list_id == list_id)
                .group_by(_EVIDENCE.c.status, _EVIDENCE.c.outcome, _EVIDENCE.c.refused)
            ).all()
        statuses: dict[str, int] = {}
        outcomes: dict[str, int] = {}
        for group in groups:
            if group.status is not None:
                statuses[group.status] = statuses.get(group.status, 0) + group.rows
            if group.outcome is not None:
                outcomes[group.outcome] = outcomes.get(group.outcome, 0) + group.rows
        return CaptureList(
            **found._mapping,
            accepted=sum(statuses.values()),
            refused=sum(group.rows for group in groups if group.status is None),
            stopped=sum(group.rows for group in groups if group.refused),
            statuses=statuses,
            outcomes=outcomes,
        )

    def rows(self, list_id: str, *, after: int = 0, limit: int) -> list[Row]:
        """Rows in their order, from just after a position."""
        query = (
            select(
                _ROWS.c.position,
                _ROWS.c.url,
                _ROWS.c.label,
                _ROWS.c.problem,
                _ROWS.c.evidence_id,
                _EVIDENCE.c.status,
                _EVIDENCE.c.progress,
                _EVIDENCE.c.waiting_for,
                _EVIDENCE.c.outcome,
                _EVIDENCE.c.capture[("outcome", "reasons")].label("reasons"),
                _EVIDENCE.c.batch_by,
                _EVIDENCE.c.refused,
                refusal().label("certificate_refused"),
            )
            .select_from(_ROWS.outerjoin(_EVIDENCE, _EVIDENCE.c.id == _ROWS.c.evidence_id))
            .where(_ROWS.c.list_id == list_id, _ROWS.c.position > after)
            .order_by(_ROWS.c.position)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Row(**row._mapping) for row in connection.execute(query)]


def add(connection: Connection, new: NewList) -> None:
    """Record a list; repeating it with the same id changes nothing."""
    added = connection.execute(
        upsert(_LISTS)
        .values(id=new.id, matter_id=new.matter_id, operator=new.operator, created_at=new.created_at)
        .on_conflict_do_nothing()
        .returning(_LISTS.c.id)
    ).one_or_none()
    if added is None or not new.rows:
        return
    connection.execute(
        insert(_ROWS),
        [
            {
                "list_id": new.id,
                "position": row.position,
                "url": row.url,
                "label": row.label,
                "evidence_id": row.evidence_id,
                "problem": None if row.problem is None else dict(row.problem),
            }
            for row in new.rows
        ],
    )
