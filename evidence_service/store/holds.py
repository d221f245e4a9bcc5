"""What keeps evidence from being deleted: legal holds, on it or on its matter, and its retention.

Placing a hold, approving a deletion and beginning one wait for one another (:func:`lock_matter`): of two that
come at the same time the later one sees what the earlier one did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from evidence_service.errors import ConflictError, DeletedError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.custody_room import Room
from evidence_service.store.records import append_custody
from evidence_service.store.tenancy import Store

_HOLDS, _RETENTIONS, _TOMBSTONES = schema.holds, schema.retentions, schema.tombstones


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold.

    Attributes:
        evidence_id, matter_id: one of the two: what is held.
        lifted_by, lifted_at, lift_reason: None while it stands.
    """

    id: str
    evidence_id: str | None
    matter_id: str | None
    reason: str
    placed_by: str
    at: datetime
    lifted_by: str | None = None
    lifted_at: datetime | None = None
    lift_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long evidence is kept at least."""

    evidence_id: str
    keep_until: datetime
    set_by: str
    at: datetime


class Holds(Store):
    """Holds and retention in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def place(self, hold: Hold, event: Mapping[str, Any]) -> Hold:
        """Place a hold; one with the same id changes nothing. On evidence it is told to its custody log.

        Args:
            event: members of the custody event.

        Raises:
            NotFoundError: no such evidence or matter.
            DeletedError: the evidence is deleted.
            ConflictError: its custody log has no room for it; a hold on the matter needs none.
        """
        values = {name: getattr(hold, name) for name in Hold.__slots__}
        with self._engine.begin() as connection:
            self._lock_subject(connection, hold)
            connection.execute(
                insert(_HOLDS)
                .values(**values, noted=hold.matter_id is None)
                .on_conflict_do_nothing(index_elements=["id"])
            )
            if hold.evidence_id is not None:
                key = f"hold {hold.id} placed"
                append_custody(connection, hold.evidence_id, key, event, hold.at, Room.OF_CALLERS)
        return self.hold(hold.id)

    def lift(self, hold_id: str, event: Mapping[str, Any], *, by: str, reason: str, at: datetime) -> Hold:
        """Lift a hold; the first time counts. Members and errors as for :meth:`place`."""
        hold = self.hold(hold_id)
        with self._engine.begin() as connection:
            lifted = connection.execute(
                update(_HOLDS)
                .where(_HOLDS.c.id == hold_id, _HOLDS.c.lifted_at.is_(None))
                .values(lifted_by=by, lifted_at=at, lift_reason=reason, noted=hold.matter_id is None)
            )
            if lifted.rowcount and hold.evidence_id is not None:
                append_custody(connection, hold.evidence_id, f"hold {hold_id} lifted", event, at)
        return self.hold(hold_id)

    def hold(self, hold_id: str) -> Hold:
        """A hold.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(_holds().where(_HOLDS.c.id == hold_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no hold {hold_id}")
        return Hold(**row._mapping)

    def holds(
        self,
        *,
        evidence_id: str | None = None,
        matter_id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Hold]:
        """Holds on a matter, or on a piece of evidence and its matter, lifted ones included, by id."""
        if evidence_id is not None:
            query = _holds().where(_of_evidence(evidence_id))
        else:
            query = _holds().where(_HOLDS.c.matter_id == matter_id)
        if after is not None:
            query = query.where(_HOLDS.c.id > after)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_HOLDS.c.id).limit(limit))
            return [Hold(**row._mapping) for row in rows]

    def unnoted(self) -> list[str]:
        """Ids of holds on matters that custody logs do not tell of yet, or not that they were lifted."""
        query = select(_HOLDS.c.id).where(text(schema.UNNOTED_HOLD)).order_by(_HOLDS.c.id)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def note(self, hold: Hold) -> None:
        """The custody logs tell of a hold as it was read; that it was lifted since is still to be told."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_HOLDS)
                .where(_HOLDS.c.id == hold.id, _HOLDS.c.lifted_at.is_not_distinct_from(hold.lifted_at))
                .values(noted=True)
            )

    def held_evidence(self, matter_id: str) -> list[str]:
        """Ids of the evidence of a matter that is not deleted."""
        table = schema.evidence
        query = (
            select(table.c.id)
            .outerjoin(_TOMBSTONES, _TOMBSTONES.c.evidence_id == table.c.id)
            .where(table.c.matter_id == matter_id, _TOMBSTONES.c.evidence_id.is_(None))
            .order_by(table.c.id)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def retention(self, evidence_id: str) -> Retention | None:
        """The retention of a piece of evidence, where one was set."""
        query = select(*schema.facts(_RETENTIONS)).where(_RETENTIONS.c.evidence_id == evidence_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Retention(**row._mapping)

    def retain(self, wanted: Retention, event: Mapping[str, Any]) -> Retention:
        """Set the retention of a piece of evidence; told to its custody log.

        Raises:
            NotFoundError: no such evidence.
            DeletedError: it is deleted.
            ConflictError: it would end earlier than before while a hold stands, or its custody log is full.
        """
        values = {name: getattr(wanted, name) for name in Retention.__slots__}
        with self._engine.begin() as connection:
            lock_matter(connection, wanted.evidence_id)
            before = connection.execute(
                select(_RETENTIONS.c.keep_until).where(_RETENTIONS.c.evidence_id == wanted.evidence_id)
            ).scalar_one_or_none()
            holds = standing(connection, wanted.evidence_id)
            if before is not None and wanted.keep_until < before and holds:
                raise ConflictError(
                    f"retention is not shortened while a hold stands: {', '.join(holds)}",
                    what_to_do="lift the hold first, or choose a later time",
                )
            if wanted.keep_until != before:
                connection.execute(
                    insert(_RETENTIONS)
                    .values(**values)
                    .on_conflict_do_update(index_elements=["evidence_id"], set_=values)
                )
                key = f"retain {wanted.keep_until.isoformat()} {wanted.at.isoformat()}"
                append_custody(connection, wanted.evidence_id, key, event, wanted.at, Room.OF_CALLERS)
        return wanted

    @staticmethod
    def _lock_subject(connection: Connection, hold: Hold) -> None:
        if hold.evidence_id is not None:
            lock_matter(connection, hold.evidence_id)
            return
        matters = schema.matters
        query = select(matters.c.id).where(matters.c.id == hold.matter_id)
        if connection.execute(query.with_for_update(key_share=True)).one_or_none() is None:
            raise NotFoundError(f"there is no matter {hold.matter_id}")


def lock_matter(connection: Connection, evidence_id: str, *, deleted: bool = False) -> None:
    """Let nobody else place holds on, or decide about, evidence of the same matter until the end.

    Args:
        deleted: whether it may be deleted already.

    Raises:
        NotFoundError: there is no such evidence.
        DeletedError: it is deleted.
    """
    matters, evidence = schema.matters, schema.evidence
    found = connection.execute(
        select(matters.c.id)
        .join(evidence, evidence.c.matter_id == matters.c.id)
        .where(evidence.c.id == evidence_id)
        # New evidence of the matter does not wait: its foreign key asks for less.
        .with_for_update(key_share=True, of=matters)
    ).one_or_none()
    if found is None:
        raise NotFoundError(f"there is no evidence {evidence_id}")
    if deleted:
        return
    gone = connection.execute(
        select(_TOMBSTONES.c.at, _TOMBSTONES.c.reason).where(_TOMBSTONES.c.evidence_id == evidence_id)
    ).one_or_none()
    if gone is not None:
        raise was_deleted(evidence_id, gone.at, gone.reason)


def was_deleted(evidence_id: str, at: datetime, reason: str) -> DeletedError:
    """What is said about files that are gone."""
    return DeletedError(
        f"the files of evidence {evidence_id} were deleted at {at:%Y-%m-%dT%H:%M:%SZ}: {reason}",
        what_to_do="its manifest, custody log, proofs and certificates are still there",
    )


def standing(connection: Connection, evidence_id: str) -> list[str]:
    """Ids of the holds that stand on a piece of evidence or on its matter."""
    query = select(_HOLDS.c.id).where(_of_evidence(evidence_id), _HOLDS.c.lifted_at.is_(None))
    return list(connection.execute(query.order_by(_HOLDS.c.id)).scalars())


def kept_until(connection: Connection, evidence_id: str) -> datetime | None:
    """How long a piece of evidence is kept at least; None where nothing was set."""
    query = select(_RETENTIONS.c.keep_until).where(_RETENTIONS.c.evidence_id == evidence_id)
    return connection.execute(query).scalar_one_or_none()


def _of_evidence(evidence_id: str) -> ColumnElement[bool]:
    evidence = schema.evidence
    matter = select(evidence.c.matter_id).where(evidence.c.id == evidence_id).scalar_subquery()
    return or_(_HOLDS.c.evidence_id == evidence_id, _HOLDS.c.matter_id == matter)


def _holds() -> Any:
    return select(*(item for item in schema.facts(_HOLDS) if item.name != "noted"))
