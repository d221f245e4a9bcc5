"""Every row of the record, copied out of one snapshot and into an empty database.

COPY in its text format (PostgreSQL, COPY, “Text Format”) holds rows; the schema itself is made again by the
migrations, at the revision that the rows were copied at. The workflow engine's tables are left out: what it
has begun is found again in the record and done from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.errors import FeatureNotSupported, InsufficientPrivilege
from sqlalchemy import Connection, Engine, MetaData, Table, text
from sqlalchemy.exc import DBAPIError

from evidence_service.errors import ConfigurationError, ConflictError, MismatchError
from evidence_service.store import migrations, named, postgres

_SKIPPED = "alembic_version"
_SAME_EVERYWHERE = (
    # A row that a policy would hide is an error, not a gap (PostgreSQL, “Row Security Policies”).
    "SET LOCAL row_security = off",
    "SET LOCAL client_encoding = 'UTF8'",
    "SET LOCAL datestyle = 'ISO'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL bytea_output = 'hex'",
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The record at one moment.

    Attributes:
        revision: of its schema.
        tables: name → columns, in an order in which what is referred to comes first.
    """

    revision: str
    tables: dict[str, tuple[str, ...]]
    _connection: Connection

    def rows(self, table: str) -> Iterator[bytes]:
        """All rows of a table in COPY's text format, in pieces of any size.

        Raises:
            ConfigurationError: row-level security would hide some.
        """
        with _saying_who_may(), _cursor(self._connection) as cursor:
            statement = _copy(table, self.tables[table], "TO STDOUT")
            with cursor.copy(statement) as copy:
                for chunk in copy:
                    yield bytes(chunk)

    def sequences(self) -> dict[str, int]:
        """Name → last value given; those that gave none yet are not in it."""
        found = self._connection.execute(
            text(
                "SELECT sequencename, last_value FROM pg_sequences "
                "WHERE schemaname = current_schema() AND last_value IS NOT NULL"
            )
        )
        return {row.sequencename: row.last_value for row in found}

    def objects(self) -> Iterator[str]:
        """SHA-256 (hexadecimal) of every object that a row names, each once, in order."""
        yield from self._column(named.OBJECTS)

    def trees(self) -> Iterator[tuple[str, str]]:
        """Folder and name of every tree file that a row may have."""
        for folder, query in named.TREES.items():
            for name in self._column(query):
                yield folder, name

    def _column(self, query: str) -> Iterator[str]:
        with _saying_who_may():
            found = self._connection.execution_options(stream_results=True).execute(text(query))
            yield from found.scalars()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Snapshot]:
    """Hold one moment of the record while the block lasts; the service goes on meanwhile.

    Args:
        engine: of a login that row-level security does not bind.

    Raises:
        ConfigurationError: the schema is of another release.
    """
    with engine.connect() as connection:
        before = columns(connection)
    with engine.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    ) as connection:
        # Before the snapshot, which the first query takes: a migration that rewrote a table afterwards would
        # leave it empty to a snapshot of before.
        if before:
            connection.exec_driver_sql(f"LOCK TABLE {', '.join(sorted(before))} IN ACCESS SHARE MODE")
        for statement in _SAME_EVERYWHERE:
            connection.exec_driver_sql(statement)
        revision = postgres.require_current(connection)
        found = columns(connection)
        if found != before:
            raise ConflictError("the schema changed meanwhile", what_to_do="run the backup again")
        yield Snapshot(revision, found, connection)


def require_empty(engine: Engine) -> None:
    """See that a database holds nothing of this service.

    Raises:
        ConflictError: it has tables.
    """
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT schemaname || '.' || tablename FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 1"
            )
        ).scalar_one_or_none()
    if found is not None:
        raise ConflictError(
            f"the database is not empty: it has a table {found}",
            what_to_do="restore into a new database; nothing is ever restored over a record",
        )


class Loading:
    """An open transaction that fills an empty database."""

    def __init__(self, connection: Connection, tables: dict[str, Table]) -> None:
        self._connection = connection
        self._tables = tables

    def take(self, table: str, stored: Iterable[str], chunks: Iterable[bytes]) -> int:
        """Copy rows into a table; how many it has then."""
        with _saying_who_may(), _cursor(self._connection) as cursor:
            with cursor.copy(_copy(table, stored, "FROM STDIN")) as copy:
                for chunk in chunks:
                    copy.write(chunk)
            return int(cursor.rowcount)

    def set_sequences(self, values: dict[str, int]) -> None:
        """Have sequences go on after what they gave."""
        for name, value in values.items():
            self._connection.execute(text("SELECT setval(:name, :value)"), {"name": name, "value": value})

    @property
    def tables(self) -> list[str]:
        """In an order in which what is referred to comes first."""
        return list(self._tables)


@contextmanager
def loading(engine: Engine, revision: str) -> Iterator[Loading]:
    """Fill an empty database in one transaction, which ends with the schema of this release.

    Keys and checks hold for what is copied; triggers of the schema do not act on it a second time.

    Args:
        engine: of a login that may make the schema and that row-level security does not bind.
        revision: of the schema that the rows were copied out of.

    Raises:
        MismatchError: this release does not know the revision.
    """
    with engine.begin() as connection:
        if revision not in migrations.known():
            raise MismatchError(
                f"the backup is of schema revision {revision}, which this release does not know",
                what_to_do="restore with the release that made it, or a later one",
            )
        postgres.upgrade(connection, revision)
        for statement in _SAME_EVERYWHERE:
            connection.exec_driver_sql(statement)
        tables = _tables(connection)
        names = ", ".join(tables)
        connection.exec_driver_sql(f"TRUNCATE {names}")
        for name in tables:
            connection.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        yield Loading(connection, tables)
        for name in tables:
            connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE TRIGGER USER")
        # A pending check of a key would keep the migrations from changing its table.
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        # Migrations change rows as a role that policies apply to.
        connection.exec_driver_sql("SET LOCAL row_security = on")
        postgres.upgrade(connection, "head")


def _tables(connection: Connection) -> dict[str, Table]:
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name != _SKIPPED)
    return {table.name: table for table in found.sorted_tables}


def columns(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Table → what is stored in it; what PostgreSQL computes from that is computed again."""
    return {
        name: tuple(column.name for column in table.columns if column.computed is None)
        for name, table in _tables(connection).items()
    }


def _copy(table: str, stored: Iterable[str], direction: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, stored))
    return sql.SQL("COPY {} ({}) " + direction).format(sql.Identifier(table), names)


def _cursor(connection: Connection) -> Any:
    """psycopg's own cursor in the same transaction: SQLAlchemy has no COPY."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - for mypy: an open connection has one
    return driver.cursor()


@contextmanager
def _saying_who_may() -> Iterator[None]:
    try:
        yield
    except (InsufficientPrivilege, FeatureNotSupported, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, InsufficientPrivilege | FeatureNotSupported):
            raise
        raise ConfigurationError(
            f"the database's login may not copy every row: {str(cause).strip().splitlines()[0]}",
            what_to_do="give EVIDENCE_DATABASE_URL of the owner, with BYPASSRLS, or of a superuser",
        ) from error
