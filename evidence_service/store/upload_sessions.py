"""Files that are received in portions: what was said about each in PostgreSQL, its bytes in a directory.

The directory is one that all processes of the API share; where it is not, a process that has not the bytes
says so (offset 0), and the client sends them again. A portion is acknowledged when it is on disk (fsync) and
the record says so; what is in the file beyond that was never acknowledged, and is cut off.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from evidence_service.errors import ConflictError, NotFoundError, StorageUnavailableError
from evidence_service.store import files, schema
from evidence_service.store.tenancy import Store

_TABLE = schema.upload_sessions
LASTING = timedelta(hours=24)
"""From the last portion to the end of a session."""
MOST_OPEN = 100
"""Sessions of one organisation that are not complete."""


@dataclass(frozen=True, slots=True)
class Session:
    """A file that is being received.

    Attributes:
        actor: who sends it, and nobody else.
        sha256: as it was announced; None where it was not.
        received: bytes that were acknowledged.
        evidence_id: what it became; None until it is complete.
    """

    id: str
    matter_id: str
    actor: str
    name: str
    size: int
    sha256: bytes | None
    media_type: str
    certificate: bool
    urgent: bool
    at: datetime
    expires_at: datetime
    received: int = 0
    evidence_id: str | None = None


class Portion:
    """The file of a session, open for one portion.

    Attributes:
        offset: where the portion begins, and then where it has come to.
    """

    def __init__(self, writer: FileIO, offset: int) -> None:
        self._writer = writer
        self.offset = offset

    def write(self, data: bytes) -> None:
        """Append bytes; they are not on disk yet. What was written of them before an error counts.

        Raises:
            StorageUnavailableError: the disk does not take them.
        """
        left = memoryview(data)
        while left:
            try:
                written = self._writer.write(left)
            except OSError as error:
                raise _disk(error) from error
            self.offset += written
            left = left[written:]


class UploadSessions(Store):
    """Sessions in PostgreSQL and their bytes in a directory."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        super().__init__(engine)
        self._directory = directory

    def open(self, session: Session) -> Session:
        """Record a session; one with the same id changes nothing. Ended ones are swept first.

        Raises:
            NotFoundError: no such matter.
            ConflictError: the organisation has too many that are not complete.
        """
        self._sweep(session.at)
        values = {name: getattr(session, name) for name in Session.__slots__}
        unfinished = select(func.count()).where(_TABLE.c.evidence_id.is_(None), _TABLE.c.id != session.id)
        with self._engine.begin() as connection:
            # One at a time in each organisation: those that begin at once are counted.
            connection.execute(
                text(
                    "SELECT pg_advisory_xact_lock(hashtextextended('uploads ' || evidence_organisation(), 0))"
                )
            )
            ended = delete(_TABLE).where(_TABLE.c.expires_at <= session.at, _TABLE.c.evidence_id.is_(None))
            connection.execute(ended)
            if connection.execute(unfinished).scalar_one() >= MOST_OPEN:
                raise ConflictError(
                    f"{MOST_OPEN} uploads are open already", what_to_do="complete or end some of them"
                )
            connection.execute(insert(_TABLE).values(**values).on_conflict_do_nothing(index_elements=["id"]))
        return self.session(session.id, session.actor, session.at)

    def session(self, session_id: str, actor: str, now: datetime) -> Session:
        """A session of somebody, with the offset he has to go on from.

        Raises:
            NotFoundError: he has none with this id, or it has ended.
        """
        query = _sessions(actor, now).where(_TABLE.c.id == session_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _unknown(session_id)
        return self._here(Session(**row._mapping))

    def unfinished(
        self, actor: str, now: datetime, *, after: str | None = None, limit: int = 50
    ) -> list[Session]:
        """Somebody's sessions that are not complete, by id, from just after one of them."""
        query = _sessions(actor, now).where(_TABLE.c.evidence_id.is_(None))
        if after is not None:
            query = query.where(_TABLE.c.id > after)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_TABLE.c.id).limit(limit)).all()
        return [self._here(Session(**row._mapping)) for row in rows]

    @contextmanager
    def portion(self, session: Session, now: datetime) -> Iterator[Portion]:
        """Take a portion; when the block ends, however it ends, what was written is on disk and recorded.

        Raises:
            NotFoundError: it has ended; also when it ended meanwhile, at a process with another directory.
            ConflictError: another request of it is under way, or it is complete.
            StorageUnavailableError: the disk does not take it; what was acknowledged before stays so.
        """
        with self._locked(session) as writer:
            current = self._current(session, now)
            if current.evidence_id is not None:
                raise ConflictError(f"upload {session.id} is complete", what_to_do="look at its evidence")
            portion = Portion(writer, current.received)
            try:
                writer.truncate(portion.offset)
                writer.seek(portion.offset)
                yield portion
            finally:
                self._acknowledge(session, writer, portion.offset, now)

    @contextmanager
    def whole(self, session: Session, now: datetime) -> Iterator[tuple[Session, Path]]:
        """A session and its file, which nobody writes to or removes in the block.

        Raises:
            NotFoundError: it has ended.
            ConflictError: another request of it is under way.
        """
        with self._locked(session):
            yield self._current(session, now), self._path(session.id)

    def complete(self, session: Session, evidence_id: str) -> None:
        """Record what a session became; its bytes are in the object store, and gone from here.

        Also where it was ended meanwhile, at a process with another directory: the evidence is accepted, and
        whoever asks has its receipt.
        """
        values = {name: getattr(session, name) for name in Session.__slots__} | {"evidence_id": evidence_id}
        with self._engine.begin() as connection:
            found = connection.execute(
                update(_TABLE).where(_TABLE.c.id == session.id).values(evidence_id=evidence_id)
            )
            if not found.rowcount:
                connection.execute(insert(_TABLE).values(**values))
        self._path(session.id).unlink(missing_ok=True)

    def end(self, session: Session) -> None:
        """Forget a session that is not complete, with its bytes.

        Raises:
            ConflictError: another request of it is under way.
        """
        with self._locked(session):
            with self._engine.begin() as connection:
                connection.execute(
                    delete(_TABLE).where(_TABLE.c.id == session.id, _TABLE.c.evidence_id.is_(None))
                )
            self._path(session.id).unlink(missing_ok=True)

    def _current(self, session: Session, now: datetime) -> Session:
        """The session anew, under its lock: another request may have gone on, or ended it, meanwhile."""
        try:
            return self.session(session.id, session.actor, now)
        except NotFoundError:
            self._path(session.id).unlink(missing_ok=True)
            raise

    def _here(self, session: Session) -> Session:
        """A session with no more received than this process has."""
        if session.evidence_id is not None:
            return session
        try:
            found = self._path(session.id).stat().st_size
        except FileNotFoundError:
            found = 0
        values = {name: getattr(session, name) for name in Session.__slots__}
        return Session(**{**values, "received": min(session.received, found)})

    def _acknowledge(self, session: Session, writer: FileIO, offset: int, now: datetime) -> None:
        try:
            # After an error nothing is acknowledged, and the next portion writes these bytes anew.
            os.fsync(writer.fileno())
        except OSError as error:
            raise _disk(error) from error
        with self._engine.begin() as connection:
            found = connection.execute(
                update(_TABLE)
                .where(_TABLE.c.id == session.id, _TABLE.c.evidence_id.is_(None))
                .values(received=offset, expires_at=now + LASTING)
            )
        if not found.rowcount:
            raise _unknown(session.id)

    @contextmanager
    def _locked(self, session: Session) -> Iterator[FileIO]:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            # Not buffered: nothing is left to be written when it is closed.
            writer = FileIO(os.open(self._path(session.id), os.O_RDWR | os.O_CREAT, 0o600), "r+b")
            files.sync_directory(self._directory)
        except OSError as error:
            raise _disk(error) from error
        with writer:
            try:
                fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConflictError(
                    f"another request of upload {session.id} is under way",
                    what_to_do="ask for its offset and go on from there",
                ) from error
            yield writer

    def _sweep(self, now: datetime) -> None:
        """Remove what no portion was added to for longer than any session lasts, of whatever organisation."""
        oldest = (now - LASTING).timestamp()
        for path in self._directory.glob("us-*"):
            try:
                if path.stat().st_mtime < oldest:
                    with path.open("rb") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()
            except FileNotFoundError:
                continue  # another process was quicker
            except BlockingIOError:
                continue  # a request that began before the end of its session

    def _path(self, session_id: str) -> Path:
        return self._directory / session_id


def _sessions(actor: str, now: datetime) -> Any:
    alive = (_TABLE.c.expires_at > now) | _TABLE.c.evidence_id.is_not(None)
    return select(*schema.facts(_TABLE)).where(_TABLE.c.actor == actor, alive)


def _unknown(session_id: str) -> NotFoundError:
    return NotFoundError(f"there is no upload {session_id}", what_to_do="begin a new one, under a new key")


def _disk(error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError(
        f"an upload cannot be written: {error.strerror}", what_to_do="free space, or look after the disk"
    )
