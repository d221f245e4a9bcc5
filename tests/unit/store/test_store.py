"""The record on a real PostgreSQL: durable, idempotent by key, and consistent with what is hashed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from evidence_service.anchor.submission import Attempt, State, Submission
from evidence_service.core import batch, custody, merkle
from evidence_service.core.digest import digest_of
from evidence_service.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseUnavailableError,
    MismatchError,
    NotFoundError,
)
from evidence_service.store import postgres, schema
from evidence_service.store.batches import Batches
from evidence_service.store.certificates import Certificates
from evidence_service.store.journal import PostgresJournal
from evidence_service.store.objects import LocalObjects
from evidence_service.store.records import KeptToken, Matter, Records

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory = tmp_path_factory.mktemp("pg")
    for parent in (directory, *directory.parents):
        # As root the server runs as another user, which has to reach its directory.
        if parent.is_relative_to(tmp_path_factory.getbasetemp().parent):
            parent.chmod(0o755)
    server = postgres.EmbeddedPostgres(directory / "data")
    engine = postgres.connect(server.url)
    postgres.migrate(engine)
    yield engine
    engine.dispose()
    server.stop()


@pytest.fixture
def records(engine: Engine) -> Records:
    with engine.begin() as connection:
        names = ", ".join(table.name for table in schema.metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} CASCADE"))
    records = Records(engine)
    records.add_matter(Matter("m-1", "REF/1", "Example Brand Ltd", ("trade mark 1",), NOW))
    return records


def add(records: Records, evidence_id: str, *, registered: datetime | None = None) -> None:
    records.add_evidence(
        evidence_id=evidence_id,
        matter_id="m-1",
        kind="platform_capture",
        url="http://shop.example/",
        operator="agent",
        certificate_wanted=True,
        created_at=NOW,
    )
    if registered is not None:
        records.advance(
            evidence_id,
            "registered",
            manifest=evidence_id.encode(),
            salt=hashlib.sha256(evidence_id.encode()).digest(),
            registered_at=registered,
        )


def event(action: str = "capture", **changes: Any) -> dict[str, Any]:
    members = {
        "action": action,
        "actor": {"id": "agent", "role": "operator"},
        "host": "host",
        "purpose": "test",
        "before": None,
        "after": None,
        "tool": "evidence-service",
        "detail": {},
    }
    return members | changes


def test_the_migrations_make_the_schema_and_repeating_them_changes_nothing(engine: Engine) -> None:
    postgres.migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        postgres.connect(f"postgresql://nobody@/none?host={tmp_path}")
    with pytest.raises(ConfigurationError, match="does not name PostgreSQL"):
        postgres.connect("sqlite://")


def test_evidence_moves_forward_only_and_what_was_written_stays(records: Records) -> None:
    add(records, "evidence-1")
    add(records, "evidence-1")
    assert len(records.list_evidence()) == 1
    records.advance("evidence-1", "sealed", manifest=b"one")
    records.advance("evidence-1", "captured")
    assert records.evidence("evidence-1").status == "sealed"
    records.advance("evidence-1", "sealed", manifest=b"one")
    with pytest.raises(ConflictError, match="cannot change"):
        records.advance("evidence-1", "sealed", manifest=b"two")
    assert records.evidence("evidence-1").manifest == b"one"


def test_unknown_ids_are_named(records: Records, engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="no matter m-9"):
        records.matter("m-9")
    with pytest.raises(NotFoundError, match="no evidence evidence-9"):
        records.evidence("evidence-9")
    with pytest.raises(NotFoundError, match="no batch batch-9"):
        Batches(engine).batch("batch-9")


def test_a_repeated_step_appends_one_custody_event(records: Records) -> None:
    add(records, "evidence-1")
    first = records.append_custody("evidence-1", "capture", event(), now=NOW)
    assert records.append_custody("evidence-1", "capture", event(), now=NOW + MINUTE) == first
    records.append_custody("evidence-1", "hash", event("hash"), now=NOW - MINUTE)
    events = records.custody("evidence-1")
    custody.verify_chain(events, evidence_id="evidence-1")
    assert [item["action"] for item in events] == ["capture", "hash"]


def test_many_writers_make_one_chain(records: Records) -> None:
    add(records, "evidence-1")
    threads = [
        threading.Thread(
            target=lambda n=n: records.append_custody("evidence-1", f"step {n}", event("view"), now=NOW)
        )
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = records.custody("evidence-1")
    assert len(events) == 12
    custody.verify_chain(events, evidence_id="evidence-1")


def test_the_first_token_of_an_authority_is_kept(records: Records) -> None:
    def token(authority: str, der: bytes) -> KeptToken:
        return KeptToken(authority, der, {"status": "absent", "why": "test"}, NOW)

    records.add_tokens("manifest", "evidence-1", [token("b", b"1"), token("a", b"2")])
    records.add_tokens("manifest", "evidence-1", [token("b", b"3"), token("c", b"4")])
    assert records.tokens("manifest", "evidence-1") == [token("a", b"2"), token("b", b"1"), token("c", b"4")]


def test_a_batch_closes_when_it_is_due_and_proves_its_entries(records: Records, engine: Engine) -> None:
    batches = Batches(engine)

    def close(at: datetime, size: int = 10) -> Any:
        return batches.close_due(now=at, maximum_age=MINUTE, maximum_size=size)

    assert close(NOW) is None
    for number in range(3):
        add(records, f"evidence-{number}", registered=NOW + timedelta(seconds=number))
    assert close(NOW + timedelta(seconds=30)) is None
    closed = close(NOW + MINUTE)
    assert (closed.sequence, closed.size) == (1, 3)
    assert closed.commitment == batch.commitment(closed.header)
    assert batches.members(closed.id) == [f"evidence-{number}" for number in range(3)]
    tree = batches.tree(closed.id)
    header = json.loads(closed.header)
    for index in range(3):
        item = records.evidence(f"evidence-{index}")
        leaf = batch.entry_leaf(digest_of(item.manifest or b""), item.salt or b"")
        merkle.verify_inclusion(
            leaf, index=index, size=3, path=tree.path(index), root=batch.header_root(header)
        )
    assert close(NOW + 2 * MINUTE) is None
    for number in range(3, 6):
        add(records, f"evidence-{number}", registered=NOW)
    second = close(NOW, size=2)
    assert (second.sequence, second.size) == (2, 2)
    assert json.loads(second.header)["previous"] == closed.commitment.hex()
    assert [item.id for item in batches.unanchored()] == ["batch-1", "batch-2"]
    batches.add_anchor("batch-1", 1337, {"a": 1})
    batches.add_anchor("batch-1", 1337, {"a": 2})
    assert batches.anchors("batch-1") == [{"a": 1}]
    assert [item.id for item in batches.unanchored()] == ["batch-2"]


def submission(name: str = "s-1") -> Submission:
    return Submission(
        submission_id=name,
        chain_id=1337,
        submitter="0x" + "11" * 20,
        contract="0x" + "22" * 20,
        commitment=hashlib.sha256(name.encode()).digest(),
        leaf_count=3,
    )


@pytest.fixture
def journal(engine: Engine, records: Records) -> PostgresJournal[Submission]:
    return PostgresJournal(engine, make_submission=Submission, make_attempt=Attempt, make_state=State)


def test_the_journal_gives_back_what_it_was_given(journal: PostgresJournal[Submission]) -> None:
    with pytest.raises(NotFoundError):
        journal.load("s-1")
    full = Submission(
        **{
            **{name: getattr(submission(), name) for name in Submission.__slots__},
            "state": State.BROADCAST,
            "nonce": 7,
            "attempts": (Attempt(b"\x02raw", "0xab", 10**20, 10**9, 5),),
        }
    )
    journal.create(full)
    assert journal.load("s-1") == full
    journal.create(submission())
    assert journal.load("s-1") == full
    journal.save(submission())
    assert journal.load("s-1") == submission()


def test_no_nonce_is_given_twice(journal: PostgresJournal[Submission]) -> None:
    owner = (1337, "0x" + "11" * 20)
    assert journal.reserve_nonce(*owner, 5, "s-1") == 5
    assert journal.reserve_nonce(*owner, 9, "s-1") == 5
    assert journal.reserve_nonce(*owner, 5, "s-2") == 6
    journal.release_nonce(*owner, 5, "s-1")
    journal.release_nonce(*owner, 5, "s-1")
    assert journal.reserved_nonce(*owner, "s-1") is None
    assert journal.reserve_nonce(*owner, 0, "s-1") == 7


def test_one_writer_at_a_time(journal: PostgresJournal[Submission]) -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with journal.exclusive(1337, "0x01"):
            order.append("second")

    with journal.exclusive(1337, "0x01"):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        thread.join(0.3)
        assert thread.is_alive()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_certificate_numbers_are_consecutive_and_one_for_each(records: Records, engine: Engine) -> None:
    register = Certificates(engine)
    for number in range(2):
        add(records, f"evidence-{number}")
    first = register.reserve("evidence-0", prefix="EP", now=NOW)
    assert first.number == "EP-2026-000001"
    assert register.reserve("evidence-0", prefix="EP", now=NOW + MINUTE) == first
    assert register.reserve("evidence-1", prefix="EP", now=NOW).number == "EP-2026-000002"
    with pytest.raises(NotFoundError, match="released"):
        register.of_evidence("evidence-0")
    register.release(first.number, sha256=b"1" * 32, level="PAdES B-T", now=NOW)
    register.release(first.number, sha256=b"2" * 32, level="other", now=NOW)
    assert register.of_evidence("evidence-0").sha256 == b"1" * 32


def test_a_request_is_performed_once_per_key(engine: Engine, records: Records) -> None:
    register = Certificates(engine)
    performed: list[int] = []

    def perform() -> tuple[int, dict[str, Any]]:
        performed.append(1)
        return 202, {"id": "x"}

    for _ in range(2):
        assert register.once("key", b"body", perform, now=NOW) == (202, {"id": "x"})
    assert performed == [1]
    with pytest.raises(ConflictError, match="another request"):
        register.once("key", b"other body", perform, now=NOW)


def test_objects_are_kept_and_hashed_again(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / "objects")
    (tmp_path / "file").write_bytes(b"content")
    stored = objects.put(tmp_path / "file")
    assert stored == objects.put_bytes(b"content") == digest_of(b"content")
    assert objects.read(stored.sha256) == b"content"
    path = objects.path(stored.sha256)
    assert path.stat().st_mode & 0o222 == 0
    assert not list((tmp_path / "objects").glob("incoming-*"))
    path.chmod(0o644)
    path.write_bytes(b"changed")
    with pytest.raises(MismatchError, match="changed on disk"):
        objects.read(stored.sha256)
    with pytest.raises(NotFoundError):
        objects.read(bytes(32))
