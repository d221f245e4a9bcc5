"""What a batch waits for, which anchors are noted, and that finding what is left to do reads nothing else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text

from evidence_service.store import schema
from evidence_service.store.batches import Batches
from evidence_service.store.closing import Due
from evidence_service.store.queue import CaptureQueue, Place
from evidence_service.store.records import Records
from tests.unit.store.conftest import MINUTE, NOW, add


def closed(records: Records, batches: Batches, *names: str, **more: Any) -> str:
    for name in names:
        add(records, name, registered=NOW, **more)
    found = batches.close_due(Due(MINUTE, len(names)), now=NOW + MINUTE)
    assert found is not None
    return found.id


def submitted(engine: Engine, batch_id: str, chain_id: int, *, state: str, noted: bool) -> None:
    with engine.begin() as connection:
        connection.execute(
            schema.submissions.insert().values(
                id=f"{batch_id}-on-{chain_id}",
                batch_id=batch_id,
                chain_id=chain_id,
                submitter="0x01",
                contract="0x02",
                commitment=batch_id.encode(),
                leaf_count=1,
                state=state,
                attempts=[],
                reason="",
                noted=noted,
            )
        )


def noting(statements: list[str], beginning: str = "") -> Callable[..., None]:
    """A listener that keeps the statements that begin so."""

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith(beginning):
            statements.append(statement)

    return note


def test_every_source_has_words_of_its_own(records: Records, batches: Batches) -> None:
    batch_id = closed(records, batches, "evidence-1", "evidence-2")
    records.advance("evidence-2", "anchored")

    def said() -> tuple[str | None, str | None]:
        found = batches.batch(batch_id).waiting_for, records.evidence("evidence-1").waiting_for
        assert records.evidence("evidence-2").waiting_for is None, "it does not wait any more"
        return found

    batches.note_waiting(batch_id, "the authority is away")
    assert said() == ("the authority is away",) * 2
    assert records.evidence("evidence-1").progress == "anchoring"
    batches.note_waiting(batch_id, "no node answers", source="chain 7")
    batches.note_waiting(batch_id, "fees are high", source="chain 1")
    assert said() == ("fees are high; no node answers; the authority is away",) * 2
    batches.note_waiting(batch_id, None, source="chain 7")
    batches.note_waiting(batch_id, "the authority refuses")
    assert said() == ("fees are high; the authority refuses",) * 2
    batches.note_waiting(batch_id, None)
    batches.note_waiting(batch_id, None, source="chain 1")
    assert said() == (None, None)
    batches.note_waiting(batch_id, "again")
    batches.finish(batch_id)
    assert batches.batch(batch_id).waiting_for is None
    batches.note_waiting(batch_id, None, source="chain 1")
    assert batches.batch(batch_id).waiting_for is None, "nothing of before comes back"


def test_what_is_said_already_is_not_written_again(
    records: Records, batches: Batches, engine: Engine
) -> None:
    batch_id = closed(records, batches, "evidence-1")
    written: list[str] = []
    listener = noting(written, "UPDATE")
    event.listen(engine, "before_cursor_execute", listener)
    try:
        batches.note_waiting(batch_id, None)
        batches.note_waiting("batch-9", "nobody")
        assert written == []
        batches.note_waiting(batch_id, "words", source="chain 1")
        assert len(written) == 2
        batches.note_waiting(batch_id, "words", source="chain 1")
        batches.note_waiting(batch_id, None, source="chain 2")
        assert len(written) == 2
    finally:
        event.remove(engine, "before_cursor_execute", listener)
    assert records.evidence("evidence-1").waiting_for == "words"


def test_the_chains_that_are_noted_are_told(records: Records, batches: Batches, engine: Engine) -> None:
    batch_id = closed(records, batches, "evidence-1")
    other = closed(records, batches, "evidence-2")
    assert batches.noted_chains(batch_id) == set()
    submitted(engine, batch_id, 1, state="sealed", noted=True)
    submitted(engine, batch_id, 2, state="sealed", noted=False)
    submitted(engine, batch_id, 3, state="finalized", noted=False)
    submitted(engine, other, 4, state="sealed", noted=True)
    assert batches.noted_chains(batch_id) == {1}
    assert batches.unnoted() == [f"{batch_id}-on-2"]
    batches.note(f"{batch_id}-on-2")
    assert batches.noted_chains(batch_id) == {1, 2}
    assert batches.unnoted() == []


@pytest.fixture
def filled(records: Records, batches: Batches, engine: Engine) -> str:
    """Twenty thousand batches of one entry that are done, and one that is not."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO batches (id, sequence, status, header, commitment, size, closed_at) "
                "SELECT 'old-' || n, n, 'anchored', '', sha256(int8send(n)), 1, :now FROM generate_series(1, 20000) n"
            ),
            {"now": NOW},
        )
        connection.execute(
            text(
                "INSERT INTO evidence (id, matter_id, kind, operator, certificate_wanted, status, progress, "
                "registered_at, created_at, batch_by, batch_id, leaf_index) "
                "SELECT 'old-' || n, 'm-1', 'upload', 'agent', true, 'certified', '', :now, :now, :now, "
                "'old-' || n, 0 FROM generate_series(1, 20000) n"
            ),
            {"now": NOW},
        )
        connection.execute(
            text(
                "INSERT INTO submissions (id, batch_id, chain_id, submitter, contract, commitment, leaf_count, "
                "state, attempts, reason, noted) SELECT 'old-' || n, 'old-' || n, 1, '0x01', '0x02', "
                "sha256(int8send(n)), 1, 'sealed', '[]', '', true FROM generate_series(1, 20000) n"
            )
        )
    batch_id = closed(records, batches, "evidence-late", batch_by=NOW)
    submitted(engine, batch_id, 1, state="sealed", noted=False)
    add(records, "evidence-waits", batch_by=NOW)
    add(records, "evidence-anchored")
    records.advance("evidence-anchored", "anchored", registered_at=NOW)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE batches, evidence, submissions"))
    return batch_id


def test_what_is_left_to_do_is_found_by_indexes(
    records: Records, batches: Batches, engine: Engine, filled: str
) -> None:
    queue = CaptureQueue(engine)

    def overdue() -> int:
        return batches.overdue(NOW + MINUTE)

    looks: list[tuple[Callable[[], object], object, str]] = [
        (batches.unnoted, [f"{filled}-on-1"], "ix_submissions_unnoted"),
        (lambda: [item.id for item in batches.unanchored()], [filled], "ix_batches_unanchored"),
        (lambda: [item.id for item in queue.next(9)], ["evidence-waits"], "ix_evidence_unregistered"),
        (queue.end, Place(1, NOW), "ix_evidence_uncaptured"),
        (lambda: queue.place(NOW, each=MINUTE, needed=MINUTE), Place(1, NOW), "ix_evidence_uncaptured"),
        (queue.recent, [], "ix_evidence_captured"),
        (records.certifiable, ["evidence-anchored"], "ix_evidence_certifiable"),
        # What is in no batch yet is found by either index on evidence that knows it.
        (overdue, 2, "ix_batches_late"),
    ]
    for look, found, index in looks:
        statements: list[str] = []
        listener = noting(statements)
        event.listen(engine, "before_cursor_execute", listener)
        try:
            assert look() == found
        finally:
            event.remove(engine, "before_cursor_execute", listener)
        plan = "\n".join(explain(engine, statement) for statement in statements)
        # No digest is registered here: an empty table is read whole.
        assert index in plan and "Seq Scan" not in plan.replace("Seq Scan on registrations", ""), plan


def explain(engine: Engine, statement: str) -> str:
    """The plan that holds for any parameters: the one a prepared statement may get in the end."""
    numbers = itertools.count(1)
    prepared = re.sub(r"%\(\w+\)s", lambda _: f"${next(numbers)}", statement)
    nulls = ", ".join("NULL" for _ in range(next(numbers) - 1))
    with engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        connection.exec_driver_sql(f"PREPARE looked AS {prepared}")
        rows = connection.exec_driver_sql(f"EXPLAIN EXECUTE looked{f'({nulls})' if nulls else ''}").all()
        connection.exec_driver_sql("DEALLOCATE looked")
        return "\n".join(row[0] for row in rows)


def test_late_entries_are_counted_when_their_batch_is_closed(
    records: Records, batches: Batches, engine: Engine
) -> None:
    late: datetime = NOW + MINUTE / 2
    add(records, "evidence-0", registered=NOW, batch_by=NOW + 2 * MINUTE)
    add(records, "evidence-00", registered=NOW)
    batch_id = closed(records, batches, "evidence-1", batch_by=late)
    with engine.connect() as connection:
        found = connection.execute(select(schema.batches.c.id, schema.batches.c.late)).all()
    assert [tuple(row) for row in found] == [(batch_id, 1)]
