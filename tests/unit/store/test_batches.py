"""Closing batches, and proofs from their tree files, on a real PostgreSQL and a real disk."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, event, select, text, update

from evidence_service.core import batch, merkle
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError, NotFoundError, StorageUnavailableError
from evidence_service.store import postgres, schema
from evidence_service.store.batches import Batch, Batches
from evidence_service.store.closing import Due
from evidence_service.store.records import Records
from evidence_service.store.trees import TreeFiles
from tests.unit.store.conftest import MINUTE, NOW, add

SECOND = timedelta(seconds=1)
DUE = Due(MINUTE, 10)


def add_many(records: Records, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        add(records, f"evidence-{number:05d}", registered=NOW + number * SECOND / 1000)


def close(batches: Batches, due: Due = DUE) -> Batch:
    closed = batches.close_due(due, now=NOW + MINUTE)
    assert closed is not None
    return closed


def stored(batches: Batches, tmp_path: Path, batch_id: str) -> Path:
    return tmp_path / "trees" / batches.batch(batch_id).commitment.hex()


def test_a_batch_closes_when_it_is_due_and_proves_its_entries(records: Records, batches: Batches) -> None:
    assert batches.close_due(DUE, now=NOW) is None
    for number in range(3):
        add(records, f"evidence-{number}", registered=NOW + number * SECOND)
    assert batches.close_due(DUE, now=NOW + 30 * SECOND) is None
    closed = close(batches)
    assert (closed.sequence, closed.size) == (1, 3)
    assert closed.commitment == batch.commitment(closed.header)
    assert batches.members(closed.id) == [f"evidence-{number}" for number in range(3)]
    header = json.loads(closed.header)
    assert header["opened_at"] == "2026-01-02T03:04:05.000Z"
    for index in range(3):
        item = records.evidence(f"evidence-{index}")
        assert (item.batch_id, item.leaf_index, item.progress) == (closed.id, index, "in a batch")
        leaf = batch.entry_leaf(digest_of(item.manifest or b""), item.salt or b"")
        path = batches.path(closed.id, index)
        merkle.verify_inclusion(leaf, index=index, size=3, path=path, root=batch.header_root(header))
    assert batches.close_due(DUE, now=NOW + 2 * MINUTE) is None
    for number in range(3, 6):
        add(records, f"evidence-{number}", registered=NOW)
    second = batches.close_due(Due(MINUTE, 2), now=NOW)
    assert second is not None
    assert (second.sequence, second.size) == (2, 2)
    assert json.loads(second.header)["previous"] == closed.commitment.hex()
    assert [item.id for item in batches.list_batches()] == ["batch-1", "batch-2"]
    assert [item.id for item in batches.list_batches(after=1)] == ["batch-2"]


def test_an_urgent_entry_closes_its_batch_at_once_and_goes_first(records: Records, batches: Batches) -> None:
    add_many(records, 3)
    assert batches.close_due(DUE, now=NOW) is None
    add(records, "evidence-urgent")
    records.mark_urgent("evidence-urgent")
    records.mark_urgent("evidence-urgent")
    assert batches.close_due(DUE, now=NOW) is None, "it is not registered yet"
    records.advance(
        "evidence-urgent", "registered", manifest=b"urgent", salt=bytes(32), registered_at=NOW + SECOND
    )
    closed = batches.close_due(Due(MINUTE, 2), now=NOW)
    assert closed is not None
    assert batches.members(closed.id) == ["evidence-00000", "evidence-urgent"]
    records.mark_urgent("evidence-urgent")
    assert batches.close_due(DUE, now=NOW) is None, "asking again when it is in a batch changes nothing"


def test_a_promise_that_comes_near_closes_the_batch_early(records: Records, batches: Batches) -> None:
    due = Due(10 * MINUTE, 10, margin=5 * SECOND)
    add(records, "evidence-1", registered=NOW, batch_by=NOW + MINUTE)
    add(records, "evidence-2", registered=NOW)
    assert batches.close_due(due, now=NOW + 54 * SECOND) is None
    assert batches.overdue(NOW + 54 * SECOND) == 0
    closed = batches.close_due(due, now=NOW + 55 * SECOND)
    assert closed is not None
    assert closed.size == 2
    assert batches.overdue(NOW + 10 * MINUTE) == 0


def test_broken_promises_are_counted_in_and_out_of_batches(records: Records, batches: Batches) -> None:
    add(records, "evidence-in-time", registered=NOW, batch_by=NOW + 3 * MINUTE)
    add(records, "evidence-late", registered=NOW, batch_by=NOW + 30 * SECOND)
    add(records, "evidence-without-a-promise", registered=NOW)
    close(batches)
    add(records, "evidence-waits", batch_by=NOW + 5 * MINUTE)
    assert batches.overdue(NOW + 5 * MINUTE) == 1
    assert batches.overdue(NOW + 5 * MINUTE + SECOND) == 2


def test_entries_are_found_by_digest_also_when_two_batches_hold_it(
    records: Records, batches: Batches, engine: Engine
) -> None:
    add_many(records, 3)
    close(batches)
    add(records, "evidence-again", registered=NOW)
    with engine.begin() as connection:
        connection.execute(
            update(schema.evidence)
            .where(schema.evidence.c.id == "evidence-again")
            .values(manifest=b"evidence-00001")
        )
    close(batches)
    assert batches.locate(hashlib.sha256(b"evidence-00001").digest()) == [("batch-1", 1), ("batch-2", 0)]
    assert batches.locate(hashlib.sha256(b"evidence-00002").digest()) == [("batch-1", 2)]
    assert batches.locate(bytes(32)) == []


@pytest.mark.parametrize("count", [1, 3, 8])
def test_all_proofs_of_a_batch_come_in_leaf_order(records: Records, batches: Batches, count: int) -> None:
    add_many(records, count)
    closed = close(batches)
    root = batch.header_root(json.loads(closed.header))
    found = list(batches.paths(closed.id))
    assert [index for _, index, _ in found] == list(range(count))
    for (sha256, index, path), evidence_id in zip(found, batches.members(closed.id), strict=True):
        item = records.evidence(evidence_id)
        digest = digest_of(item.manifest or b"")
        assert sha256 == digest.sha256
        nodes = [path[start : start + 32] for start in range(0, len(path), 32)]
        leaf = batch.entry_leaf(digest, item.salt or b"")
        merkle.verify_inclusion(leaf, index=index, size=count, path=nodes, root=root)


def test_entries_and_batches_that_do_not_exist_are_named(records: Records, batches: Batches) -> None:
    with pytest.raises(NotFoundError, match="no batch batch-9"):
        batches.path("batch-9", 0)
    with pytest.raises(NotFoundError, match="no batch batch-9"):
        batches.paths("batch-9")
    add_many(records, 2)
    close(batches)
    with pytest.raises(NotFoundError, match="batch-1 has no entry 2"):
        batches.path("batch-1", 2)


def missing(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, 64)


def flipped(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))


def test_trees_that_are_missing_are_made_again_those_that_cannot_be_hold_up_none(
    records: Records, batches: Batches, tmp_path: Path
) -> None:
    closed = []
    for number in range(2):
        add(records, f"evidence-{number}", registered=NOW)
        closed.append(close(batches))
        stored(batches, tmp_path, closed[-1].id).unlink()
    with batches._engine.begin() as connection:
        connection.execute(text("UPDATE evidence SET salt = sha256('other') WHERE id = 'evidence-0'"))
    batches.make_missing_trees()
    assert not stored(batches, tmp_path, closed[0].id).exists()
    batches.check_tree(closed[1])


@pytest.mark.parametrize("damage", [missing, truncated, flipped])
@pytest.mark.parametrize("reading", ["path", "paths"])
def test_a_damaged_tree_file_is_made_again_from_the_record(
    records: Records, batches: Batches, tmp_path: Path, damage: Callable[[Path], None], reading: str
) -> None:
    add_many(records, 5)
    closed = close(batches)
    file = stored(batches, tmp_path, closed.id)
    whole, before = file.read_bytes(), batches.path(closed.id, 3)
    batches.check_tree(closed)
    damage(file)
    with pytest.raises(MismatchError):
        batches.check_tree(closed)
    if reading == "path":
        assert batches.path(closed.id, 3) == before
    else:
        assert [path for _, _, path in batches.paths(closed.id)][3] == b"".join(before)
    assert file.read_bytes() == whole
    batches.check_tree(closed)


def test_a_changed_record_never_becomes_a_tree_file(
    records: Records, batches: Batches, engine: Engine, tmp_path: Path
) -> None:
    add_many(records, 3)
    closed = close(batches)
    whole = stored(batches, tmp_path, closed.id).read_bytes()
    with engine.begin() as connection:
        connection.execute(
            update(schema.evidence)
            .where(schema.evidence.c.id == "evidence-00001")
            .values(manifest=b"another manifest")
        )
    with pytest.raises(MismatchError, match="do not give the root") as caught:
        batches.path(closed.id, 1)
    assert "backup" in caught.value.what_to_do
    assert stored(batches, tmp_path, closed.id).read_bytes() == whole
    assert len(batches.path(closed.id, 0)) == 2, "other entries are proved as before"


def test_a_full_disk_closes_nothing_and_loses_nothing(
    records: Records, batches: Batches, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    add_many(records, 3)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailableError, match="No space"):
        batches.close_due(DUE, now=NOW + MINUTE)
    monkeypatch.undo()
    assert batches.list_batches() == []
    assert list((tmp_path / "trees").iterdir()) == []
    assert close(batches).size == 3


MOMENTS = ["before the tree file", "after the tree file", "before the commit", "after the commit"]


def close_and_die(url: str, directory: str, moment: str) -> None:
    """In a process of its own: close the batch that is due, and be killed at one moment of it."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    class Dying(TreeFiles):
        def put(self, name: str, tree: merkle.MerkleTree) -> None:
            if moment == "before the tree file":
                die()
            super().put(name, tree)
            if moment == "after the tree file":
                die()

    engine = postgres.connect(url)
    if moment == "before the commit":
        event.listen(engine, "commit", die)
    Batches(engine, Dying(Path(directory))).close_due(DUE, now=NOW + MINUTE)
    die()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_while_closing_loses_and_doubles_nothing(
    records: Records, batches: Batches, engine: Engine, tmp_path: Path, moment: str
) -> None:
    add_many(records, 5)
    url = engine.url.render_as_string(hide_password=False)
    arguments = (url, str(tmp_path / "trees"), moment)
    killed = multiprocessing.get_context("spawn").Process(target=close_and_die, args=arguments)
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    survived = batches.list_batches()
    assert len(survived) == (1 if moment == "after the commit" else 0)
    assert len(list((tmp_path / "trees").iterdir())) == (0 if moment == "before the tree file" else 1)

    again = batches.close_due(DUE, now=NOW + 2 * MINUTE)
    assert (again is None) == (moment == "after the commit")
    (only,) = batches.list_batches()
    assert (only.sequence, only.size) == (1, 5)
    assert batches.members(only.id) == [f"evidence-{number:05d}" for number in range(5)]
    batches.check_tree(only)
    assert [index for _, index, _ in batches.paths(only.id)] == list(range(5))
    with engine.connect() as connection:
        assert len(connection.execute(select(schema.entries)).all()) == 5


def test_two_workers_close_one_batch(records: Records, batches: Batches, engine: Engine) -> None:
    add_many(records, 5)
    context = multiprocessing.get_context("spawn")
    url = engine.url.render_as_string(hide_password=False)
    with context.Pool(2) as pool:
        found = pool.starmap(close_in_a_process, [(url, str(batches._trees._directory))] * 4)
    assert sorted(found) == [0, 0, 0, 1]
    assert [item.size for item in batches.list_batches()] == [5]


def close_in_a_process(url: str, directory: str) -> int:
    engine = postgres.connect(url)
    return int(Batches(engine, TreeFiles(Path(directory))).close_due(DUE, now=NOW + MINUTE) is not None)


def test_a_full_batch_closes_in_few_statements(records: Records, batches: Batches, engine: Engine) -> None:
    count = Due(MINUTE, 4096).size
    with engine.begin() as connection:
        # Manifests of the size that captures have.
        connection.execute(
            text(
                "INSERT INTO evidence (id, matter_id, kind, operator, certificate_wanted, status, progress, "
                "manifest, salt, registered_at, created_at) "
                "SELECT 'evidence-' || n, 'm-1', 'upload', 'agent', false, 'registered', 'registered', "
                "convert_to(repeat(md5(n::text), 200), 'UTF8'), sha256(n::text::bytea), :now, :now "
                "FROM generate_series(1, :count) AS n"
            ),
            {"now": NOW, "count": count},
        )
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        closed = batches.close_due(Due(MINUTE, count), now=NOW)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert closed is not None
    assert closed.size == count
    assert len(statements) <= 9
    assert batches.path(closed.id, count - 1)


def test_the_migration_finds_the_entries_of_batches_that_were_there(
    records: Records, batches: Batches, engine: Engine
) -> None:
    add_many(records, 3)
    closed = close(batches)
    with engine.connect() as connection:
        before = connection.execute(select(schema.entries).order_by(schema.entries.c.leaf_index)).all()
    config = Config()
    config.set_main_option("script_location", str(Path(postgres.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        command.upgrade(config, "head")
        after = connection.execute(select(schema.entries).order_by(schema.entries.c.leaf_index)).all()
    assert before == after
    assert len(after) == 3
    assert records.evidence("evidence-00000").urgent is False
    assert batches.locate(hashlib.sha256(b"evidence-00002").digest()) == [(closed.id, 2)]
