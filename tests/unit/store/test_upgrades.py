"""Every row of every revision is there after the upgrade, from the first release's data onwards.

The record goes from revision to revision, one at a time, with data in each of its tables: what the first
release left, and a row made up in each table that is empty. So each step meets every table that it can meet,
and an upgrade from any revision is a part of the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    insert,
    select,
    text,
)

from evidence_service.store import postgres, schema
from tests.golden.first_version import load, unpack

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

MOVED = {("0003", "anchors"): ("submissions", "proof")}
"""Revision that takes a table away → where its rows are afterwards."""

REWRITTEN = {
    "0003": {
        "submissions": {"attempts", "contract", "state"},
        "nonces": {"submission_id"},
        "custody_events": {"step_key"},
        "batches": {"status", "waiting_for"},
        "evidence": {"waiting_for"},
    },
    "0007": {"certificates": {"status"}},
}
"""Revision → table → columns whose values it changes on purpose; ``test_migrations.py`` says how."""

Row = dict[str, Any]


@pytest.fixture
def first(engine: Engine, tmp_path: Path) -> Iterator[Engine]:
    """What the first release left, in another database of the same server."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text("CREATE DATABASE first"))
        url = engine.url.set(database="first").render_as_string(hide_password=False)
        load(unpack(tmp_path), url)
        found = postgres.connect(url)
        try:
            yield found
        finally:
            found.dispose()
            server.execute(text("DROP DATABASE first"))


def test_an_upgrade_from_every_revision_keeps_every_row(first: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(postgres.__file__).parent / "migrations"))
    revisions = [item.revision for item in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    for revision in revisions:
        with first.begin() as connection:
            config.attributes["connection"] = connection
            before = contents(connection)
            command.upgrade(config, revision)
            compare(revision, before, contents(connection))
            fill(connection)
    with first.connect() as connection:
        filled = contents(connection)
    assert set(filled) == set(schema.metadata.tables)
    assert [name for name, table in filled.items() if not table.rows] == []
    owners = {
        row["organisation_id"] for table in filled.values() for row in table.rows if "organisation_id" in row
    }
    assert owners == {schema.DEFAULT_ORGANISATION}


def reflected(connection: Connection) -> list[Table]:
    """Tables of the record as they stand, what is referred to first."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name != "alembic_version")
    return found.sorted_tables


@dataclass(frozen=True)
class Rows:
    """All rows of a table, and the columns of its primary key."""

    key: tuple[str, ...]
    rows: list[Row]

    def by(self, key: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
        return {tuple(row[name] for name in key): row for row in self.rows}


def contents(connection: Connection) -> dict[str, Rows]:
    """Table → its rows."""
    return {
        table.name: Rows(
            tuple(column.name for column in table.primary_key),
            [dict(row) for row in connection.execute(select(table)).mappings()],
        )
        for table in reflected(connection)
    }


def compare(revision: str, before: dict[str, Rows], after: dict[str, Rows]) -> None:
    """Each row is there under its key, and each column that is left holds what it held."""
    for name, table in before.items():
        if (revision, name) in MOVED:
            target, column = MOVED[revision, name]
            kept = [row[column] for row in after[target].rows]
            assert table.rows and all(row[column] in kept for row in table.rows), f"{revision} loses {name}"
            continue
        changed = REWRITTEN.get(revision, {}).get(name, set())
        found = after[name].by(table.key)
        for key, row in table.by(table.key).items():
            assert key in found, f"{revision} loses {key} of {name}"
            for column in (row.keys() & found[key].keys()) - changed:
                assert found[key][column] == row[column], f"{revision} changes {name}.{column} of {key}"


def fill(connection: Connection) -> None:
    """A row in each table that is empty."""
    for table in reflected(connection):
        if connection.execute(select(table).limit(1)).one_or_none() is None:
            connection.execute(insert(table).values(made_up(connection, table)))


def made_up(connection: Connection, table: Table) -> Row:
    """A row: references lead to rows that are there, what has no default gets a value of its type."""
    values: Row = {}
    for constraint in table.foreign_key_constraints:
        referred = connection.execute(select(constraint.referred_table).limit(1)).mappings().one()
        values |= {item.parent.name: referred[item.column.name] for item in constraint.elements}
    for column in table.columns:
        given = column.nullable or column.server_default is not None or column.identity is not None
        if column.name not in values and not given:
            values[column.name] = value_of(column.type, f"{table.name}.{column.name}")
    return values


def value_of(kind: Any, name: str) -> Any:
    """A value of a column's type."""
    for types, value in (
        ((Boolean,), False),
        ((Integer, Numeric, Float), 1),
        ((DateTime,), NOW),
        ((LargeBinary,), hashlib.sha256(name.encode()).digest()),
        ((JSON,), {"made": "up"}),
    ):
        if isinstance(kind, types):
            return value
    return name
