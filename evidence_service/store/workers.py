"""The workers on one database: each holds a lease that it renews, and a lapsed one is taken away.

Everything is measured on the database's clock; the clocks of the workers' machines do not matter. A lease
ends when its row is deleted, by its holder or by a supervisor: an update and a delete of one row exclude each
other, so a worker either renewed in time or knows that it did not.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from evidence_service.errors import ConfigurationError
from evidence_service.store import schema
from evidence_service.store.tenancy import end_when_paused

_SUPERVISING = {"name": "evidence supervision"}
"""Held by the one who takes over, and by a worker that begins: neither sees the other half done."""
_LOCK = "hashtextextended(:name, 0)"


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker says of itself when it begins.

    Attributes:
        name: empty for one that is made of the host's name and the first number that is free there.
        version: of the software.
        workflow_version: whose work it can do.
        captures: browsers at once.
    """

    name: str
    host: str
    process: int
    version: str
    workflow_version: str
    captures: int


@dataclass(frozen=True, slots=True)
class Known:
    """A worker as the database knows it.

    Attributes:
        age: seconds since it was last heard of.
        status: what it said then: workflows it runs (``holds``), and others' it leaves alone (``left_alone``,
            workflow version → number).
    """

    name: str
    host: str
    process: int
    version: str
    workflow_version: str
    captures: int
    started_at: datetime
    draining: bool
    age: float
    status: Mapping[str, Any]


class Lease:
    """The lease of one running worker. Only one thread may use it at a time.

    Its name is locked on a connection of its own as long as the process lives: PostgreSQL drops a session's
    advisory locks with its connection, so a name is free at once when its process was killed.
    """

    def __init__(self, engine: Engine, connection: Connection, name: str, incarnation: str) -> None:
        self._engine = engine
        self._connection = connection
        self._incarnation = incarnation
        self._locked = True
        self.name = name

    def renew(self, status: Mapping[str, Any], *, draining: bool = False) -> bool:
        """Say that the worker lives; False when the lease was taken away, for good.

        Args:
            draining: whether it takes no new work any more.

        Raises:
            SQLAlchemyError: the database does not answer, or no connection is free. The lease is neither lost
                nor renewed.
        """
        if self._connection.closed:
            self._connection = _session(self._engine)
        try:
            if not self._locked:
                # The connection was lost. Who holds the name is decided by the row, not by the lock.
                self._locked = _try_lock(self._connection, self.name)
            table = schema.workers
            done = self._connection.execute(
                update(table)
                .where(*self._mine())
                .values(heartbeat_at=func.clock_timestamp(), status=dict(status), draining=draining)
            )
        except SQLAlchemyError:
            self._locked = False
            self._connection.close()
            raise
        return done.rowcount == 1

    def keeps(self, connection: Connection) -> bool:
        """Whether nobody has taken the lease away, and can until that transaction ends; on any thread.

        Whoever takes it away waits for the transaction, and puts back the work it stands for only with that.
        """
        held = select(schema.workers.c.name).where(*self._mine()).with_for_update(read=True)
        return connection.execute(held).first() is not None

    def give_back(self) -> None:
        """End the lease: what the worker still held is anybody's now."""
        if self._connection.closed:
            return
        with suppress(SQLAlchemyError):  # whoever cannot give it back lets it lapse
            self._connection.execute(delete(schema.workers).where(*self._mine()))
            # The server notices the end of a session a moment later; the name is free now.
            self._connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"), _key(self.name))
        _end(self._connection)

    def _mine(self) -> tuple[Any, ...]:
        table = schema.workers
        return table.c.name == self.name, table.c.incarnation == self._incarnation


class Workers:
    """The leases of all workers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, start: Start) -> Lease:
        """Take a lease under a name that nobody else uses now.

        Raises:
            ConfigurationError: another process runs under the name that was given.
        """
        connection = _session(self._engine)
        try:
            name = _lock_name(connection, start)
            incarnation = uuid.uuid4().hex
            with self._engine.begin() as transaction:
                end_when_paused(transaction)
                transaction.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"), _SUPERVISING)
                transaction.execute(delete(schema.workers).where(schema.workers.c.name == name))
                transaction.execute(
                    insert(schema.workers).values(
                        name=name,
                        incarnation=incarnation,
                        version=start.version,
                        workflow_version=start.workflow_version,
                        host=start.host,
                        process=start.process,
                        captures=start.captures,
                    )
                )
        except BaseException:
            _end(connection)
            raise
        return Lease(self._engine, connection, name, incarnation)

    @contextmanager
    def supervising(self) -> Iterator[Connection | None]:
        """The transaction of the one supervisor there is now; None while another one works. Does not wait."""
        with self._engine.begin() as connection:
            end_when_paused(connection)
            held = connection.execute(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})"), _SUPERVISING)
            yield connection if held.scalar_one() else None

    @staticmethod
    def take_away(connection: Connection, *, lapse: float, by: str) -> set[str]:
        """End the leases of all who were not heard of for ``lapse`` seconds; the names of those who live.

        Args:
            by: who does it, and lives, however late its own heartbeat is.
        """
        table = schema.workers
        connection.execute(delete(table).where(_age() > lapse, table.c.name != by))
        return set(connection.execute(select(table.c.name)).scalars())

    @staticmethod
    def note_takeover(connection: Connection, *, lapsed: str, by: str, workflows: int) -> None:
        """Keep how much of a lapsed worker's work went to whom."""
        connection.execute(insert(schema.takeovers).values(lapsed=lapsed, by=by, workflows=workflows))

    def taken_over(self) -> int:
        """Workflows that were ever taken over."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.sum(schema.takeovers.c.workflows))).scalar_one() or 0)

    def all(self) -> list[Known]:
        """Every worker with a lease, by name."""
        table = schema.workers
        columns = [table.c[name] for name in Known.__dataclass_fields__ if name != "age"]
        with self._engine.connect() as connection:
            rows: Iterable[Any] = connection.execute(
                select(*columns, _age().label("age")).order_by(table.c.name)
            ).all()
        return [Known(**{**row._mapping, "age": float(row.age)}) for row in rows]


def _age() -> Any:
    return func.extract("epoch", func.clock_timestamp() - schema.workers.c.heartbeat_at)


def _session(engine: Engine) -> Connection:
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _end(connection: Connection) -> None:
    # Not back into the pool: the lock goes with the session.
    connection.invalidate()
    connection.close()


def _key(name: str) -> dict[str, str]:
    return {"name": f"evidence worker {name}"}


def _try_lock(connection: Connection, name: str) -> bool:
    return bool(connection.execute(text(f"SELECT pg_try_advisory_lock({_LOCK})"), _key(name)).scalar_one())


def _lock_name(connection: Connection, start: Start) -> str:
    if not start.name:
        # The lowest number that is free: after a restart a machine's workers have the same names again.
        numbered = (f"{start.host}-{number}" for number in count(1))
        return next(name for name in numbered if _try_lock(connection, name))
    if not _try_lock(connection, start.name):
        raise ConfigurationError(
            f"a worker named {start.name} runs already: {_whereabouts(connection, start.name)}",
            what_to_do="give each worker a worker_name of its own, or none: then they number themselves; "
            "one that hangs has to be ended first",
        )
    return start.name


def _whereabouts(connection: Connection, name: str) -> str:
    table = schema.workers
    row = connection.execute(
        select(table.c.host, table.c.process, _age().label("age")).where(table.c.name == name)
    ).one_or_none()
    if row is None:
        return "it has just begun, or its lease was taken away"
    return f"process {row.process} on {row.host}, last heard of {float(row.age):.0f} s ago"
