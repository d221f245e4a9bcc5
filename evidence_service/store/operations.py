"""What those who run the service ask of the record: its version, what waits, what the last audit found.

Nothing here is of any organisation: counts over all of them, and no ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Engine, Table, func, insert, literal, select, text

from evidence_service.store import migrations, schema

Version = Literal["current", "older", "newer"]

_QUEUES: tuple[tuple[str, Table, ColumnElement[str], str], ...] = (
    ("evidence", schema.evidence, schema.evidence.c.status, schema.UNREGISTERED),
    ("evidence", schema.evidence, literal("registered"), "registered_at IS NOT NULL AND batch_id IS NULL"),
    ("batches", schema.batches, literal("closed"), schema.UNANCHORED),
    ("anchors_to_note", schema.submissions, literal("sealed"), schema.UNNOTED),
    ("certificates", schema.certificate_orders, schema.certificate_orders.c.state, schema.ORDERED),
    ("exhibits", schema.exhibits, schema.exhibits.c.status, schema.UNMADE),
    # What stays here is of a log that cannot be continued.
    ("custody", schema.custody_pending, literal("recorded"), "true"),
)
"""Queue, where it is, the state an entry is in, and the condition of the partial index that finds it."""


@dataclass(frozen=True, slots=True)
class FsckRun:
    """What a whole audit found.

    Attributes:
        examined: pieces of evidence, batches and exhibits; problems: how many of them do not hold.
    """

    finished_at: datetime
    seconds: float
    examined: int
    problems: int


class Operations:
    """Figures and facts about the record as a whole."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def version(self) -> Version:
        """The schema beside this release: the same, behind it, or ahead of it."""
        with self._engine.connect() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found == migrations.head():
            return "current"
        return "older" if found is None or found in migrations.known() else "newer"

    def queues(self) -> Iterator[tuple[str, str, int]]:
        """Queue, state, and how many are in it; what is empty is left out."""
        with self._engine.connect() as connection:
            for queue, table, state, condition in _QUEUES:
                shown = state.label("state")
                query = select(shown, func.count()).select_from(table).where(text(condition)).group_by(shown)
                for name, count in connection.execute(query):
                    yield queue, name, count

    def unstamped(self) -> int:
        """Evidence that waits because no authority gives a time stamp."""
        with self._engine.connect() as connection:
            found: int = connection.execute(text("SELECT waiting FROM unstamped")).scalar_one()
        return found

    def refusals(self) -> dict[str, int]:
        """How often each authority was asked and gave no time stamp."""
        table = schema.refusals
        query = select(table.c.authority, func.count()).group_by(table.c.authority)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def note_fsck(self, run: FsckRun) -> None:
        """Keep what an audit found; when this returns, it is durable."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(schema.fsck_runs).values(
                    finished_at=run.finished_at,
                    seconds=run.seconds,
                    examined=run.examined,
                    problems=run.problems,
                )
            )

    def last_fsck(self) -> FsckRun | None:
        """The newest audit that ran to its end; None without one."""
        table = schema.fsck_runs
        query = (
            select(table.c.finished_at, table.c.seconds, table.c.examined, table.c.problems)
            .order_by(table.c.finished_at.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else FsckRun(*row)
