"""Exhibits: what was ordered, for whom, and what was made of it.

The plan of a redaction holds the personal data it is to hide. It is gone in the transaction that records that
the exhibit was made, or was refused; the table itself takes one beside the status ``ordered`` only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from evidence_service.errors import NotFoundError
from evidence_service.store import schema
from evidence_service.store.holds import lock_matters, refuse_deleted
from evidence_service.store.tenancy import Store

_TABLE = schema.exhibits


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One exhibit.

    Attributes:
        evidence: ids, in the order in which they were named.
        operator: who ordered it.
        audience: ``court`` or ``opponent``; recipient: who is to get it.
        plan: what is masked; None once it is made or refused.
        status: ordered → made | refused.
        problem: ``message`` and ``what_to_do`` where it was refused.
        sha256, size: of the package in the object store, once it is made.
        files: what became of each file, once it is made.
    """

    id: str
    evidence: Sequence[str]
    operator: str
    audience: str
    recipient: str
    purpose: str
    plan: Mapping[str, Any] | None = field(repr=False)
    status: str
    waiting_for: str | None
    problem: Mapping[str, str] | None
    sha256: bytes | None
    size: int | None
    files: Sequence[Mapping[str, Any]] | None
    ordered_at: datetime
    operator_role: str = schema.OPERATOR


class Exhibits(Store):
    """Exhibits in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def order(self, exhibit: Exhibit) -> None:
        """Record an order; one with the same id changes nothing.

        A deletion that begins afterwards waits until the exhibit is made or refused.

        Raises:
            DeletedError: some of the evidence is deleted.
        """
        values = {name: getattr(exhibit, name) for name in Exhibit.__slots__}
        with self._engine.begin() as connection:
            lock_matters(connection, exhibit.evidence)
            refuse_deleted(connection, exhibit.evidence)
            connection.execute(
                insert(_TABLE)
                .values(**{**values, "evidence": list(exhibit.evidence)})
                .on_conflict_do_nothing()
            )

    def exhibit(self, exhibit_id: str) -> Exhibit:
        """One exhibit.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(
                select(*schema.facts(_TABLE)).where(_TABLE.c.id == exhibit_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no exhibit {exhibit_id}")
        found = Exhibit(**row._mapping)
        # Until it is made, the column says what somebody is about to store.
        return found if found.status == "made" else replace(found, sha256=None)

    def ordered(self, limit: int) -> list[str]:
        """Ids of those that are still to be made: each organisation's oldest, then their next ones."""
        age = _TABLE.c.ordered_at, _TABLE.c.id
        turn = func.row_number().over(partition_by=_TABLE.c.organisation_id, order_by=age)
        query = select(_TABLE.c.id).where(text(schema.UNMADE)).order_by(turn, *age).limit(limit)
        with self._engine.connect() as connection:
            return [row.id for row in connection.execute(query)]

    def packages(self) -> list[tuple[str, bytes]]:
        """Id and SHA-256 of each package that was made and is kept."""
        query = (
            select(_TABLE.c.id, _TABLE.c.sha256)
            .where(_TABLE.c.status == "made", ~_deleted())
            .order_by(_TABLE.c.id)
        )
        with self._engine.connect() as connection:
            return [(row.id, bytes(row.sha256)) for row in connection.execute(query)]

    def packages_of(self, evidence_id: str) -> list[bytes]:
        """SHA-256 of each package with a piece of evidence in it, also of one that was never finished."""
        query = select(_TABLE.c.sha256).where(
            _TABLE.c.sha256.is_not(None), _TABLE.c.evidence.has_key(evidence_id)
        )
        with self._engine.connect() as connection:
            return [bytes(row.sha256) for row in connection.execute(query)]

    def announce(self, exhibit_id: str, sha256: bytes) -> bytes | None:
        """Say which package is about to be stored; the one that was announced before, if it is another.

        So whoever makes it again, after one who was killed, knows what that one may have stored.
        """
        ordered = _TABLE.c.id == exhibit_id, text(schema.UNMADE)
        with self._engine.begin() as connection:
            before: bytes | None = connection.execute(
                select(_TABLE.c.sha256).where(*ordered).with_for_update()
            ).scalar_one_or_none()
            connection.execute(update(_TABLE).where(*ordered).values(sha256=sha256))
        return None if before == sha256 else before

    def made(self, exhibit_id: str, *, sha256: bytes, size: int, files: Sequence[Mapping[str, Any]]) -> bool:
        """Record that it was made and checked, once; whether it is this package that is given out.

        It is not when another worker took the work over meanwhile.
        """
        values = {"status": "made", "size": size, "files": list(files)}
        self._finish(exhibit_id, _TABLE.c.sha256 == sha256, **values)
        return self.exhibit(exhibit_id).sha256 == sha256

    def refuse(self, exhibit_id: str, message: str, what_to_do: str = "") -> None:
        """Record that it cannot be made, and why."""
        self._finish(exhibit_id, status="refused", problem={"message": message, "what_to_do": what_to_do})

    def note_waiting(self, exhibit_id: str, waiting_for: str | None) -> None:
        """Say what is being waited for."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_TABLE).where(_TABLE.c.id == exhibit_id).values(waiting_for=waiting_for)
            )

    def _finish(self, exhibit_id: str, *where: ColumnElement[bool], **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(_TABLE)
                .where(_TABLE.c.id == exhibit_id, _TABLE.c.status == "ordered", *where)
                .values(**values, plan=None, waiting_for=None)
            )


def _deleted() -> ColumnElement[bool]:
    """Whether evidence in it is deleted: what was made of its files goes with them."""
    tombstones = schema.tombstones
    return exists().where(_TABLE.c.evidence.has_key(tombstones.c.evidence_id))
