"""Registered digests: one or thousands become durable in one transaction, or none of them does.

COPY is closed to whom row-level security binds (PostgreSQL, COPY, notes): rows come as arrays of one INSERT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from evidence_service.core.digest import Digest
from evidence_service.errors import NotFoundError
from evidence_service.store import schema
from evidence_service.store.tenancy import Store, work_for

_ROWS, _LISTS, _EVIDENCE = schema.registrations, schema.registration_lists, schema.evidence


class Stated(NamedTuple):
    """A file as its owner states it; a tuple, for there are thousands in a request.

    Attributes:
        name: in the form of a path (formats.md, section 3).
        size: in bytes; sha256: 32 bytes; sha3_512: 64 bytes.
    """

    name: str
    media_type: str
    size: int
    sha256: bytes
    sha3_512: bytes

    @property
    def digest(self) -> Digest:
        """Size and digests."""
        return Digest(self.size, self.sha256, self.sha3_512)


@dataclass(frozen=True, slots=True)
class NewRegistration:
    """A digest that is registered by itself.

    Attributes:
        id: of the evidence it becomes.
        receipt: the signed document.
    """

    id: str
    matter_id: str
    operator: str
    stated: Stated
    accepted_at: datetime
    batch_by: datetime
    receipt: bytes
    operator_role: str = schema.OPERATOR


@dataclass(frozen=True, slots=True)
class NewRegistrationList:
    """Digests that are registered together.

    Attributes:
        size: rows that came in.
        refused: position → name and problem of each row that was refused.
        rows: the accepted ones: position, id of the evidence, what was stated.
        receipt: the signed document; None where every row was refused.
    """

    id: str
    matter_id: str
    operator: str
    accepted_at: datetime
    batch_by: datetime
    size: int
    refused: Mapping[str, Mapping[str, str]]
    request_sha256: bytes
    receipt: bytes | None
    rows: Sequence[tuple[int, str, Stated]]
    operator_role: str = schema.OPERATOR


@dataclass(frozen=True, slots=True)
class RegistrationList:
    """A list as it was accepted; members as above."""

    id: str
    matter_id: str
    operator: str
    accepted_at: datetime
    batch_by: datetime
    size: int
    refused: Mapping[str, Mapping[str, str]]
    request_sha256: bytes
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered digest and where its evidence stands.

    Attributes:
        status, batch_id: of the evidence; None until a worker has entered it.
    """

    id: str
    matter_id: str
    list_id: str | None
    position: int | None
    name: str
    media_type: str
    size: int
    sha256: bytes
    sha3_512: bytes
    operator: str
    operator_role: str
    accepted_at: datetime
    batch_by: datetime
    receipt: bytes | None
    status: str | None
    batch_id: str | None


_FACTS = [
    func.coalesce(_ROWS.c.matter_id, _LISTS.c.matter_id).label("matter_id"),
    *(item for item in schema.facts(_ROWS) if item.name not in ("matter_id", "entered")),
]
_JOINED = _ROWS.outerjoin(_LISTS, _LISTS.c.id == _ROWS.c.list_id)
# Arrays of a row each, in binary: as text, thousands of them take a hundred times as long.
_ADD = """
INSERT INTO registrations (organisation_id, id, matter_id, operator, operator_role, name, media_type, size,
  sha256, sha3_512, accepted_at, batch_by, receipt)
SELECT %(organisation)s, new.* FROM unnest(%(ids)b::text[], %(matters)b::text[], %(operators)b::text[],
  %(roles)b::text[], %(names)b::text[], %(media_types)b::text[], %(sizes)b::bigint[], %(sha256)b::bytea[],
  %(sha3_512)b::bytea[], %(accepted)b::timestamptz[], %(batch_by)b::timestamptz[], %(receipts)b::bytea[])
  AS new (id, matter_id, operator, operator_role, name, media_type, size, sha256, sha3_512, accepted_at,
  batch_by, receipt)
WHERE EXISTS (SELECT FROM matters WHERE matters.id = new.matter_id)
ON CONFLICT DO NOTHING RETURNING id
"""
_ADD_LIST = """
INSERT INTO registration_lists (id, matter_id, operator, accepted_at, batch_by, size, refused, request_sha256,
  receipt)
VALUES (%(id)s, %(matter_id)s, %(operator)s, %(accepted_at)s, %(batch_by)s, %(size)s, %(refused)s,
  %(request_sha256)s, %(receipt)s)
ON CONFLICT DO NOTHING
"""
_ADD_ROWS = """
INSERT INTO registrations (organisation_id, list_id, operator, operator_role, accepted_at, batch_by, position,
  id, name, media_type, size, sha256, sha3_512)
SELECT %(organisation)s, %(list)s, %(operator)s, %(role)s, %(accepted)s, %(batch_by)s, *
FROM unnest(%(positions)b::int[], %(ids)b::text[], %(names)b::text[], %(media_types)b::text[],
  %(sizes)b::bigint[], %(sha256)b::bytea[], %(sha3_512)b::bytea[])
"""


def no_matter(matter_id: str) -> NotFoundError:
    """Says that a matter is not there, or not one's own."""
    return NotFoundError(f"there is no matter {matter_id}", what_to_do="register the matter first")


class Registrations(Store):
    """Registered digests in PostgreSQL."""

    def add(self, new: Mapping[str, Sequence[NewRegistration]]) -> dict[str, list[NewRegistration | None]]:
        """Record registrations of some organisations; the engine has to be bound to none of them.

        One transaction; when it returns, all of it is durable. What is there already is left as it is.

        Args:
            new: by organisation; each one's rows are inserted under its own setting.

        Returns:
            For each of them, in the same order, what is recorded under its id now; None where there is no
            such matter and nothing was recorded.
        """
        with self._engine.begin() as connection:
            found = {}
            # In one order everywhere: two processes with the same keys must not wait for one another.
            for organisation_id in sorted(new):
                work_for(connection, organisation_id)
                found[organisation_id] = _add(connection, organisation_id, new[organisation_id])
        return found

    def add_list(self, organisation_id: str, new: NewRegistrationList) -> RegistrationList:
        """Record a list with its rows in one transaction, once; what is recorded under its id now.

        Args:
            organisation_id: whose; the engine has to be bound to none.

        Raises:
            NotFoundError: there is no such matter; nothing is recorded.
        """
        values = {name: getattr(new, name) for name in RegistrationList.__slots__}
        with self._engine.begin() as connection:
            work_for(connection, organisation_id)
            try:
                added = connection.exec_driver_sql(_ADD_LIST, {**values, "refused": Jsonb(new.refused)})
            except IntegrityError as error:
                raise no_matter(new.matter_id) from error  # a list refers to nothing else
            if not added.rowcount:
                return _list(connection, new.id)
            if new.rows:
                _add_rows(connection, organisation_id, new)
        return RegistrationList(**values)

    def get(self, registration_id: str) -> Registration:
        """One registration.

        Raises:
            NotFoundError: there is none with this id.
        """
        found = self.some([registration_id])
        if not found:
            raise NotFoundError(f"there is no registration {registration_id}")
        return found[registration_id]

    def some(self, ids: Sequence[str]) -> dict[str, Registration]:
        """Those registrations that there are, by id."""
        query = (
            select(*_FACTS, _EVIDENCE.c.status, _EVIDENCE.c.batch_id)
            .select_from(_JOINED.outerjoin(_EVIDENCE, _EVIDENCE.c.id == _ROWS.c.id))
            .where(_ROWS.c.id.in_(ids))
        )
        with self._engine.connect() as connection:
            return {row.id: Registration(**row._mapping) for row in connection.execute(query)}

    def list(self, list_id: str) -> RegistrationList:
        """One list.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            return _list(connection, list_id)

    def statuses(self, list_id: str) -> dict[str, int]:
        """How many accepted rows of a list have each status; those not entered yet count as accepted."""
        status = func.coalesce(_EVIDENCE.c.status, "accepted")
        query = (
            select(status.label("status"), func.count().label("rows"))
            .select_from(_ROWS.outerjoin(_EVIDENCE, _EVIDENCE.c.id == _ROWS.c.id))
            .where(_ROWS.c.list_id == list_id)
            .group_by(status)
        )
        with self._engine.connect() as connection:
            return {row.status: row.rows for row in connection.execute(query)}


def _list(connection: Connection, list_id: str) -> RegistrationList:
    row = connection.execute(select(*schema.facts(_LISTS)).where(_LISTS.c.id == list_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no registration list {list_id}")
    return RegistrationList(**row._mapping)


def _add(
    connection: Connection, organisation_id: str, new: Sequence[NewRegistration]
) -> list[NewRegistration | None]:
    first: dict[str, NewRegistration] = {}
    for item in new:
        first.setdefault(item.id, item)
    # In one order, as above.
    items = [first[name] for name in sorted(first)]
    added = set(
        connection.exec_driver_sql(
            _ADD,
            {
                "organisation": organisation_id,
                "ids": [item.id for item in items],
                "matters": [item.matter_id for item in items],
                "operators": [item.operator for item in items],
                "roles": [item.operator_role for item in items],
                "accepted": [item.accepted_at for item in items],
                "batch_by": [item.batch_by for item in items],
                "receipts": [item.receipt for item in items],
                **_columns([item.stated for item in items]),
            },
        ).scalars()
    )
    if len(added) == len(items):
        return [first[item.id] for item in new]
    # Of a matter that is not there, or of another transaction, which has ended by now.
    found: dict[str, NewRegistration] = {name: first[name] for name in added}
    found |= _recorded(connection, [name for name in first if name not in added])
    others = [item for item in new if item.id not in found and item.matter_id != first[item.id].matter_id]
    if others:  # two under one id: the first one's matter is not there, the next one's may be
        answers = zip(others, _add(connection, organisation_id, others), strict=True)
        found |= {item.id: answer for item, answer in answers if answer is not None}
    return [found.get(item.id) for item in new]


def _recorded(connection: Connection, ids: Sequence[str]) -> dict[str, NewRegistration]:
    rows = connection.execute(select(*_FACTS).select_from(_JOINED).where(_ROWS.c.id.in_(ids)))
    return {
        row.id: NewRegistration(
            row.id,
            row.matter_id,
            row.operator,
            Stated(row.name, row.media_type, row.size, row.sha256, row.sha3_512),
            row.accepted_at,
            row.batch_by,
            row.receipt,
            row.operator_role,
        )
        for row in rows
    }


def _add_rows(connection: Connection, organisation_id: str, new: NewRegistrationList) -> None:
    connection.exec_driver_sql(
        _ADD_ROWS,
        {
            "organisation": organisation_id,
            "list": new.id,
            "operator": new.operator,
            "role": new.operator_role,
            "accepted": new.accepted_at,
            "batch_by": new.batch_by,
            "positions": [position for position, _, _ in new.rows],
            "ids": [evidence_id for _, evidence_id, _ in new.rows],
            **_columns([stated for _, _, stated in new.rows]),
        },
    )


def _columns(stated: Sequence[Stated]) -> dict[str, list[Any]]:
    return {
        "names": [item.name for item in stated],
        "media_types": [item.media_type for item in stated],
        "sizes": [item.size for item in stated],
        "sha256": [item.sha256 for item in stated],
        "sha3_512": [item.sha3_512 for item in stated],
    }
