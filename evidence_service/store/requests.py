"""What one person asks for and another one approves: deletions and releases, and what became of them.

The table itself refuses an approval by whoever asked (``ck_requests_two_persons``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.custody_room import Room
from evidence_service.store.holds import kept_until, lock_matter, standing, was_deleted
from evidence_service.store.records import append_custody
from evidence_service.store.tenancy import Store

_TABLE, _TOMBSTONES = schema.requests, schema.tombstones
_FILES, _REMOVED = schema.kept_files, schema.removed_objects


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        kind: ``delete`` or ``release``.
        state: requested → refused | approved; an approved deletion → executed | stopped.
        decided_by, decision_reason, decided_at: None until it is decided.
        waiting_for: why it is not carried out yet, or never will be.
    """

    id: str
    kind: str
    evidence_id: str
    requested_by: str
    reason: str
    at: datetime
    state: str = "requested"
    decided_by: str | None = None
    decision_reason: str | None = None
    decided_at: datetime | None = None
    waiting_for: str | None = None


class Requests(Store):
    """Requests in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def ask(self, request: Request, event: Mapping[str, Any]) -> Request:
        """Record a request, told to the custody log; one with the same id changes nothing.

        Raises:
            NotFoundError: no such evidence.
            DeletedError: it is deleted.
            ConflictError: its deletion is asked for already, or its custody log has no room for it.
        """
        with self._engine.begin() as connection:
            lock_matter(connection, request.evidence_id)
            add(connection, request, event)
        return self.request(request.id)

    def request(self, request_id: str) -> Request:
        """A request.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            return _read(connection, request_id)

    def requests(
        self,
        *,
        state: str | None = None,
        evidence_id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[Request]:
        """Requests by id, all or those in a state or about a piece of evidence, from just after one."""
        query = select(*schema.facts(_TABLE)).order_by(_TABLE.c.id).limit(limit)
        if state is not None:
            query = query.where(_TABLE.c.state == state)
        if evidence_id is not None:
            query = query.where(_TABLE.c.evidence_id == evidence_id)
        if after is not None:
            query = query.where(_TABLE.c.id > after)
        with self._engine.connect() as connection:
            return [Request(**row._mapping) for row in connection.execute(query)]

    def decide(
        self, request_id: str, event: Mapping[str, Any], *, approve: bool, by: str, reason: str, at: datetime
    ) -> Request:
        """Approve or refuse, told to the custody log; the same decision again changes nothing.

        Raises:
            NotFoundError: there is no such request.
            DeletedError: the evidence is deleted.
            ConflictError: it is decided otherwise, whoever decides has asked for it, or the deletion is of
                evidence that is held, has to be kept, or is not registered yet.
        """
        state = "approved" if approve else "refused"
        with self._engine.begin() as connection:
            request = _read(connection, request_id)
            lock_matter(connection, request.evidence_id, deleted=True)
            request = _read(connection, request_id)
            if (request.state, request.decided_by) == (state, by):
                return request
            if request.state != "requested":
                raise ConflictError(f"request {request_id} is {request.state} by {request.decided_by}")
            if approve and request.kind == "delete":
                _refuse_kept(connection, request.evidence_id, at)
            try:
                connection.execute(
                    update(_TABLE)
                    .where(_TABLE.c.id == request_id)
                    .values(state=state, decided_by=by, decision_reason=reason, decided_at=at)
                )
            except IntegrityError as error:
                raise ConflictError(
                    "nobody decides about what he has asked for himself", what_to_do="ask another person"
                ) from error
            append_custody(connection, request.evidence_id, f"request {request_id} {state}", event, at)
        return self.request(request_id)

    def refuse_deleted(self, evidence_ids: Sequence[str]) -> None:
        """Let files of evidence be given out that is not deleted.

        Raises:
            DeletedError: some of it is; says when and why.
        """
        query = (
            select(_TOMBSTONES.c.evidence_id, _TOMBSTONES.c.at, _TOMBSTONES.c.reason)
            .where(_TOMBSTONES.c.evidence_id.in_(evidence_ids))
            .order_by(_TOMBSTONES.c.evidence_id)
        )
        with self._engine.connect() as connection:
            found = connection.execute(query.limit(1)).one_or_none()
        if found is not None:
            raise was_deleted(found.evidence_id, found.at, found.reason)

    # --- for the worker: deletions that were approved ---

    def executable(self) -> list[str]:
        """Ids of approved deletions that are not carried out yet."""
        query = select(_TABLE.c.id).where(text(schema.EXECUTABLE)).order_by(_TABLE.c.id)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def begin(self, request_id: str, event: Mapping[str, Any], *, at: datetime) -> bool:
        """Set the tombstone, from which nothing leads back; whether the files are to be removed now.

        A hold that was placed since the approval, or a longer retention, stops the deletion for good.

        Args:
            event: members of the custody event of a deletion that is stopped.
        """
        with self._engine.begin() as connection:
            request = _read(connection, request_id)
            lock_matter(connection, request.evidence_id, deleted=True)
            request = _read(connection, request_id)
            if request.state != "approved":
                return False
            if _deleted(connection, request.evidence_id):
                return True
            try:
                _refuse_kept(connection, request.evidence_id, at)
            except ConflictError as error:
                connection.execute(
                    update(_TABLE)
                    .where(_TABLE.c.id == request_id)
                    .values(state="stopped", waiting_for=error.message)
                )
                append_custody(connection, request.evidence_id, f"request {request_id} stopped", event, at)
                return False
            connection.execute(
                insert(_TOMBSTONES).values(
                    evidence_id=request.evidence_id,
                    organisation_id=schema.owner_of(request.evidence_id),
                    request_id=request_id,
                    reason=request.reason,
                    at=at,
                )
            )
        return True

    def finish(self, request_id: str, event: Mapping[str, Any], *, at: datetime) -> None:
        """Record that the files are gone, told to the custody log; once."""
        with self._engine.begin() as connection:
            request = _read(connection, request_id)
            connection.execute(
                update(_TOMBSTONES)
                .where(_TOMBSTONES.c.request_id == request_id, _TOMBSTONES.c.finished_at.is_(None))
                .values(finished_at=at)
            )
            connection.execute(
                update(_TABLE).where(_TABLE.c.id == request_id).values(state="executed", waiting_for=None)
            )
            append_custody(connection, request.evidence_id, f"request {request_id} executed", event, at)

    def note_waiting(self, request_id: str, waiting_for: str | None) -> None:
        """Say why it is not carried out yet."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_TABLE).where(_TABLE.c.id == request_id).values(waiting_for=waiting_for)
            )

    def files_of(self, evidence_id: str) -> list[bytes]:
        """SHA-256 of every stored file of a piece of evidence."""
        query = select(_FILES.c.sha256).where(_FILES.c.evidence_id == evidence_id).order_by(_FILES.c.sha256)
        with self._engine.connect() as connection:
            return [bytes(row.sha256) for row in connection.execute(query)]

    def referred_to(self, sha256: bytes, *, besides: str) -> bool:
        """Whether something that is kept refers to stored bytes, besides one piece of evidence.

        What is deleted refers to nothing. For the worker, who sees the references of all organisations.
        """
        with self._engine.connect() as connection:
            return _referred_to(connection, sha256, besides)

    @contextmanager
    def removing(self, sha256: bytes, *, besides: str) -> Iterator[bool]:
        """Whether stored bytes may be removed within the block, as :meth:`referred_to` says.

        Nobody comes to refer to them meanwhile; who does afterwards learns of it by :meth:`removed_since`.
        """
        with self._engine.connect() as connection, connection.begin() as transaction:
            # One at a time, so that the numbers of removals become visible in their order.
            for name in ("removals", f"object {sha256.hex()}"):
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
            free = not _referred_to(connection, sha256, besides)
            if free:
                connection.execute(insert(_REMOVED).values(sha256=sha256))
            try:
                yield free
            finally:
                # Also when it failed: it may have landed.
                transaction.commit()

    def removals(self) -> int:
        """Number of the newest removal."""
        with self._engine.connect() as connection:
            newest = connection.execute(select(func.max(_REMOVED.c.id))).scalar_one()
        return int(newest or 0)

    def removed_since(self, number: int, sha256: Iterable[bytes]) -> bool:
        """Whether some bytes may have been removed after a removal, whatever has referred to them since."""
        query = select(_REMOVED.c.id).where(_REMOVED.c.id > number, _REMOVED.c.sha256.in_(list(sha256)))
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).one_or_none() is not None


_REFERRED = text(
    """
    SELECT EXISTS (
        SELECT FROM kept_files WHERE kept_files.sha256 = :sha256 AND kept_files.evidence_id <> :besides
        AND NOT EXISTS (SELECT FROM tombstones WHERE tombstones.evidence_id = kept_files.evidence_id)
    ) OR EXISTS (SELECT FROM certificate_pdfs WHERE certificate_pdfs.sha256 = :sha256)
    OR EXISTS (
        SELECT FROM exhibits WHERE exhibits.sha256 = :sha256 AND NOT exhibits.evidence ? :besides
        AND NOT EXISTS (SELECT FROM tombstones WHERE exhibits.evidence ? tombstones.evidence_id)
    )
    """
)


def _referred_to(connection: Connection, sha256: bytes, besides: str) -> bool:
    found: bool = connection.execute(_REFERRED, {"sha256": sha256, "besides": besides}).scalar_one()
    return found


def add(connection: Connection, request: Request, event: Mapping[str, Any]) -> None:
    """Record a request within a transaction; see :meth:`Requests.ask`."""
    values = {name: getattr(request, name) for name in Request.__slots__}
    try:
        with connection.begin_nested():
            connection.execute(upsert(_TABLE).values(**values).on_conflict_do_nothing(index_elements=["id"]))
    except IntegrityError as error:
        raise ConflictError(
            f"the deletion of evidence {request.evidence_id} is asked for already",
            what_to_do="look at the requests that are open",
        ) from error
    key = f"request {request.id}"
    append_custody(connection, request.evidence_id, key, event, request.at, Room.OF_CALLERS)


def _read(connection: Connection, request_id: str) -> Request:
    row: Row[Any] | None = connection.execute(
        select(*schema.facts(_TABLE)).where(_TABLE.c.id == request_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no request {request_id}")
    return Request(**row._mapping)


def _deleted(connection: Connection, evidence_id: str) -> bool:
    query = select(_TOMBSTONES.c.evidence_id).where(_TOMBSTONES.c.evidence_id == evidence_id)
    return connection.execute(query).one_or_none() is not None


def _refuse_kept(connection: Connection, evidence_id: str, now: datetime) -> None:
    """Let evidence be deleted that nothing keeps.

    Raises:
        ConflictError: it is held, its retention is not over, or work on it is under way.
    """
    holds = standing(connection, evidence_id)
    if holds:
        raise ConflictError(
            f"evidence {evidence_id} is on legal hold: {', '.join(holds)}",
            what_to_do="lift the hold first, if there is no reason for it any more",
        )
    until = kept_until(connection, evidence_id)
    if until is not None and now < until:
        raise ConflictError(
            f"evidence {evidence_id} is to be kept until {until:%Y-%m-%dT%H:%M:%SZ}",
            what_to_do="wait until then",
        )
    table = schema.evidence
    row = connection.execute(
        select(table.c.registered_at, table.c.refused).where(table.c.id == evidence_id)
    ).one()
    if row.registered_at is None and not row.refused:
        raise ConflictError(
            f"evidence {evidence_id} is still being preserved", what_to_do="wait until it is registered"
        )
