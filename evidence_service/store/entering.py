"""Registered digests become evidence: in portions, each one transaction, each row once.

Whoever takes a portion holds its rows until the end of the transaction, and others skip them (PostgreSQL,
SELECT, SKIP LOCKED): several workers share the work. A crash before the commit leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, Row, select, text, update

from evidence_service.store import schema
from evidence_service.store.records import Matter
from evidence_service.store.registrations import Stated

_ROWS, _LISTS, _MATTERS = schema.registrations, schema.registration_lists, schema.matters


@dataclass(frozen=True, slots=True)
class Waiting:
    """A registration that is no evidence yet.

    Attributes:
        receipt: None for a row of a list.
    """

    id: str
    organisation_id: str
    matter_id: str
    operator: str
    operator_role: str
    stated: Stated
    accepted_at: datetime
    batch_by: datetime
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class Entered:
    """What becomes of one.

    Attributes:
        salt: 32 bytes; events: of its custody log, the whole of it.
    """

    of: Waiting
    manifest: bytes
    salt: bytes
    receipt: bytes
    events: Sequence[Mapping[str, Any]]


Make = Callable[[Sequence[Waiting], Mapping[str, Matter]], Sequence[Entered]]
_EVIDENCE = """
INSERT INTO evidence (kind, certificate_wanted, status, progress, outcome, registered_at, id, organisation_id,
  matter_id, operator, operator_role, created_at, batch_by, manifest, salt)
SELECT 'digest', false, 'registered', 'registered', 'received', %(now)s, *
FROM unnest(%(ids)b::text[], %(organisations)b::text[], %(matters)b::text[], %(operators)b::text[],
  %(roles)b::text[], %(accepted)b::timestamptz[], %(batch_by)b::timestamptz[], %(manifests)b::bytea[],
  %(salts)b::bytea[])
"""
_RECEIPTS = """
INSERT INTO receipts (evidence_id, organisation_id, document)
SELECT * FROM unnest(%(ids)b::text[], %(organisations)b::text[], %(receipts)b::bytea[])
"""
# What a search finds it by; the trigger on evidence reads captures and uploads alone.
_TERMS = """
INSERT INTO evidence_terms (evidence_id, organisation_id, kind, term)
SELECT id, organisation_id, 'sha256', encode(sha256, 'hex')
FROM unnest(%(ids)b::text[], %(organisations)b::text[], %(sha256)b::bytea[])
  AS found (id, organisation_id, sha256)
"""
_EVENTS = """
INSERT INTO custody_events (evidence_id, organisation_id, sequence, step_key, event)
SELECT * FROM unnest(%(ids)b::text[], %(organisations)b::text[], %(sequences)b::int[], %(steps)b::text[],
  %(events)b::jsonb[])
"""


def enter(engine: Engine, make: Make, *, now: datetime, portion: int) -> int:
    """Make evidence of the most pressing registrations; how many there were to take.

    Args:
        engine: with the worker's rights, bound to no organisation.
        make: rows and their matters, by id → what becomes of them; rows it leaves out go on waiting. When it
            raises, nothing of the portion is entered.
    """
    with engine.begin() as connection:
        query = (
            select(_ROWS, _LISTS.c.matter_id.label("of_list"))
            .select_from(_ROWS.outerjoin(_LISTS, _LISTS.c.id == _ROWS.c.list_id))
            .where(text(schema.UNENTERED))
            .order_by(_ROWS.c.batch_by)
            .limit(portion)
            .with_for_update(skip_locked=True, of=_ROWS)
        )
        rows = [_waiting(row) for row in connection.execute(query)]
        if rows and (entered := make(rows, _matters(connection, rows))):
            _enter(connection, entered, now)
        return len(rows)


def _waiting(row: Row[Any]) -> Waiting:
    stated = Stated(row.name, row.media_type, row.size, row.sha256, row.sha3_512)
    return Waiting(
        row.id,
        row.organisation_id,
        row.matter_id or row.of_list,
        row.operator,
        row.operator_role,
        stated,
        row.accepted_at,
        row.batch_by,
        row.receipt,
    )


def _matters(connection: Connection, rows: Sequence[Waiting]) -> dict[str, Matter]:
    found = connection.execute(select(_MATTERS).where(_MATTERS.c.id.in_({row.matter_id for row in rows})))
    return {
        row.id: Matter(row.id, row.reference, row.applicant, tuple(row.rights), row.created_at)
        for row in found
    }


def _enter(connection: Connection, entered: Sequence[Entered], now: datetime) -> None:
    ids = [item.of.id for item in entered]
    organisations = [item.of.organisation_id for item in entered]
    connection.exec_driver_sql(
        _EVIDENCE,
        {
            "now": now,
            "ids": ids,
            "organisations": organisations,
            "matters": [item.of.matter_id for item in entered],
            "operators": [item.of.operator for item in entered],
            "roles": [item.of.operator_role for item in entered],
            "accepted": [item.of.accepted_at for item in entered],
            "batch_by": [item.of.batch_by for item in entered],
            "manifests": [item.manifest for item in entered],
            "salts": [item.salt for item in entered],
        },
    )
    connection.exec_driver_sql(
        _RECEIPTS,
        {"ids": ids, "organisations": organisations, "receipts": [item.receipt for item in entered]},
    )
    connection.exec_driver_sql(
        _TERMS,
        {"ids": ids, "organisations": organisations, "sha256": [item.of.stated.sha256 for item in entered]},
    )
    events = [(item.of, event) for item in entered for event in item.events]
    connection.exec_driver_sql(
        _EVENTS,
        {
            "ids": [of.id for of, _ in events],
            "organisations": [of.organisation_id for of, _ in events],
            "sequences": [event["sequence"] for _, event in events],
            "steps": [event["action"] for _, event in events],
            "events": [Jsonb(event) for _, event in events],
        },
    )
    connection.execute(update(_ROWS).where(_ROWS.c.id.in_(ids)).values(entered=True))
