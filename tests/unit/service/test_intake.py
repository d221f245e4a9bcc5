"""Intake and entering of digests, where the database fails before, after or in the middle."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core import custody, receipt
from evidence_service.errors import ConflictError, DatabaseUnavailableError, NotFoundError
from evidence_service.service.enter_registrations import enter_registrations
from evidence_service.service.intake import Wanted, WantedList, row_id, take, take_list
from evidence_service.service.parts import Parts
from evidence_service.store import entering, registrations, schema
from evidence_service.store.records import Matter
from evidence_service.store.registrations import NewRegistration, Registrations, Stated
from evidence_service.store.tenancy import API_ROLE, WORKER_ROLE, work_for
from tests.running import as_role, empty
from tests.writes import failing

AWAY = OperationalError("", None, psycopg.OperationalError("the connection is gone"))


@pytest.fixture
def worker(engine: Engine, tmp_path: Path) -> Iterator[Parts]:
    """Parts with a worker's rights; two organisations with a matter each."""
    empty(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO organisations VALUES ('o-b', 'B', 'B', now())"))
    narrow = as_role(engine, WORKER_ROLE)
    parts = bootstrap.parts(Settings(data_directory=tmp_path, purpose="demonstration"), narrow)
    for owner in ("o-default", "o-b"):
        matter = Matter(f"m-{owner}", "R", "Test SA", (), parts.now())
        parts.within(owner).records.add_matter(matter)
    yield parts
    narrow.dispose()


@pytest.fixture
def api(engine: Engine, worker: Parts, tmp_path: Path) -> Iterator[Parts]:
    """The same with the rights of the API."""
    narrow = as_role(engine, API_ROLE)
    yield bootstrap.parts(Settings(data_directory=tmp_path, purpose="demonstration"), narrow)
    narrow.dispose()


def stated(number: int = 1, name: str = "file") -> Stated:
    data = b"%d" % number
    return Stated(
        name, "text/plain", len(data), hashlib.sha256(data).digest(), hashlib.sha3_512(data).digest()
    )


def wanted(number: int = 1, *, owner: str = "o-default", matter: str = "", **more: Any) -> Wanted:
    evidence_id = more.pop("evidence_id", f"ev-{owner[2:]}-{number:020d}")
    return Wanted(owner, evidence_id, matter or f"m-{owner}", "agent", more.pop("stated", stated(number)))


def wanted_list(size: int = 3, list_id: str = "rl-0123456789abcdef0123", **more: Any) -> WantedList:
    return WantedList(
        **{
            "organisation_id": "o-default",
            "id": list_id,
            "matter_id": "m-o-default",
            "operator": "agent",
            "size": size,
            "rows": {number: stated(number) for number in range(1, size + 1)},
            "refused": {},
            "request_sha256": b"request",
            **more,
        }
    )


def owners(parts: Parts, table: Any = schema.registrations) -> dict[str, int]:
    """Rows of each organisation, as a worker sees them."""
    with parts.database.connect() as connection:
        rows = connection.execute(
            select(table.c.organisation_id, func.count().label("rows")).group_by(table.c.organisation_id)
        )
        return {row.organisation_id: row.rows for row in rows}


def test_a_group_of_several_organisations_is_one_transaction_and_each_row_its_owners(
    api: Parts, worker: Parts
) -> None:
    found = take(api, [wanted(1), wanted(2, owner="o-b"), wanted(3), wanted(4, matter="m-o-b")])
    assert [type(item) for item in found] == [NewRegistration] * 3 + [NotFoundError]
    assert owners(worker) == {"o-default": 2, "o-b": 1}
    with worker.database.connect() as connection:
        assert (
            connection.execute(text("SELECT count(DISTINCT xmin::text) FROM registrations")).scalar_one() == 1
        )


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("error", [AWAY, PoolExhausted()], ids=["connection", "pool"])
def test_a_group_that_failed_or_landed_is_503_and_the_next_try_finds_out(
    api: Parts, worker: Parts, monkeypatch: pytest.MonkeyPatch, landed: bool, error: Exception
) -> None:
    items = [wanted(1), wanted(2)]
    with failing(monkeypatch, Registrations, "add", error, landed=landed):
        assert [type(item) for item in take(api, items)] == [DatabaseUnavailableError] * 2
    assert owners(worker) == ({"o-default": 2} if landed else {})
    first = take(api, items)
    assert first == take(api, items)
    assert owners(worker) == {"o-default": 2}


def test_a_member_that_the_database_refuses_fails_no_other(
    api: Parts, worker: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that only the database finds."""
    original = Registrations.add

    def add(self: Registrations, new: Any) -> Any:
        if any(item.stated.name == "poison" for items in new.values() for item in items):
            raise IntegrityError("", None, psycopg.IntegrityError("poison"))
        return original(self, new)

    monkeypatch.setattr(Registrations, "add", add)
    found = take(api, [wanted(1), wanted(2, stated=stated(2, "poison")), wanted(3)])
    assert [type(item) for item in found] == [NewRegistration, IntegrityError, NewRegistration]
    assert owners(worker) == {"o-default": 2}


def test_a_member_that_the_database_refuses_costs_few_transactions(
    api: Parts, worker: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []
    original = Registrations.add

    def add(self: Registrations, new: Any) -> Any:
        tries.append(new)
        return original(self, new)

    monkeypatch.setattr(Registrations, "add", add)
    items = [wanted(number) for number in range(100)]
    items[37] = wanted(37, stated=stated(37, "a\x00b"))
    found = take(api, items)
    assert [number for number, item in enumerate(found) if not isinstance(item, NewRegistration)] == [37]
    assert owners(worker) == {"o-default": 99}
    assert len(tries) <= 1 + 2 * 7  # 2 ** 7 > 100


def test_a_key_used_for_a_matter_that_is_not_there_and_for_one_that_is(api: Parts, worker: Parts) -> None:
    same = {"evidence_id": "ev-" + "e" * 20}
    conflict, made = take(api, [wanted(1, matter="m-gone", **same), wanted(1, **same)])
    assert isinstance(conflict, ConflictError)
    assert isinstance(made, NewRegistration)
    assert owners(worker) == {"o-default": 1}


def test_a_row_of_a_list_that_is_not_there_is_refused_by_the_database(
    api: Parts, worker: Parts, engine: Engine
) -> None:
    take_list(api, wanted_list(list_id="rl-" + "a" * 20))
    row = (
        "INSERT INTO registrations (id, list_id, position, name, media_type, size, sha256, sha3_512, operator, "
        "accepted_at, batch_by) VALUES (:id, :list, 9, 'n', 'm', 1, '', '', 'o', now(), now())"
    )
    for number, (owner, name) in enumerate([("o-default", "rl-none"), ("o-b", "rl-" + "a" * 20)]):
        with pytest.raises(IntegrityError, match="names a list"), api.database.begin() as connection:
            work_for(connection, owner)
            connection.execute(text(row), {"id": f"ev-{number}", "list": name})
    with worker.database.begin() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("UPDATE registrations SET list_id = 'rl-none' WHERE list_id IS NOT NULL"))
    assert owners(worker) == {"o-default": 3}


def test_text_that_cannot_be_stored_fails_no_other(api: Parts, worker: Parts) -> None:
    found = take(api, [wanted(1), wanted(2, stated=stated(2, "\ud800"))])
    assert isinstance(found[0], NewRegistration)
    assert isinstance(found[1], Exception)
    assert owners(worker) == {"o-default": 1}


def test_the_same_id_in_one_group_or_two_processes_is_one_registration(api: Parts, worker: Parts) -> None:
    same = {"evidence_id": "ev-" + "f" * 20}
    first, again, other = take(api, [wanted(1, **same), wanted(1, **same), wanted(2, **same)])
    assert first == again
    assert isinstance(other, ConflictError)
    keys = [f"ev-{number:020d}" for number in range(40)]

    def process(order: int) -> list[Any]:
        items = [wanted(number, evidence_id=key) for number, key in enumerate(keys)]
        return sorted(take(api, items[::order]), key=lambda item: item.id)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(process, [1, -1, 1, -1]))
    assert all(found == answers[0] for found in answers)
    assert owners(worker) == {"o-default": 41}


@pytest.mark.parametrize("landed", [False, True])
def test_a_list_is_recorded_whole_or_not_at_all(
    api: Parts, worker: Parts, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    original = registrations._add_rows

    def add_rows(*args: Any) -> None:
        if landed:
            original(*args)
        raise AWAY

    with monkeypatch.context() as patched:
        patched.setattr(registrations, "_add_rows", add_rows)
        with pytest.raises(OperationalError):
            take_list(api, wanted_list())
    assert owners(worker) == owners(worker, schema.registration_lists) == {}
    with (
        failing(monkeypatch, Registrations, "add_list", AWAY, landed=landed),
        pytest.raises(OperationalError),
    ):
        take_list(api, wanted_list())
    assert owners(worker) == ({"o-default": 3} if landed else {})
    found = take_list(api, wanted_list())
    assert take_list(api, wanted_list()) == found
    assert owners(worker) == {"o-default": 3}
    with pytest.raises(ConflictError):
        take_list(api, wanted_list(request_sha256=b"another"))
    with pytest.raises(NotFoundError, match="no matter m-o-b"):
        take_list(api, wanted_list(list_id="rl-" + "1" * 20, matter_id="m-o-b"))


@pytest.mark.parametrize("write", ["_enter", "enter"])
@pytest.mark.parametrize("landed", [False, True])
def test_a_portion_that_failed_or_landed_is_entered_once(
    api: Parts, worker: Parts, monkeypatch: pytest.MonkeyPatch, write: str, landed: bool
) -> None:
    take(api, [wanted(1), wanted(2, owner="o-b")])
    take_list(api, wanted_list())
    original = getattr(entering, write)

    def fail(*args: Any, **more: Any) -> None:
        if landed:
            original(*args, **more)
        raise AWAY

    with monkeypatch.context() as patched:
        patched.setattr(entering, write, fail)
        patched.setattr("evidence_service.service.enter_registrations.enter", entering.enter)
        with pytest.raises(OperationalError):
            enter_registrations(worker)
    enter_registrations(worker)
    assert enter_registrations(worker) == 0
    assert owners(worker, schema.evidence) == owners(worker, schema.receipts) == {"o-default": 4, "o-b": 1}
    assert owners(worker, schema.custody_events) == {"o-default": 8, "o-b": 2}


def test_several_workers_share_what_waits(api: Parts, worker: Parts) -> None:
    for number in range(6):
        take_list(api, wanted_list(20, f"rl-{number:010x}0123456789"))
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: enter_registrations(worker, portion=7), range(8)))
    counts.append(enter_registrations(worker))
    assert sum(counts) == 120
    assert owners(worker, schema.evidence) == {"o-default": 120}


def test_what_is_entered_says_what_was_accepted(api: Parts, worker: Parts) -> None:
    [single] = take(api, [wanted(1)])
    assert isinstance(single, NewRegistration)
    listed = take_list(api, wanted_list())
    enter_registrations(worker)
    records = worker.within("o-default").records
    assert records.receipt(single.id) == single.receipt
    for position in (1, 2, 3):
        evidence_id = row_id(listed.id, position)
        found = records.evidence(evidence_id)
        sealed = json.loads(found.manifest or b"")
        events = records.custody(evidence_id)
        custody.verify_chain(events, evidence_id=evidence_id)
        custody.verify_binding(
            events, manifest=sealed, manifest_sha256=hashlib.sha256(found.manifest or b"").digest()
        )
        assert [item["sha256"] for item in sealed["files"]] == [stated(position).sha256.hex()]
        assert (found.kind, found.status, found.batch_by) == ("digest", "registered", listed.batch_by)
        assert receipt.parse(records.receipt(evidence_id))["accepted"]["name"] == "file"
    assert len({records.evidence(row_id(listed.id, number)).salt for number in (1, 2, 3)}) == 3


def test_a_row_of_which_no_manifest_can_be_made_holds_up_no_other(
    api: Parts, worker: Parts, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    take_list(api, wanted_list())
    with engine.begin() as connection:
        connection.execute(text("UPDATE registrations SET name = '../x' WHERE position = 2"))
    assert enter_registrations(worker) == 3
    assert owners(worker, schema.evidence) == {"o-default": 2}
    later = replace(worker, now=lambda: worker.now() + 10 * worker.promised_delay)
    assert later.batches.overdue(later.now()) == 3


def test_ids_of_rows_are_of_their_list_alone() -> None:
    first, second = (f"rl-{secrets.token_hex(10)}" for _ in range(2))
    ids = {row_id(name, position) for name in (first, second) for position in range(1, 10_001)}
    assert len(ids) == 20_000
    assert {len(name) for name in ids} == {23}
