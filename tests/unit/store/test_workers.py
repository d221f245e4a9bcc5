"""Leases of workers: one name each, renewed on the database's clock, and gone when they are taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from evidence_service.cli.workers import workers_outlook
from evidence_service.errors import ConfigurationError
from evidence_service.service.worker_metrics import observe_workers
from evidence_service.store.records import Records
from evidence_service.store.workers import Lease, Start, Workers
from tests.unit.store.conftest import MINUTE, NOW, add

Begin = Callable[..., Lease]


@pytest.fixture
def workers(engine: Engine) -> Workers:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE workers, takeovers"))
    return Workers(engine)


@pytest.fixture
def begin(workers: Workers) -> Iterator[Begin]:
    begun: list[Lease] = []

    def begin(name: str = "", *, captures: int = 1) -> Lease:
        begun.append(workers.begin(Start(name, "host", 7, "0.1", "1", captures)))
        return begun[-1]

    yield begin
    for lease in begun:
        lease.give_back()


def take_away(workers: Workers, lapse: float, by: str = "another") -> set[str]:
    with workers.supervising() as connection:
        assert connection is not None
        return workers.take_away(connection, lapse=lapse, by=by)


def kill_sessions(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"),
        )


def test_a_name_is_used_once_at_a_time(workers: Workers, begin: Begin) -> None:
    first = begin("w")
    with pytest.raises(
        ConfigurationError, match="a worker named w runs already: process 7 on host"
    ) as refused:
        begin("w")
    assert "worker_name" in refused.value.what_to_do
    assert first.renew({})
    first.give_back()
    assert workers.all() == []
    assert begin("w").renew({})


def test_workers_of_one_machine_number_themselves(begin: Begin) -> None:
    first, second = begin(), begin()
    assert (first.name, second.name) == ("host-1", "host-2")
    first.give_back()
    assert begin().name == "host-1"


def test_a_lease_that_is_renewed_is_not_taken_away(workers: Workers, begin: Begin) -> None:
    kept, lapsed = begin("kept"), begin("lapsed")
    time.sleep(0.2)
    assert kept.renew({"holds": {"preserve": 2}}, draining=True)
    assert take_away(workers, 0.15) == {"kept"}
    assert not lapsed.renew({})
    [known] = workers.all()
    assert (known.name, known.draining, known.status) == ("kept", True, {"holds": {"preserve": 2}})
    # Nobody took it away although it is late: then it is not lost.
    time.sleep(0.2)
    assert kept.renew({})


def test_nobody_takes_away_his_own_lease(workers: Workers, begin: Begin) -> None:
    busy, lapsed = begin("busy"), begin("lapsed")
    time.sleep(0.2)
    # It was too busy to say so, but it lives: it is here and looks for others.
    assert take_away(workers, 0.15, by="busy") == {"busy"}
    assert busy.renew({})
    assert not lapsed.renew({})


def test_who_follows_under_a_name_ends_the_lease_of_before(engine: Engine, begin: Begin) -> None:
    before = begin("w")
    kill_sessions(engine)
    after = begin("w")
    with pytest.raises(OperationalError):
        before.renew({})
    assert not before.renew({})
    assert after.renew({})


def test_a_lost_connection_loses_no_lease(engine: Engine, workers: Workers, begin: Begin) -> None:
    lease = begin("w")
    kill_sessions(engine)
    with pytest.raises(OperationalError):
        lease.renew({})
    assert lease.renew({})
    with pytest.raises(ConfigurationError):
        begin("w")  # its name is locked again
    assert take_away(workers, 60) == {"w"}


def test_one_supervises_at_a_time(workers: Workers) -> None:
    with workers.supervising() as first, workers.supervising() as second:
        assert first is not None
        assert second is None
        workers.note_takeover(first, lapsed="a", by="b", workflows=3)
    assert workers.taken_over() == 3


def test_monitoring_sees_workers_and_what_they_took_over(workers: Workers, begin: Begin) -> None:
    begin("a").renew({"holds": {"preserve": 2}, "left_alone": {"0": 4, "1": 9}}, draining=True)
    with workers.supervising() as connection:
        assert connection is not None
        workers.note_takeover(connection, lapsed="z", by="a", workflows=3)
    registry = CollectorRegistry()
    observe_workers(registry, workers)
    figures = generate_latest(registry).decode().splitlines()
    assert 'evidence_worker_draining{worker="a"} 1.0' in figures
    assert 'evidence_worker_holds{worker="a",workflow="preserve"} 2.0' in figures
    assert [line for line in figures if line.startswith("evidence_workflows_left_alone{")] == [
        'evidence_workflows_left_alone{version="0"} 4.0'
    ]
    assert "evidence_takeovers_total 3.0" in figures


def test_the_doctor_tells_of_workers(workers: Workers, begin: Begin) -> None:
    assert workers_outlook(workers.all()) == "none runs; what is ordered waits"
    begin("a").renew({"holds": {"preserve": 1}, "left_alone": {"0": 4}})
    begin("b", captures=2).renew({}, draining=True)
    assert workers_outlook(workers.all()).splitlines() == [
        "a (release 0.1, process 7 on host): heard of 0 s ago, holds 1 preserve",
        "b (release 0.1, process 7 on host): heard of 0 s ago, holds nothing, takes nothing new",
        "4 workflows of version 0 wait: no worker here knows them (this release has version 1); "
        "run one of the release that began them until they are done",
        "captures_at_once differs between them: the last one that started decides for all",
    ]


def test_who_lost_its_lease_refuses_nothing(workers: Workers, begin: Begin, records: Records) -> None:
    add(records, "ev-1")
    lost, living = begin("lost"), begin("living")
    with workers.supervising() as connection:
        assert connection is not None
        # A pause must not keep this from the others for ever.
        assert connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "10s"
        workers.take_away(connection, lapse=0, by="living")
    assert not records.refuse("ev-1", "wrong", lease=lost)
    assert not records.evidence("ev-1").refused
    assert records.refuse("ev-1", "wrong", lease=living)
    assert records.evidence("ev-1").refused


def test_what_is_registered_is_refused_by_nobody(begin: Begin, records: Records) -> None:
    add(records, "ev-1", registered=NOW)
    assert records.refuse("ev-1", "wrong", lease=begin("w"))
    assert not records.evidence("ev-1").refused


def test_of_two_captures_the_first_counts(records: Records) -> None:
    add(records, "ev-1")
    for status in ("captured", "removed"):
        records.captured("ev-1", {"outcome": {"status": status, "reasons": []}})
    assert records.evidence("ev-1").outcome == "captured"
    for moment in (NOW, NOW + MINUTE):
        records.register("ev-1", at=moment)
    assert records.evidence("ev-1").registered_at == NOW
