"""Migrations on records that are not empty."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, insert, select, table, text
from sqlalchemy import column as col

from evidence_service.certificate.edition import DEFAULT
from evidence_service.store import postgres, schema
from evidence_service.store.certificate_orders import NewOrder
from evidence_service.store.certificates import Certificates
from evidence_service.store.lists import NewList, NewRow
from evidence_service.store.logins import SealedLogin
from evidence_service.store.orders import NewEvidence
from evidence_service.store.queue import CaptureQueue, Place
from evidence_service.store.records import Matter, Records
from evidence_service.store.stamps import KeptToken
from tests.forgeries.keys import authority, later
from tests.running import database

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY, CONTRACT = "0x" + "11" * 20, "0x" + "aB" * 20


def config(connection: Connection) -> Config:
    found = Config()
    found.set_main_option("script_location", str(Path(postgres.__file__).parent / "migrations"))
    found.attributes["connection"] = connection
    return found


def test_tokens_of_before_say_that_revocation_data_is_gone(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("migrations")
    token = authority("First").token(hashlib.sha512(b"data").digest(), later(seconds=1))
    with database(directory) as url:
        engine = postgres.connect(url)
        with engine.begin() as connection:
            command.downgrade(config(connection), "0003")
            older = table("tokens", col("stamped"), col("subject_id"), col("authority"), col("token"))
            connection.execute(
                insert(older).values(stamped="manifest", subject_id="e-1", authority="First", token=token)
            )
            assert len(connection.execute(select(older)).all()) == 1
            command.upgrade(config(connection), "head")
        [found] = Records(engine).tokens("manifest", "e-1")
        engine.dispose()
    assert found == KeptToken(
        "First",
        token,
        {"status": "absent", "why": "obtained before revocation data was kept"},
        datetime(2040, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def older(engine: Engine) -> Iterator[Engine]:
    """A database of version 1, in another one of the same server."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text("CREATE DATABASE older"))
        older = postgres.connect(engine.url.set(database="older").render_as_string(hide_password=False))
        try:
            with older.begin() as connection:
                command.upgrade(config(connection), "0001")
            yield older
        finally:
            older.dispose()
            server.execute(text("DROP DATABASE older"))


def put(connection: Connection, name: str, **values: Any) -> None:
    """A row; what is a dictionary or a list is stored as JSON."""
    found = {
        key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in values.items()
    }
    names, places = ", ".join(found), ", ".join(f":{key}" for key in found)
    connection.execute(text(f"INSERT INTO {name} ({names}) VALUES ({places})"), found)


def batch(
    connection: Connection, number: int, status: str, *members: str, waiting: str | None = None
) -> None:
    put(
        connection,
        "batches",
        id=f"batch-{number}",
        sequence=number,
        status=status,
        header=b"header",
        commitment=bytes([number]),
        size=len(members),
        closed_at=NOW,
        waiting_for=waiting,
    )
    for index, member in enumerate(members):
        evidence_id = f"e-{number}-{index}"
        put(
            connection,
            "evidence",
            id=evidence_id,
            matter_id="m-1",
            kind="upload",
            operator="agent",
            certificate_wanted=True,
            status=member,
            progress="anchoring",
            waiting_for=waiting,
            manifest=evidence_id.encode(),
            salt=bytes(32),
            registered_at=NOW,
            batch_id=f"batch-{number}",
            leaf_index=index,
            created_at=NOW,
        )
        if member == "anchored":
            event = {"action": "anchor", "detail": {"chain_id": "1337"}}
            put(
                connection,
                "custody_events",
                evidence_id=evidence_id,
                sequence=0,
                step_key="anchor",
                event=event,
            )


def submission(connection: Connection, number: int, state: str, *, attempts: int = 1, **more: Any) -> None:
    one = {"raw": "02", "hash": "0x0a", "max_fee": 2, "priority_fee": 1, "head": 5}
    put(
        connection,
        "submissions",
        id=f"batch-{number}-on-1337",
        chain_id=1337,
        submitter=KEY,
        contract=CONTRACT,
        commitment=bytes([number]),
        leaf_count=1,
        state=state,
        nonce=number,
        attempts=[one] * attempts,
        reason="",
        **more,
    )
    put(
        connection,
        "nonces",
        chain_id=1337,
        submitter=KEY,
        nonce=number,
        submission_id=f"batch-{number}-on-1337",
    )


def proof(connection: Connection, number: int) -> None:
    put(connection, "anchors", batch_id=f"batch-{number}", chain_id=1337, proof={"of": number})


def fill(connection: Connection) -> None:
    """Batches of version 1 at every point at which it may have been stopped."""
    put(connection, "matters", id="m-1", reference="R", applicant="A", rights=[], created_at=NOW)
    final = {"block_number": 9, "block_hash": "0x0b", "transaction_hash": "0x0a"}
    batch(connection, 1, "anchored", "anchored", "certified")
    submission(connection, 1, "finalized", **final)
    proof(connection, 1)
    batch(connection, 2, "anchored", "anchored", "registered")  # killed half-way through custody logs
    submission(connection, 2, "finalized", **final)
    proof(connection, 2)
    batch(connection, 3, "closed", "registered", waiting="no node answers")
    submission(connection, 3, "broadcast", attempts=2)
    # A second nonce, taken by a process that had lost its lock.
    put(connection, "nonces", chain_id=1337, submitter=KEY, nonce=0, submission_id="batch-3-on-1337")
    batch(connection, 4, "closed", "registered")  # without a submission
    batch(connection, 5, "closed", "registered")
    submission(connection, 5, "finalized", **final)  # killed before its proof was stored
    token = authority("First").token(hashlib.sha512(b"header").digest(), later(seconds=1))
    put(connection, "tokens", stamped="batch_header", subject_id="batch-1", authority="First", token=token)


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text(query))]


def test_a_record_of_version_1_is_brought_up_to_date_wherever_it_was_stopped(older: Engine) -> None:
    with older.begin() as connection:
        fill(connection)
    postgres.migrate(older)
    with older.connect() as connection:
        assert rows(connection, "SELECT id, status, waiting_for, waiting, late FROM batches ORDER BY id") == [
            ("batch-1", "anchored", None, {}, 0),
            ("batch-2", "closed", None, {}, 0),
            ("batch-3", "closed", None, {}, 0),
            ("batch-4", "closed", None, {}, 0),
            ("batch-5", "closed", None, {}, 0),
        ]
        names = "id, batch_id, state, noted, proof, proof_block, contract, failures"
        assert rows(connection, f"SELECT {names} FROM submissions ORDER BY id") == [
            (f"batch-{n}-on-1337", f"batch-{n}", state, noted, proof, block, CONTRACT.lower(), 0)
            for n, state, noted, proof, block in (
                (1, "sealed", True, {"of": 1}, "0x0b"),
                (2, "sealed", False, {"of": 2}, "0x0b"),
                (3, "broadcast", False, None, None),
                (5, "finalized", False, None, None),
            )
        ]
        attempts = rows(connection, "SELECT attempts FROM submissions ORDER BY id")
        assert [[item["nonce"] for item in found] for (found,) in attempts] == [[1], [2], [3, 3], [5]]
        assert [{item["raw"] for item in found} for (found,) in attempts] == [{"02"}] * 4
        assert rows(connection, "SELECT nonce, submission_id FROM nonces ORDER BY nonce") == [
            (0, None),
            (1, "batch-1-on-1337"),
            (2, "batch-2-on-1337"),
            (3, "batch-3-on-1337"),
            (5, "batch-5-on-1337"),
        ]
        assert rows(connection, "SELECT evidence_id, step_key FROM custody_events ORDER BY evidence_id") == [
            ("e-1-0", "anchor 1337"),
            ("e-2-0", "anchor 1337"),
        ]
        assert rows(
            connection, "SELECT id, status, waiting_for, batch_by, urgent FROM evidence ORDER BY id"
        ) == [
            ("e-1-0", "anchored", None, None, False),
            ("e-1-1", "certified", None, None, False),
            ("e-2-0", "anchored", None, None, False),
            ("e-2-1", "registered", None, None, False),
            ("e-3-0", "registered", None, None, False),
            ("e-4-0", "registered", None, None, False),
            ("e-5-0", "registered", None, None, False),
        ]
        found = connection.execute(select(schema.entries)).all()
        assert {(row.batch_id, row.leaf_index): row.sha256 for row in found} == {
            (f"batch-{n}", index): hashlib.sha256(f"e-{n}-{index}".encode()).digest()
            for n, index in ((1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (4, 0), (5, 0))
        }
        [(revocation, ends_at)] = rows(connection, "SELECT revocation, ends_at FROM tokens")
        assert (revocation["status"], ends_at) == ("absent", datetime(2040, 1, 1, tzinfo=UTC))
        assert rows(connection, "SELECT id, reference FROM matters") == [("m-1", "R")]


def version_1(connection: Connection) -> list[list[tuple[Any, ...]]]:
    """What version 1 reads."""
    return [
        rows(connection, query)
        for query in (
            "SELECT id, state, nonce, attempts, block_hash FROM submissions ORDER BY id",
            "SELECT batch_id, chain_id, proof FROM anchors ORDER BY batch_id",
            "SELECT evidence_id, sequence, step_key, event FROM custody_events ORDER BY evidence_id",
            "SELECT id, status, manifest, salt, batch_id, leaf_index FROM evidence ORDER BY id",
            "SELECT subject_id, token FROM tokens",
        )
    ]


def test_a_record_of_version_1_can_be_had_back(older: Engine) -> None:
    with older.begin() as connection:
        fill(connection)
        before = version_1(connection)
        command.upgrade(config(connection), "head")
        command.downgrade(config(connection), "0001")
        assert version_1(connection) == before
        command.upgrade(config(connection), "head")
        assert rows(connection, "SELECT id FROM submissions WHERE state = 'sealed' ORDER BY id") == [
            ("batch-1-on-1337",),
            ("batch-2-on-1337",),
        ]


def test_workflows_that_do_not_exist_any_more_are_cancelled(older: Engine) -> None:
    stored = [
        ("anchor-batch-1", "SUCCESS"),
        ("anchor-batch-2", "PENDING"),
        ("anchor-batch-3", "ENQUEUED"),
        ("certify-e-1", "PENDING"),
    ]
    with older.begin() as connection:
        connection.execute(text("CREATE SCHEMA dbos"))
        connection.execute(text("CREATE TABLE dbos.workflow_status (workflow_uuid text, status text)"))
        for workflow, status in stored:
            put(connection, "dbos.workflow_status", workflow_uuid=workflow, status=status)
    postgres.migrate(older)
    with older.connect() as connection:
        found = rows(connection, "SELECT workflow_uuid, status FROM dbos.workflow_status ORDER BY 1")
    assert found == [
        ("anchor-batch-1", "SUCCESS"),
        ("anchor-batch-2", "CANCELLED"),
        ("anchor-batch-3", "CANCELLED"),
        ("certify-e-1", "PENDING"),
    ]


def test_late_entries_of_older_batches_are_counted(older: Engine) -> None:
    with older.begin() as connection:
        fill(connection)
        command.upgrade(config(connection), "0004")
        connection.execute(text("UPDATE evidence SET batch_by = '2026-01-01 00:00Z' WHERE id LIKE 'e-1-%'"))
        connection.execute(text("UPDATE evidence SET batch_by = '2027-01-01 00:00Z' WHERE id LIKE 'e-2-%'"))
        command.upgrade(config(connection), "head")
        assert rows(connection, "SELECT id, late FROM batches WHERE late > 0") == [("batch-1", 2)]


def evidence_0005(connection: Connection, evidence_id: str, status: str, progress: str, **more: Any) -> None:
    """A capture as version 0005 kept it."""
    put(
        connection,
        "evidence",
        id=evidence_id,
        matter_id="m-1",
        kind="platform_capture",
        url="https://shop.example/1",
        operator="agent",
        certificate_wanted=True,
        status=status,
        progress=progress,
        created_at=NOW,
        **more,
    )


def test_orders_of_before_keep_their_place_and_what_was_refused_is_marked(older: Engine) -> None:
    described = {
        "outcome": {"status": "captured", "reasons": []},
        "started_at": "2026-01-02T03:04:05.000Z",
        "finished_at": "2026-01-02T03:04:09.000Z",
    }
    with older.begin() as connection:
        fill(connection)
        command.upgrade(config(connection), "0005")
        evidence_0005(connection, "e-waits", "accepted", "accepted", batch_by=NOW)
        evidence_0005(connection, "e-old", "accepted", "accepted")
        evidence_0005(connection, "e-refused", "accepted", "preserve refused: not public", batch_by=NOW)
        evidence_0005(connection, "e-captured", "captured", "captured", capture=described, outcome="captured")
        evidence_0005(connection, "e-uncertified", "anchored", "certify refused: no fonts", registered_at=NOW)
        before = rows(connection, "SELECT * FROM evidence ORDER BY id")
        command.upgrade(config(connection), "head")
        assert rows(connection, "SELECT id FROM evidence WHERE refused") == [("e-refused",)]
        assert rows(connection, "SELECT DISTINCT options FROM evidence") == [(None,)]
    queue = CaptureQueue(older)
    assert [item.id for item in queue.next(9)] == ["e-captured", "e-old", "e-waits"]
    assert queue.end() == Place(2, NOW)
    assert queue.recent() == [timedelta(seconds=4)]
    records = Records(older)
    assert records.evidence("e-refused").refused and records.evidence("e-waits").options is None
    with older.begin() as connection:
        command.downgrade(config(connection), "0005")
        assert rows(connection, "SELECT * FROM evidence ORDER BY id") == before
        command.upgrade(config(connection), "head")


def test_lists_and_login_states_leave_with_their_version(older: Engine) -> None:
    postgres.migrate(older)
    records = Records(older)
    records.add_matter(Matter("m-1", "R", "A", (), NOW))
    new = NewEvidence("e-1", "m-1", "platform_capture", "https://shop.example/", "agent", True, NOW)
    records.accept(
        [new],
        login=SealedLogin("login-1", b"sealed"),
        capture_list=NewList("cl-1", "m-1", "agent", NOW, [NewRow(1, new.url or "", "", evidence_id="e-1")]),
    )
    with older.begin() as connection:
        command.downgrade(config(connection), "0005")
        assert rows(connection, "SELECT id FROM evidence") == [("e-1",)]
        command.upgrade(config(connection), "head")
        assert rows(connection, "SELECT id FROM login_states") == []


def test_certificates_of_before_keep_their_numbers_and_get_a_history(older: Engine) -> None:
    with older.begin() as connection:
        fill(connection)
        command.upgrade(config(connection), "0006")
        for number, status in ((1, "released"), (2, "reserved")):
            evidence_0005(connection, f"e-{number}", "anchored", "anchored", registered_at=NOW)
            done = {"sha256": b"pdf", "level": "PAdES B-T", "released_at": NOW + timedelta(seconds=9)}
            put(
                connection,
                "certificates",
                number=f"EP-2026-00000{number}",
                evidence_id=f"e-{number}",
                status=status,
                reserved_at=NOW,
                **(done if status == "released" else {}),
            )
        before = rows(connection, "SELECT * FROM certificates ORDER BY number")
        command.upgrade(config(connection), "head")
    register = Certificates(older)
    first, second = register.find()
    assert (first.edition, first.since, first.unnoted) == (DEFAULT, NOW + timedelta(seconds=9), True)
    assert (second.status, second.since, second.unnoted) == ("reserved", NOW, False)
    assert [item.status for item in register.history(first.number)] == ["reserved", "released"]
    [pdf] = register.pdfs(first.number)
    assert (pdf.sha256, pdf.level, pdf.ends_at) == (b"pdf", "PAdES B-T", None)
    issued, waiting = register.orders(["co-e-1", "co-e-2"])
    assert (issued.state, issued.number) == ("issued", first.number)
    assert (waiting.state, waiting.number) == ("open", second.number)
    assert register.issuable(9) == ["co-e-2"], "what was begun goes on under its number"
    register.place(NewOrder("co-3", "e-1", "cn:en", "agent", NOW))
    assert register.reserve("co-3", prefix="EP", now=NOW).number == "EP-2026-000003"
    with older.begin() as connection:
        command.downgrade(config(connection), "0006")
        assert rows(connection, "SELECT * FROM certificates ORDER BY number") == before
        command.upgrade(config(connection), "head")
