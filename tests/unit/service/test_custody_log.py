"""The custody log of each organisation: nothing in it can be changed, moved or taken away unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core import custody, custody_log
from evidence_service.core.digest import digest_of
from evidence_service.service import delete, renew
from evidence_service.service.audit import audit, audit_trees
from evidence_service.service.audit_custody import audit_custody
from evidence_service.service.custody_matter import matter_id_of
from evidence_service.service.durable import DbosDurable
from evidence_service.service.log_custody import log_custody, make_checkpoint
from evidence_service.service.parts import Parts
from evidence_service.service.tracing import NoTracing
from evidence_service.service.worker import Worker
from evidence_service.store.closing import Due
from evidence_service.store.custody_log import UNCHECKED, CustodyLog
from evidence_service.store.records import Matter
from evidence_service.store.schema import DEFAULT_ORGANISATION
from evidence_service.store.tenancy import WORKER_ROLE, scoped
from tests.digests import enter_digests
from tests.running import as_role, empty, enrol
from tests.writes import failing

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OTHER = "o-0123456789abcdef0123"
TABLES = ("evidence", "custody_events", "custody_log", "custody_checkpoints", "custody_pending")


@pytest.fixture
def parts(engine: Engine, tmp_path: Path) -> Iterator[Parts]:
    """With the worker's rights; two organisations with evidence each, nothing logged yet."""
    empty(engine)
    worker = as_role(engine, WORKER_ROLE)
    settings = Settings(data_directory=tmp_path, purpose="demonstration")
    found = replace(bootstrap.parts(settings, worker), now=lambda: NOW)
    enrol(found, OTHER, "OTHER", "key")
    for organisation in (DEFAULT_ORGANISATION, OTHER):
        record(found, organisation, "m-1" if organisation == DEFAULT_ORGANISATION else "m-2", b"a", b"b")
    yield found
    worker.dispose()


def record(parts: Parts, organisation: str, matter_id: str, *contents: bytes) -> list[str]:
    """Evidence of an organisation, with two events each."""
    bound, matter = parts.within(organisation), Matter(matter_id, "REF/1", "Example Brand Ltd", (), NOW)
    if not bound.records.matters(reference="REF/1") or organisation not in _owners(parts, matter_id):
        bound.records.add_matter(matter)
    digests = [digest_of(organisation.encode() + item) for item in contents]
    return enter_digests(scoped(parts.database, organisation), matter, digests, now=NOW)


def _owners(parts: Parts, matter_id: str) -> list[str]:
    with parts.database.connect() as connection:
        query = text("SELECT organisation_id FROM matters WHERE id = :id")
        return list(connection.execute(query, {"id": matter_id}).scalars())


def found(parts: Parts) -> list[str]:
    return [words for item in audit_custody(parts) for words in item.problems]


def positions(parts: Parts, organisation: str) -> list[int]:
    return [entry.position for entry, _ in parts.custody_log.entries(organisation)]


def test_every_event_is_logged_once_in_the_log_of_its_organisation(parts: Parts) -> None:
    log_custody(parts)
    log_custody(parts)
    for organisation in (DEFAULT_ORGANISATION, OTHER):
        entries = parts.custody_log.entries(organisation)
        # Two of each piece of evidence; those of the checkpoint itself come after it.
        assert [entry.position for entry, _ in entries[:4]] == [1, 2, 3, 4]
        head = custody_log.START
        for entry, event in entries:
            head = custody_log.extend(head, custody.event_hash(event))
            assert entry.head == head
    assert found(parts) == []


def test_a_checkpoint_states_length_and_head_and_becomes_evidence(parts: Parts) -> None:
    log_custody(parts)
    [checkpoint] = parts.custody_log.checkpoints(OTHER)
    entries = parts.custody_log.entries(OTHER)
    stated = custody_log.parse_checkpoint(checkpoint.document)
    assert (stated["organisation"], stated["size"], stated["previous"]) == (OTHER, 4, None)
    assert stated["head"] == entries[3][0].head.hex()
    evidence = parts.records.evidence(checkpoint.evidence_id)
    assert evidence.organisation_id == OTHER
    [file] = json.loads(evidence.manifest or b"")["files"]
    assert file["sha256"] == hashlib.sha256(checkpoint.document).hexdigest()
    assert parts.batches.close_due(Due(timedelta(0), 100), now=NOW + timedelta(days=2)) is not None
    assert parts.records.evidence(checkpoint.evidence_id).batch_id is not None


def test_checkpoints_follow_one_another_and_end_when_nothing_happens(parts: Parts) -> None:
    for _ in range(3):
        log_custody(parts)
    assert len(parts.custody_log.checkpoints(OTHER)) == 1, "what a checkpoint brings about makes no other one"
    record(parts, OTHER, "m-2", b"c")
    log_custody(parts)
    first, second = parts.custody_log.checkpoints(OTHER)
    stated = custody_log.parse_checkpoint(second.document)
    assert stated["previous"] == hashlib.sha256(first.document).hexdigest()
    assert found(parts) == []


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("write", ["log", "add_checkpoint"])
def test_a_write_that_fails_or_lands_is_done_once(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, write: str, *, landed: bool
) -> None:
    error = OperationalError("", None, Exception("connection lost"))
    with failing(monkeypatch, CustodyLog, write, error, landed=landed), pytest.raises(OperationalError):
        log_custody(parts)
    log_custody(parts)
    log_custody(parts)
    assert found(parts) == []
    assert len(parts.custody_log.checkpoints(OTHER)) == 1
    assert positions(parts, OTHER) == list(range(1, 7))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_checkpoints_of_two_workers_follow_one_another(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, order: tuple[int, int]
) -> None:
    """Both are held just before they keep theirs; the second one's log has grown meanwhile."""
    log_custody(parts)
    held: list[Any] = []
    with monkeypatch.context() as holding:
        holding.setattr(CustodyLog, "add_checkpoint", lambda _, *wanted: held.append(wanted))
        for content in (b"c", b"d"):
            record(parts, OTHER, "m-2", content)
            while parts.custody_log.log(OTHER):
                pass
            make_checkpoint(parts, OTHER)
    for number in order:
        parts.custody_log.add_checkpoint(*held[number])
    assert len(parts.custody_log.checkpoints(OTHER)) == 2
    assert found(parts) == []
    record(parts, OTHER, "m-2", b"e")
    log_custody(parts)
    assert len(parts.custody_log.checkpoints(OTHER)) == 3
    assert found(parts) == []


def test_what_is_logged_during_an_audit_is_no_tampering(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_custody(parts)
    content = iter(range(100))

    def busy(patched: pytest.MonkeyPatch, name: str) -> None:
        """A method of the log after each of whose answers more is logged, with a checkpoint."""
        original = getattr(CustodyLog, name)

        def answer(log: CustodyLog, organisation: str, **page: Any) -> Any:
            answered = original(log, organisation, **page)
            if organisation == OTHER and (number := next(content)) % 3 == 0:
                record(parts, OTHER, "m-2", f"{name} {number}".encode())
                log_custody(parts)
            return answered

        patched.setattr(CustodyLog, name, answer)

    for name in ("entries", "checkpoints", "last_checkpoint", "unaccounted"):
        with monkeypatch.context() as patched:
            patched.setattr("evidence_service.service.audit_custody._PAGE", 3)
            busy(patched, name)
            assert found(parts) == []
    assert len(parts.custody_log.checkpoints(OTHER)) > 4


def test_what_callers_put_into_its_matter_is_no_checkpoint(parts: Parts) -> None:
    """As releases let them that did not close it."""
    log_custody(parts)
    matter = parts.records.matter(matter_id_of(OTHER))
    enter_digests(scoped(parts.database, OTHER), matter, [digest_of(b"theirs")], now=NOW)
    log_custody(parts)
    assert found(parts) == []


def test_a_log_that_cannot_be_continued_keeps_nothing_from_the_others(
    parts: Parts, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its newest logged event is cut off, and another one takes the event's place."""
    log_custody(parts)
    [planted] = record(parts, DEFAULT_ORGANISATION, "m-1", b"c")
    log_custody(parts)
    with engine.begin() as owner:
        owner.execute(text("SET LOCAL session_replication_role = replica"))
        cut = "DELETE FROM custody_events WHERE evidence_id = :e AND sequence = 2"
        assert owner.execute(text(cut), {"e": planted}).rowcount == 1
    parts.custody(planted, "x", "seal", actor=("a", "custodian"), purpose="p")
    [theirs] = record(parts, OTHER, "m-2", b"c")
    bound = parts.within(OTHER)
    delete.ask(bound, "rq-1", theirs, actor="one", reason="over")
    delete.decide(bound, "rq-1", approve=True, actor="another", reason="")
    monkeypatch.setattr(renew, "wanted", lambda _: 1 / 0)
    started: list[tuple[str, str]] = []
    engine_of_workflows: Any = SimpleNamespace(
        add=lambda *_: None,
        start=lambda name, subject, **_: started.append((name, subject)),
        in_flight=lambda *_: [],
    )
    worker = Worker(
        parts, engine_of_workflows, DbosDurable(NoTracing()), lease=SimpleNamespace(name="w"), captures=1
    )
    worker.look()
    assert len(parts.custody_log.checkpoints(OTHER)) == 2
    assert theirs in {entry.evidence_id for entry, _ in parts.custody_log.entries(OTHER)}
    assert [name for name, subject in started if name == "delete"] == ["delete"]
    waiting = {queue: count for queue, _, count in parts.operations.queues()}
    assert waiting["custody"] >= 1, "what waits for the broken one is a figure"
    assert [item.subject_id for item in audit_custody(parts) if item.problems] == [DEFAULT_ORGANISATION]


def test_what_waits_for_a_checkpoint_is_found_by_an_index(parts: Parts, engine: Engine) -> None:
    log_custody(parts)
    with engine.begin() as owner:
        owner.execute(
            text(
                "INSERT INTO custody_log SELECT :o, n, 'ev-' || n, 1, '\\x00', '\\x00' "
                "FROM generate_series(1000, 21000) n"
            ),
            {"o": OTHER},
        )
        owner.execute(text("ANALYZE custody_log"))
    with parts.database.connect() as connection:
        [plan] = connection.execute(text(f"EXPLAIN (FORMAT JSON) {UNCHECKED}")).scalar_one()
    nodes = [node for node in nodes_of(plan["Plan"]) if node.get("Relation Name") == "custody_log"]
    assert nodes
    assert all("position" in node.get("Index Cond", "") for node in nodes), nodes
    assert parts.custody_log.unchecked() == [OTHER]


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes_of(inner)


def test_neither_role_can_change_what_is_logged(parts: Parts) -> None:
    log_custody(parts)
    for table in ("custody_events", "custody_log", "custody_checkpoints"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET organisation_id = 'o-default'"):
            with parts.database.connect() as connection, pytest.raises(Exception, match="permission denied"):
                connection.execute(text(statement))


# --- tampering, as the owner of the database could ---


def test_whatever_is_tampered_with_is_found(parts: Parts, engine: Engine, record_property: Any) -> None:
    log_custody(parts)
    record(parts, OTHER, "m-2", b"c")
    log_custody(parts)
    assert found(parts) == []
    with engine.begin() as owner:
        for table in TABLES:
            owner.execute(text(f"CREATE TABLE kept_{table} AS TABLE {table}"))
    missed, tried = [], 0
    try:
        for name, statements in attacks(engine):
            with engine.begin() as owner:
                # Without the triggers that guard the tables: the attacker owns the database.
                owner.execute(text("SET LOCAL session_replication_role = replica"))
                for statement, values in statements:
                    assert owner.execute(text(statement), values).rowcount > 0, name
            tried += 1
            if not found(parts) and not any(item.problems for item in audit(parts)):
                missed.append(name)
            with engine.begin() as owner:
                restore(owner)
    finally:
        with engine.begin() as owner:
            for table in TABLES:
                owner.execute(text(f"DROP TABLE kept_{table}"))
    record_property("RESULT", f"custody_tampered={tried} custody_detected={tried - len(missed)}")
    assert tried > 100
    assert missed == []
    assert found(parts) == [], "everything was put back"


def restore(owner: Connection) -> None:
    owner.execute(text("SET LOCAL session_replication_role = replica"))
    for table in TABLES:
        columns = ", ".join(
            owner.execute(
                text("SELECT column_name FROM information_schema.columns WHERE table_name = :table"),
                {"table": f"kept_{table}"},
            ).scalars()
        )
        owner.execute(text(f"DELETE FROM {table}"))
        # Identity columns keep the values they had.
        owner.execute(
            text(
                f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept_{table}"
            )
        )


Statements = list[tuple[str, dict[str, Any]]]


def attacks(engine: Engine) -> Iterator[tuple[str, Statements]]:
    """Every row deleted, edited and put into another's place, and whole ends cut off."""
    with engine.connect() as owner:
        # What waits to be logged is bound by the chain of its own evidence alone.
        events = owner.execute(text("SELECT evidence_id, sequence FROM custody_log ORDER BY 1, 2")).all()
        waiting = owner.execute(text("SELECT evidence_id, sequence FROM custody_pending ORDER BY 1, 2")).all()
        log = owner.execute(
            text("SELECT organisation_id AS o, position AS p FROM custody_log ORDER BY 1, 2")
        ).all()
        checkpoints = owner.execute(
            text("SELECT organisation_id AS o, size AS s, evidence_id FROM custody_checkpoints ORDER BY 1, 2")
        ).all()
    for row in events:
        yield from of_event(row.evidence_id, row.sequence)
    for row in waiting:
        here = {"e": row.evidence_id, "s": row.sequence}
        yield (
            f"event {here} deleted before it was logged",
            [("DELETE FROM custody_events WHERE evidence_id = :e AND sequence = :s", here)],
        )
    for row in log:
        yield from of_entry(row.o, row.p)
    for row in checkpoints:
        yield from of_checkpoint(row.o, row.s)
    yield from whole_ends(checkpoints)
    yield from moves(events, log, checkpoints)
    yield (
        "an event put in beside the service",
        [
            (
                "INSERT INTO custody_events (evidence_id, sequence, step_key, event, organisation_id) SELECT "
                "evidence_id, 99, 'x', event, organisation_id FROM custody_events WHERE sequence = 2 LIMIT 1",
                {},
            )
        ],
    )


def of_event(evidence_id: str, sequence: int) -> Iterator[tuple[str, Statements]]:
    here = {"e": evidence_id, "s": sequence}
    where = "WHERE evidence_id = :e AND sequence = :s"
    yield f"event {here} deleted", [(f"DELETE FROM custody_events {where}", here)]
    for member in ("purpose", "at", "actor", "after", "previous"):
        edit = f"UPDATE custody_events SET event = jsonb_set(event, '{{{member}}}', '\"x\"') {where}"
        yield f"{member} of event {here} edited", [(edit, here)]
    swap = (
        "UPDATE custody_events a SET event = b.event FROM custody_events b "
        "WHERE a.evidence_id = :e AND a.sequence = :s AND b.evidence_id = :e AND b.sequence = 3 - :s"
    )
    yield f"event {here} put into the other's place", [(swap, here)]


def of_entry(organisation: str, position: int) -> Iterator[tuple[str, Statements]]:
    here = {"o": organisation, "p": position}
    where = "WHERE organisation_id = :o AND position = :p"
    yield f"entry {here} deleted", [(f"DELETE FROM custody_log {where}", here)]
    for column in ("event_hash", "head"):
        edit = f"UPDATE custody_log SET {column} = decode(repeat('ab', 32), 'hex') {where}"
        yield f"{column} of entry {here} edited", [(edit, here)]
    if position > 1:
        # Both names change places; the position stays.
        swap = (
            "UPDATE custody_log a SET evidence_id = b.evidence_id, sequence = -b.sequence FROM custody_log b "
            "WHERE a.organisation_id = :o AND b.organisation_id = :o "
            "AND a.position IN (:p, :p - 1) AND b.position = 2 * :p - 1 - a.position"
        )
        settle = "UPDATE custody_log SET sequence = -sequence WHERE sequence < 0"
        yield f"entry {here} put before the last", [(swap, here), (settle, {})]
    event = (
        "DELETE FROM custody_events e USING custody_log l WHERE l.organisation_id = :o AND l.position = :p "
        "AND e.evidence_id = l.evidence_id AND e.sequence = l.sequence"
    )
    yield f"entry {here} deleted with its event", [(event, here), (f"DELETE FROM custody_log {where}", here)]


def of_checkpoint(organisation: str, size: int) -> Iterator[tuple[str, Statements]]:
    here = {"o": organisation, "n": size}
    where = "WHERE organisation_id = :o AND size = :n"
    yield f"checkpoint {here} deleted", [(f"DELETE FROM custody_checkpoints {where}", here)]
    forged = custody_log.checkpoint(
        {
            "organisation": organisation,
            "size": size,
            "head": "ab" * 32,
            "previous": None,
            "at": "2026-01-02T03:04:05.000Z",
        }
    )
    yield (
        f"checkpoint {here} forged",
        [(f"UPDATE custody_checkpoints SET document = :d {where}", {**here, "d": forged})],
    )


def moves(events: Any, log: Any, checkpoints: Any) -> Iterator[tuple[str, Statements]]:
    """Rows that become another organisation's, and are changed in nothing else."""
    other = f"CASE organisation_id WHEN '{OTHER}' THEN '{DEFAULT_ORGANISATION}' ELSE '{OTHER}' END"
    move = f"UPDATE {{}} SET organisation_id = {other} WHERE {{}}"
    of_evidence = {"evidence": "id", "custody_events": "evidence_id", "custody_pending": "evidence_id"}
    waiting = {row.evidence_id for row in checkpoints} - {row.evidence_id for row in events}
    for evidence_id in sorted({row.evidence_id for row in events} | waiting):
        moved = []
        for table, column in of_evidence.items():
            statement = (move.format(table, f"{column} = :e"), {"e": evidence_id})
            if table == "custody_pending" and evidence_id not in waiting:
                continue
            yield f"{table} of {evidence_id} moved", [statement]
            moved.append(statement)
        yield f"{evidence_id} moved with its events", moved
    opposite = {DEFAULT_ORGANISATION: OTHER, OTHER: DEFAULT_ORGANISATION}
    for what, table, column, rows in (
        ("entry", "custody_log", "position", [(row.o, row.p) for row in log]),
        ("checkpoint", "custody_checkpoints", "size", [(row.o, row.s) for row in checkpoints]),
    ):
        for owner, place in rows:
            here = {"o": owner, "p": place}
            if (opposite[owner], place) not in rows:
                statement = move.format(table, f"organisation_id = :o AND {column} = :p")
                yield f"{what} {here} moved", [(statement, here)]


def whole_ends(checkpoints: Any) -> Iterator[tuple[str, Statements]]:
    """Everything after a point is taken away, from all three tables, so that what is left fits together."""
    for row in checkpoints:
        for first in range(1, row.s + 1):
            here = {"o": row.o, "p": first}
            yield (
                f"everything from entry {here} cut off",
                [
                    (
                        "DELETE FROM custody_events e USING custody_log l WHERE l.organisation_id = :o "
                        "AND l.position >= :p AND e.evidence_id = l.evidence_id AND e.sequence = l.sequence",
                        here,
                    ),
                    ("DELETE FROM custody_log WHERE organisation_id = :o AND position >= :p", here),
                    ("DELETE FROM custody_checkpoints WHERE organisation_id = :o AND size >= :p", here),
                ],
            )


EVERYTHING = (
    "DELETE FROM custody_pending WHERE evidence_id IN (SELECT id FROM gone)",
    "DELETE FROM custody_events WHERE evidence_id IN (SELECT id FROM gone)",
    "DELETE FROM evidence WHERE id IN (SELECT id FROM gone)",
    "DELETE FROM custody_log WHERE evidence_id IN (SELECT id FROM gone)",
    "DELETE FROM custody_checkpoints WHERE evidence_id IN (SELECT id FROM gone)",
    "DELETE FROM entries x WHERE NOT EXISTS (SELECT FROM evidence e "
    "WHERE e.batch_id = x.batch_id AND e.leaf_index = x.leaf_index)",
)


@pytest.mark.parametrize(
    ("gone", "more"),
    [
        # From a point on: what is left of the log and its checkpoints fits together.
        ("SELECT evidence_id AS id FROM custody_log WHERE organisation_id = :o AND position > 2", ()),
        (
            "SELECT id FROM evidence WHERE organisation_id = :o",
            ("DELETE FROM matters WHERE organisation_id = :o", "DELETE FROM organisations WHERE id = :o"),
        ),
        ("SELECT id FROM evidence WHERE organisation_id = :o AND false", ("DELETE FROM entries",)),
        (
            "SELECT id FROM evidence WHERE false AND id = :o",
            ("UPDATE entries SET sha256 = decode(repeat('ab', 32), 'hex') WHERE leaf_index = 1",),
        ),
    ],
    ids=["the end of a log", "an organisation", "entries", "an entry changed"],
)
def test_what_is_anchored_is_missed_when_it_is_gone_altogether(
    parts: Parts, engine: Engine, gone: str, more: tuple[str, ...]
) -> None:
    log_custody(parts)
    log_custody(parts)
    parts.batches.close_due(Due(timedelta(0), 100), now=NOW + timedelta(days=2))
    assert [item.problems for item in audit_trees(parts) if item.problems] == []
    organisation = {"o": OTHER}
    with engine.begin() as owner:
        owner.execute(text("SET LOCAL session_replication_role = replica"))
        owner.execute(text(f"CREATE TEMPORARY TABLE gone ON COMMIT DROP AS {gone}"), organisation)
        for statement in (*EVERYTHING, *more):
            owner.execute(text(statement), organisation if ":o" in statement else {})
    [tree] = audit_trees(parts)
    assert tree.problems


def test_the_checkpoints_evidence_is_looked_at_like_any_other(parts: Parts, engine: Engine) -> None:
    """Who rewrites the log, its checkpoints and their evidence has to rewrite the batch they are in."""
    log_custody(parts)
    parts.batches.close_due(Due(timedelta(0), 100), now=NOW + timedelta(days=2))
    assert [item.problems for item in audit(parts) if item.problems] == []
    with engine.begin() as owner:
        changed = owner.execute(
            text("UPDATE evidence SET salt = decode(repeat('ab', 32), 'hex') WHERE matter_id = :m"),
            {"m": matter_id_of(OTHER)},
        ).rowcount
    assert changed == 1
    assert [item for item in audit(parts) if item.problems]
