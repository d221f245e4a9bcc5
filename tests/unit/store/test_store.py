"""The record on a real PostgreSQL: durable, idempotent by key, and consistent with what is hashed."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from evidence_service.anchor.submission import Attempt, State, Submission
from evidence_service.core import custody
from evidence_service.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseUnavailableError,
    NotFoundError,
)
from evidence_service.store import postgres, schema
from evidence_service.store.batches import Batches
from evidence_service.store.certificates import Certificates
from evidence_service.store.chain_status import ChainStatus
from evidence_service.store.closing import Due
from evidence_service.store.journal import PostgresJournal
from evidence_service.store.records import Records
from evidence_service.store.stamps import KeptToken
from tests.unit.store.conftest import MINUTE, NOW, add


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


def test_the_receipt_is_durable_with_the_order_and_the_first_one_stays(records: Records) -> None:
    add(records, "evidence-1", batch_by=NOW + MINUTE, receipt=b"first")
    add(records, "evidence-1", batch_by=NOW, receipt=b"second")
    assert records.receipt("evidence-1") == b"first"
    assert records.evidence("evidence-1").batch_by == NOW + MINUTE
    add(records, "evidence-2")
    with pytest.raises(NotFoundError, match="no receipt"):
        records.receipt("evidence-2")


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


def test_unknown_ids_are_named(records: Records, batches: Batches) -> None:
    with pytest.raises(NotFoundError, match="no matter m-9"):
        records.matter("m-9")
    with pytest.raises(NotFoundError, match="no evidence evidence-9"):
        records.evidence("evidence-9")
    with pytest.raises(NotFoundError, match="no batch batch-9"):
        batches.batch("batch-9")


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


def test_an_event_is_appended_to_many_logs_at_once(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence_service.store.records._PORTION", 2)
    names = [f"evidence-{number}" for number in (3, 1, 2, 5, 4)]
    for name in names:
        add(records, name)
    records.append_custody("evidence-1", "capture", event(), now=NOW + MINUTE)
    before = records.append_custody("evidence-2", "anchor 1", event("anchor"), now=NOW)
    for _ in range(2):
        records.append_custody_each(names, "anchor 1", event("anchor"), now=NOW)
    records.append_custody_each([], "anchor 1", event("anchor"), now=NOW)
    for name in names:
        events = records.custody(name)
        custody.verify_chain(events, evidence_id=name)
        assert [item["action"] for item in events].count("anchor") == 1
    assert records.custody("evidence-2") == [before]
    first, second = records.custody("evidence-1")
    assert second["at"] == first["at"], "a clock set back contradicts nothing"


def test_the_first_token_of_an_authority_is_kept(records: Records) -> None:
    def token(authority: str, der: bytes) -> KeptToken:
        return KeptToken(authority, der, {"status": "absent", "why": "test"}, NOW)

    records.add_tokens("manifest", "evidence-1", [token("b", b"1"), token("a", b"2")])
    records.add_tokens("manifest", "evidence-1", [token("b", b"3"), token("c", b"4")])
    assert records.tokens("manifest", "evidence-1") == [token("a", b"2"), token("b", b"1"), token("c", b"4")]


def test_batches_are_anchored_once_and_in_their_order(records: Records, batches: Batches) -> None:
    for number in range(2):
        add(records, f"evidence-{number}", registered=NOW)
        assert batches.close_due(Due(MINUTE, 1), now=NOW) is not None
    assert [item.id for item in batches.unanchored()] == ["batch-1", "batch-2"]
    records.advance("evidence-1", "certified")
    batches.finish("batch-1")
    assert [records.evidence(f"evidence-{number}").status for number in range(2)] == ["anchored", "certified"]
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
            "attempts": (Attempt(b"\x02raw", "0xab", 7, 10**20, 10**9, 5),),
        }
    )
    journal.create(full)
    assert journal.load("s-1") == full
    journal.create(submission())
    assert journal.load("s-1") == full


def test_no_nonce_is_given_twice(journal: PostgresJournal[Submission]) -> None:
    owner = (1337, "0x" + "11" * 20)
    assert journal.reserve_nonce(*owner, 5, "s-1") == 5
    assert journal.reserve_nonce(*owner, 9, "s-1") == 5
    assert journal.reserve_nonce(*owner, 5, "s-2") == 6
    journal.release_nonce(*owner, 5, "s-1")
    journal.release_nonce(*owner, 5, "s-1")
    assert journal.reserved_nonce(*owner, "s-1") is None
    assert journal.reserve_nonce(*owner, 0, "s-1") == 7


def test_a_transition_is_stored_only_from_where_it_started(journal: PostgresJournal[Submission]) -> None:
    first = submission()
    journal.create(first)
    signed = replace(first, state=State.SIGNED, nonce=4, attempts=(Attempt(b"1", "0x1", 4, 2, 1, 5),))
    journal.move(first, signed)
    assert journal.load("s-1") == signed
    for stale in (first, replace(signed, attempts=()), replace(signed, nonce=None)):
        with pytest.raises(ConflictError, match="moved by another process"):
            journal.move(stale, replace(stale, state=State.BROADCAST))
    assert journal.load("s-1") == signed


def test_open_submissions_come_by_nonce_then_in_order(journal: PostgresJournal[Submission]) -> None:
    for name, state, nonce in (
        ("waiting-1", State.CREATED, None),
        ("second", State.BROADCAST, 8),
        ("waiting-2", State.CREATED, None),
        ("first", State.MINED, 7),
        ("done", State.SEALED, 6),
    ):
        journal.create(replace(submission(name), state=state, nonce=nonce))
    filler = replace(submission("filler"), contract="0x" + "11" * 20, nonce=5)
    journal.create(replace(filler, state=State.FINALIZED))
    found = [item.submission_id for item in journal.open(1337, "0x" + "11" * 20, unbegun=9)]
    assert found == ["first", "second", "waiting-1", "waiting-2"]
    assert len(journal.open(1337, "0x" + "11" * 20, unbegun=1)) == 3
    assert journal.submitters(1337) == ["0x" + "11" * 20]
    assert journal.submitters(1) == []


def test_a_proof_is_kept_with_the_block_it_is_of(journal: PostgresJournal[Submission]) -> None:
    mined = replace(submission(), state=State.MINED, block_hash="0x01")
    journal.create(mined)
    assert journal.proof("s-1") is None
    journal.keep_proof(mined, {"a": 1})
    assert journal.proof("s-1") == {"a": 1}
    assert journal.load("s-1").proved_block == "0x01"
    elsewhere = replace(mined, state=State.FINALIZED, block_hash="0x02")
    journal.move(mined, elsewhere)
    journal.keep_proof(elsewhere, {"a": 2})
    assert (journal.proof("s-1"), journal.load("s-1").proved_block) == ({"a": 2}, "0x02")


def test_a_proof_another_process_sealed_is_never_replaced(journal: PostgresJournal[Submission]) -> None:
    mined = replace(submission(), state=State.MINED, block_hash="0x01")
    journal.create(mined)
    journal.keep_proof(mined, {"a": 1})
    with pytest.raises(ConflictError, match="moved by another process"):
        journal.keep_proof(replace(mined, block_hash="0x02"), {"a": "of a block it is not in"})
    with pytest.raises(ConflictError, match="moved by another process"):
        journal.keep_proof(replace(mined, submission_id="s-9"), {"a": "of nothing"})
    journal.move(mined, replace(mined, state=State.SEALED, proved_block="0x01"))
    with pytest.raises(ConflictError, match="moved by another process"):
        journal.keep_proof(mined, {"a": "late"})
    assert (journal.proof("s-1"), journal.load("s-1").proved_block) == ({"a": 1}, "0x01")


def test_a_gap_is_given_to_one_filler(journal: PostgresJournal[Submission]) -> None:
    owner = (1337, "0x" + "11" * 20)
    journal.reserve_nonce(*owner, 5, "s-1")
    journal.release_nonce(*owner, 5, "s-1")
    assert journal.nonces(*owner, 5) == {5: None}
    journal.take_nonce(*owner, 5, "fill-5")
    journal.take_nonce(*owner, 5, "another")
    journal.take_nonce(*owner, 9, "fill-9")
    assert journal.nonces(*owner, 0) == {5: "fill-5", 9: "fill-9"}


def test_a_submission_never_holds_two_nonces(
    journal: PostgresJournal[Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = (1337, "0x" + "11" * 20)
    assert journal.reserve_nonce(*owner, 5, "s-1") == 5
    with pytest.raises(ConflictError, match="moved by another process"):
        journal.take_nonce(*owner, 7, "s-1")
    with monkeypatch.context() as patched:
        # Two processes that both saw no nonce reserved, because one of them lost its lock.
        patched.setattr(journal, "reserved_nonce", lambda *_: None)
        with pytest.raises(ConflictError, match="moved by another process"):
            journal.reserve_nonce(*owner, 6, "s-1")
    assert journal.reserve_nonce(*owner, 6, "s-1") == 5
    assert journal.nonces(*owner, 0) == {5: "s-1"}
    assert journal.reserve_nonce(1, owner[1], 3, "s-1") == 3, "another chain counts for itself"


def test_one_writer_at_a_time(journal: PostgresJournal[Submission]) -> None:
    with journal.exclusive(1337, "0x01") as first, journal.exclusive(1337, "0x01") as second:
        assert (first, second) == (True, False)
        with journal.exclusive(1337, "0x02") as other:
            assert other
    with journal.exclusive(1337, "0x01") as again:
        assert again


def test_what_rounds_saw_is_replaced_and_counted(engine: Engine, records: Records) -> None:
    status = ChainStatus(engine)
    status.record(1, "0x01", at=NOW, seen={"head": 1}, events={"mined": 2})
    status.record(1, "0x01", at=NOW + MINUTE, seen={"head": 2}, events={"mined": 1, "reorged": 1})
    found = status.all()
    assert len(found) == 1
    assert (found[0].at, found[0].seen) == (NOW + MINUTE, {"head": 2})
    assert found[0].events == {"mined": 3, "reorged": 1}


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
