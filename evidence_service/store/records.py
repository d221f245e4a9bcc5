"""Matters, evidence and its custody log. Every method is one transaction; when it returns, it is durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, select, text, update

from evidence_service.core import custody, document
from evidence_service.core.rights import Right
from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import logins, schema
from evidence_service.store.certificate_orders import refusal
from evidence_service.store.custody_room import Room, full, nearly_full, without_room
from evidence_service.store.orders import Orders
from evidence_service.store.workers import Lease


@dataclass(frozen=True, slots=True)
class Matter:
    """A dispute that evidence is collected for.

    Attributes:
        rights: in the words of manifests, all of them.
        structured_rights: those of them that are known in their members.
        respondent, court, case_number: not in manifests; None where not known.
    """

    id: str
    reference: str
    applicant: str
    rights: tuple[str, ...]
    created_at: datetime
    structured_rights: tuple[Right, ...] = ()
    respondent: str | None = None
    court: str | None = None
    case_number: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence.

    Attributes:
        status: accepted → captured → sealed → stamped → registered → anchored → certified; only forward.
        progress: what is being done now, in words for people.
        waiting_for: what is unavailable, in words for people; None when nothing is.
        capture: how it was captured, as the capture step reported it.
        batch_by: what its receipt promises: the latest time by which it is in a closed batch.
        urgent: its batch closes as soon as it is registered.
        options: how the listing is captured, as ordered; None for what is not captured by the service.
        operator_role: the one by which it could be ordered.
        refused: its work has ended for good; progress says why.
        organisation_id: whose it is.
        deleted_at: when its files were deleted; None while they are kept.
        certificate_refused: why the order of its certificate was refused; None where one may still come.
    """

    id: str
    matter_id: str
    kind: str
    url: str | None
    operator: str
    operator_role: str
    certificate_wanted: bool
    status: str
    progress: str
    waiting_for: str | None
    outcome: str | None
    capture: Mapping[str, Any] | None
    manifest: bytes | None
    salt: bytes | None
    registered_at: datetime | None
    batch_id: str | None
    leaf_index: int | None
    created_at: datetime
    batch_by: datetime | None
    urgent: bool
    options: Mapping[str, Any] | None
    refused: bool
    organisation_id: str
    deleted_at: datetime | None
    certificate_refused: str | None


_PORTION = 250
"""Custody logs that one transaction appends to: each is a lock, and locks have room for some thousands."""

STATUSES = ("accepted", "captured", "sealed", "stamped", "registered", "anchored", "certified")


class Records(Orders):
    """The record in PostgreSQL, accepted orders and time stamps included."""

    # --- matters and evidence ---

    def add_matter(self, matter: Matter) -> None:
        """Record a new matter."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(schema.matters).values(
                    id=matter.id,
                    created_at=matter.created_at,
                    **_columns({name: getattr(matter, name) for name in _CHANGEABLE}),
                )
            )

    def change_matter(self, matter_id: str, changes: Mapping[str, Any]) -> Matter:
        """Change members of a matter; the matter as it is then. Sealed manifests keep what they say.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.begin() as connection:
            if changes:
                connection.execute(
                    update(schema.matters).where(schema.matters.c.id == matter_id).values(**_columns(changes))
                )
        return self.matter(matter_id)

    def matter(self, matter_id: str) -> Matter:
        """A matter.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(
                select(schema.matters).where(schema.matters.c.id == matter_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no matter {matter_id}", what_to_do="register the matter first")
        return _matter(row)

    def matters(
        self, *, reference: str | None = None, after: str | None = None, limit: int = 50
    ) -> list[Matter]:
        """Matters in the order of their ids, all or those with a reference, from just after one of them."""
        table = schema.matters
        query = select(table).order_by(table.c.id).limit(limit)
        if reference is not None:
            query = query.where(table.c.reference == reference)
        if after is not None:
            query = query.where(table.c.id > after)
        with self._engine.connect() as connection:
            return [_matter(row) for row in connection.execute(query)]

    def mark_urgent(self, evidence_id: str) -> None:
        """Have its batch closed as soon as it is registered; once it is in a batch nothing is left to do."""
        with self._engine.begin() as connection:
            connection.execute(
                update(schema.evidence).where(schema.evidence.c.id == evidence_id).values(urgent=True)
            )

    def evidence(self, evidence_id: str) -> Evidence:
        """One piece of evidence.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(
                select_evidence().where(schema.evidence.c.id == evidence_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no evidence {evidence_id}")
        return Evidence(**row._mapping)

    def some_evidence(self, evidence_ids: Sequence[str]) -> dict[str, Evidence]:
        """Those pieces of evidence that there are, by id."""
        query = select_evidence().where(schema.evidence.c.id.in_(evidence_ids))
        with self._engine.connect() as connection:
            return {row.id: Evidence(**row._mapping) for row in connection.execute(query)}

    def list_evidence(
        self,
        *,
        matter_id: str | None = None,
        after: str | None = None,
        limit: int = 100,
        not_by: str | None = None,
    ) -> list[Evidence]:
        """Evidence in the order of its ids, from just after one of them; without that of one operator."""
        query = select_evidence().order_by(schema.evidence.c.id).limit(limit)
        if matter_id is not None:
            query = query.where(schema.evidence.c.matter_id == matter_id)
        if after is not None:
            query = query.where(schema.evidence.c.id > after)
        if not_by is not None:
            query = query.where(schema.evidence.c.operator != not_by)
        with self._engine.connect() as connection:
            return [Evidence(**row._mapping) for row in connection.execute(query)]

    def count_evidence(self) -> int:
        """How many pieces of evidence there are."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(schema.evidence)).scalar_one())

    def certifiable(self) -> list[str]:
        """Ids of anchored evidence that a certificate is wanted for and that is not certified yet."""
        query = select(schema.evidence.c.id).where(text(schema.CERTIFIABLE))
        with self._engine.connect() as connection:
            return [row.id for row in connection.execute(query)]

    def advance(self, evidence_id: str, status: str, **columns: Any) -> None:
        """Move evidence forward to a status, with what was found; going back is ignored.

        Raises:
            ConflictError: a column that was already written would change.
        """
        with self._engine.begin() as connection:
            _advance(connection, evidence_id, status, columns)

    def captured(self, evidence_id: str, capture: Mapping[str, Any]) -> None:
        """Record what a capture found; the login state it was given is gone with the same transaction.

        Two workers may have captured at once; the first that is recorded counts, and the other's changes
        nothing.
        """
        found = {"capture": dict(capture), "outcome": capture["outcome"]["status"]}
        with self._engine.begin() as connection:
            if _unwritten(connection, evidence_id, schema.evidence.c.capture):
                _advance(connection, evidence_id, "captured", found)
                logins.forget(connection, evidence_id)

    def register(self, evidence_id: str, *, at: datetime) -> None:
        """Put a stamped manifest in line for the next batch, once."""
        with self._engine.begin() as connection:
            if _unwritten(connection, evidence_id, schema.evidence.c.registered_at):
                _advance(connection, evidence_id, "registered", {"registered_at": at})

    def refuse(self, evidence_id: str, why: str, *, lease: Lease | None = None) -> bool:
        """Record that the work on evidence ended for good, and why; its login state is gone with that.

        What is registered for a batch is not refused any more: its work has ended as it should.

        Args:
            lease: of the worker that says so; None where no worker does.

        Returns:
            False where that lease was taken away: the work is another one's, and nothing was recorded.
        """
        table = schema.evidence
        with self._engine.begin() as connection:
            if lease is not None and not lease.keeps(connection):
                return False
            refused = connection.execute(
                update(table)
                .where(table.c.id == evidence_id, table.c.registered_at.is_(None))
                .values(progress=why, waiting_for=None, refused=True)
            )
            if refused.rowcount:
                logins.forget(connection, evidence_id)
        return True

    def add_examination(self, evidence_id: str, described: Mapping[str, Any]) -> None:
        """Put an upload's description with its examination in the place of the one without, once."""
        table = schema.evidence
        with self._engine.begin() as connection:
            row = connection.execute(
                select(table.c.capture).where(table.c.id == evidence_id).with_for_update()
            ).one()
            if len(row.capture["files"]) == 1:
                connection.execute(
                    update(table).where(table.c.id == evidence_id).values(capture=dict(described))
                )

    def note_progress(self, evidence_id: str, progress: str, *, waiting_for: str | None = None) -> None:
        """Say what is being done, or what is being waited for."""
        with self._engine.begin() as connection:
            connection.execute(
                update(schema.evidence)
                .where(schema.evidence.c.id == evidence_id)
                .values(progress=progress, waiting_for=waiting_for)
            )

    # --- custody ---

    def append_custody(
        self,
        evidence_id: str,
        step_key: str,
        members: Mapping[str, Any],
        *,
        now: datetime,
        room: Room = Room.OF_SERVICE,
    ) -> dict[str, Any]:
        """Append an event to the custody log; one step key appends once, however often it is repeated.

        Args:
            members: action, actor, host, purpose, before, after, tool, detail.

        Raises:
            ConflictError: the log has no room for it.
        """
        with self._engine.begin() as connection:
            return append_custody(connection, evidence_id, step_key, members, now, room)

    def append_custody_each(
        self,
        evidence_ids: Sequence[str],
        step_key: str,
        members: Mapping[str, Any],
        *,
        now: datetime,
        room: Room = Room.OF_SERVICE,
    ) -> None:
        """The same event for much evidence, in portions that are a transaction each.

        A log that has no room for it is left as it is: one that is full keeps nothing from the others.
        """
        # In one order everywhere: two that append to the same logs must not wait for one another.
        ordered = sorted(evidence_ids)
        for start in range(0, len(ordered), _PORTION):
            portion = ordered[start : start + _PORTION]
            with self._engine.begin() as connection:
                _append_custody_each(connection, portion, step_key, members, now, room)

    def check_room(self, evidence_id: str, *, events: int, now: datetime) -> None:
        """Refuse what would need more events of a custody log than it has room for.

        Raises:
            ConflictError: it would.
        """
        with self._engine.connect() as connection:
            if nearly_full(connection, [evidence_id], events=events, now=now):
                raise full(evidence_id)

    def seal(
        self,
        evidence_id: str,
        *,
        build: Callable[[Sequence[Mapping[str, Any]]], bytes],
        event: Callable[[bytes], Mapping[str, Any]],
        salt: bytes,
        now: datetime,
    ) -> None:
        """Close the manifest over the custody log and append the sealing event in one transaction; once.

        Args:
            build: custody events so far → the manifest's bytes.
            event: the manifest's bytes → members of the sealing event.
            salt: of the manifest's entry in a batch, 32 bytes.
        """
        with self._engine.begin() as connection:
            _lock_custody(connection, [evidence_id])
            sealed = connection.execute(
                select(schema.evidence.c.manifest).where(schema.evidence.c.id == evidence_id)
            ).scalar_one()
            if sealed is not None:
                return
            manifest = build(_custody(connection, evidence_id))
            append_custody(connection, evidence_id, "seal", event(manifest), now)
            _advance(connection, evidence_id, "sealed", {"manifest": manifest, "salt": salt})

    def custody(self, evidence_id: str) -> list[dict[str, Any]]:
        """Events, oldest first."""
        with self._engine.connect() as connection:
            return _custody(connection, evidence_id)


def select_evidence() -> Select[Any]:
    """Rows of :class:`Evidence`."""
    table, tombstones = schema.evidence, schema.tombstones
    return select(
        table, tombstones.c.at.label("deleted_at"), refusal().label("certificate_refused")
    ).outerjoin(tombstones, tombstones.c.evidence_id == table.c.id)


def append_custody(
    connection: Connection,
    evidence_id: str,
    step_key: str,
    members: Mapping[str, Any],
    now: datetime,
    room: Room = Room.OF_SERVICE,
) -> dict[str, Any]:
    """As :meth:`Records.append_custody`, in the transaction that does what the event tells of."""
    found = _append_custody_each(connection, [evidence_id], step_key, members, now, room)
    if evidence_id not in found:
        raise full(evidence_id)
    return found[evidence_id]


def _matter(row: Row[Any]) -> Matter:
    return Matter(
        row.id,
        row.reference,
        row.applicant,
        tuple(row.rights),
        row.created_at,
        tuple(Right(**item) for item in row.structured_rights),
        row.respondent,
        row.court,
        row.case_number,
    )


_CHANGEABLE = ("reference", "applicant", "rights", "structured_rights", "respondent", "court", "case_number")


def _columns(members: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a matter as its row holds them."""
    found = dict(members)
    if "rights" in found:
        found["rights"] = list(found["rights"])
        found["structured_rights"] = [asdict(right) for right in found["structured_rights"]]
    return found


def _unwritten(connection: Connection, evidence_id: str, column: ColumnElement[Any]) -> bool:
    """Whether nobody wrote a column yet; from here to the end of the transaction nobody else can."""
    row = connection.execute(
        select(column).where(schema.evidence.c.id == evidence_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no evidence {evidence_id}")
    return row[0] is None


def _advance(connection: Connection, evidence_id: str, status: str, columns: Mapping[str, Any]) -> None:
    row = connection.execute(
        select(schema.evidence).where(schema.evidence.c.id == evidence_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no evidence {evidence_id}")
    for name, value in columns.items():
        before = row._mapping[name]
        if before is not None and before != value:
            raise ConflictError(f"{name} of evidence {evidence_id} is already recorded and cannot change")
    values = dict(columns)
    if STATUSES.index(status) > STATUSES.index(row.status):
        values |= {"status": status, "progress": status, "waiting_for": None}
    if values:
        connection.execute(
            update(schema.evidence).where(schema.evidence.c.id == evidence_id).values(**values)
        )


def _lock_custody(connection: Connection, evidence_ids: Sequence[str]) -> None:
    """One writer per log: the sequence and the hash of the event before must not change under us."""
    names = [f"custody {evidence_id}" for evidence_id in evidence_ids]
    statement = (
        "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(CAST(:names AS text[])) AS name"
    )
    connection.execute(text(statement), {"names": names})


def _custody(connection: Connection, evidence_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(schema.custody_events.c.event)
        .where(schema.custody_events.c.evidence_id == evidence_id)
        .order_by(schema.custody_events.c.sequence)
    )
    return [row.event for row in rows]


def _append_custody_each(
    connection: Connection,
    evidence_ids: Sequence[str],
    step_key: str,
    members: Mapping[str, Any],
    now: datetime,
    room: Room,
) -> dict[str, dict[str, Any]]:
    """The event of each log that has room for it, by its evidence; what is there already is left as it is."""
    _lock_custody(connection, evidence_ids)
    table = schema.custody_events
    of_these = table.c.evidence_id.in_(evidence_ids)
    repeated = connection.execute(
        select(table.c.evidence_id, table.c.event).where(of_these, table.c.step_key == step_key)
    )
    found = {row.evidence_id: dict(row.event) for row in repeated}
    newest = (
        select(table.c.evidence_id, func.max(table.c.sequence).label("sequence"))
        .where(of_these)
        .group_by(table.c.evidence_id)
        .subquery()
    )
    last = connection.execute(
        select(table.c.evidence_id, table.c.event).join(
            newest,
            and_(newest.c.evidence_id == table.c.evidence_id, newest.c.sequence == table.c.sequence),
        )
    )
    previous = {row.evidence_id: row.event for row in last}
    at = document.format_time(now)
    lengths = {name: previous[name]["sequence"] if name in previous else 0 for name in evidence_ids}
    left_out = {*found, *without_room(connection, lengths, room, now=now)}
    new = {
        evidence_id: _following(previous.get(evidence_id), {**members, "evidence_id": evidence_id, "at": at})
        for evidence_id in evidence_ids
        if evidence_id not in left_out
    }
    if new:
        owners = _owners(connection, list(new))
        connection.execute(
            insert(table),
            [
                {
                    "evidence_id": name,
                    "organisation_id": owners[name],
                    "sequence": event["sequence"],
                    "step_key": step_key,
                    "event": event,
                }
                for name, event in new.items()
            ],
        )
    return found | new


def _owners(connection: Connection, evidence_ids: Sequence[str]) -> dict[str, str]:
    """Whose each piece of evidence is: an anchor is noted for everybody in its batch."""
    table = schema.evidence
    rows = connection.execute(select(table.c.id, table.c.organisation_id).where(table.c.id.in_(evidence_ids)))
    return {row.id: row.organisation_id for row in rows}


def _following(previous: Mapping[str, Any] | None, members: Mapping[str, Any]) -> dict[str, Any]:
    if previous is not None:
        # A clock set back must not make the log contradict itself.
        members = {**members, "at": max(members["at"], previous["at"])}
    return custody.build(members, previous=previous)
