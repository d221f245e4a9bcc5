"""Worker processes that die, pause, or go: others take over their work, exactly once, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from evidence_service.core.digest import digest_of
from tests.faults.workers import LOST, Record, Setup, start, until
from tests.running import database, empty, reachable

ACTIONS = ["order", "receive", "store", "seal", "stamp"]
Begin = Callable[..., tuple[BaseProcess, Setup]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(tmp_path_factory.mktemp("pg")) as url:
        yield url


@pytest.fixture
def record(url: str, tmp_path: Path) -> Iterator[Record]:
    record = Record(url, reachable(tmp_path))
    yield record
    empty(record.engine)
    with record.engine.begin() as connection:
        engines = (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'dbos' AND tablename <> 'dbos_migrations'"
        )
        names = [f'dbos."{name}"' for name in connection.execute(text(engines)).scalars()]
        connection.execute(text(f"TRUNCATE {', '.join(names)} CASCADE"))
    record.engine.dispose()


@pytest.fixture
def begin(url: str, record: Record, tmp_path: Path) -> Iterator[Begin]:
    running: list[BaseProcess] = []

    def begin(name: str, **more: Any) -> tuple[BaseProcess, Setup]:
        setup = Setup(url, tmp_path, name, **more)
        running.append(start(setup))
        return running[-1], setup

    yield begin
    for process in running:
        with suppress(ProcessLookupError):
            os.kill(process.pid or 0, signal.SIGCONT)
        process.kill()
        process.join()


def test_two_workers_come_up_at_once_on_an_empty_database(record: Record, begin: Begin) -> None:
    """The first test of this module, on its own database: the workflow engine has to make its tables."""
    record.order("evidence-1")
    begin("a")
    begin("b")
    until(lambda: record.names() == {"a", "b"} and record.registered("evidence-1"), "both work")
    assert record.actions("evidence-1") == ACTIONS


def test_the_work_of_a_killed_worker_goes_to_another(record: Record, begin: Begin) -> None:
    for number in range(4):
        record.order(f"evidence-{number}")
    doomed, _ = begin("doomed", hold="seal")
    until(lambda: record.did("doomed", "seal") == 2, "two seals")
    doomed.kill()
    doomed.join()
    # Two supervise; which of them does it does not matter.
    begin("b")
    begin("c")
    everything = [f"evidence-{number}" for number in range(4)]
    until(lambda: record.registered(*everything), "all registered")
    assert all(record.actions(item) == ACTIONS for item in everything)
    until(lambda: record.names() == {"b", "c"}, "the lapsed lease is gone")
    assert record.parts.workers.taken_over() == 2
    # Nothing of what was done is done again: the order's step has run once for each.
    assert sum(record.did(name, "order") for name in ("doomed", "b", "c")) == 4


def test_a_paused_worker_stops_working_on_what_was_taken_over(record: Record, begin: Begin) -> None:
    record.order("evidence-1")
    paused, setup = begin("paused", hold="seal")
    until(lambda: record.did("paused", "seal") == 1, "the seal")
    os.kill(paused.pid or 0, signal.SIGSTOP)
    begin("b")
    until(lambda: record.did("b", "seal") == 1, "the seal, once more")
    setup.held.unlink()
    os.kill(paused.pid or 0, signal.SIGCONT)
    paused.join(30)
    assert paused.exitcode == LOST
    until(lambda: record.registered("evidence-1"), "registered")
    # The step it was in was done twice, with one effect; it began no further one.
    assert record.did("paused", "stamp") == record.did("paused", "register") == 0
    assert record.actions("evidence-1") == ACTIONS
    assert record.workflows("status") == ["SUCCESS"]
    assert record.workflows("executor_id") == ["b"]
    assert "lease.lost" in setup.log.read_text()


@pytest.mark.parametrize("first", ["b", "paused"])
def test_a_capture_that_two_workers_make_at_once_ends_as_one(
    record: Record, begin: Begin, first: str
) -> None:
    """In one data directory: whichever ends first counts, and the other one does no harm."""
    record.order_capture("evidence-1")
    paused, setup = begin("paused", hold="browse")
    until(setup.browsed.exists, "its files")
    os.kill(paused.pid or 0, signal.SIGSTOP)
    _, other = begin("b", hold="browse")
    until(other.browsed.exists, "the other one's files")

    def captured_by() -> list[str]:
        capture = record.parts.records.evidence("evidence-1").capture
        return [] if capture is None else [item["sha256"] for item in capture["files"]]

    def let_paused_end() -> None:
        setup.held.unlink()
        os.kill(paused.pid or 0, signal.SIGCONT)
        paused.join(30)
        assert paused.exitcode == LOST

    if first == "b":
        other.held.unlink()
        until(lambda: record.registered("evidence-1"), "registered")
        let_paused_end()
    else:
        let_paused_end()
        until(lambda: bool(captured_by()), "captured")
        other.held.unlink()
        until(lambda: record.registered("evidence-1"), "registered")
    assert captured_by() == [digest_of(first.encode()).sha256.hex()]
    assert not record.parts.records.evidence("evidence-1").refused
    until(lambda: record.workflows("status") == ["SUCCESS"], "the workflow has ended")
    assert "workflow.refused" not in setup.log.read_text() + other.log.read_text()
    assert record.actions("evidence-1") == ["order", "capture", "store", "seal", "stamp"]
    assert list((record.parts.capturing.directory).iterdir()) == []


def test_a_worker_that_lost_its_work_refuses_nothing(record: Record, begin: Begin) -> None:
    record.order_capture("evidence-1")
    paused, setup = begin("paused", hold="browse", broken=True)
    until(setup.browsed.exists, "its files")
    os.kill(paused.pid or 0, signal.SIGSTOP)
    _, other = begin("b", hold="browse")
    until(other.browsed.exists, "the other one's files")
    setup.held.unlink()
    os.kill(paused.pid or 0, signal.SIGCONT)
    paused.join(30)
    assert paused.exitcode == LOST
    assert not record.parts.records.evidence("evidence-1").refused
    other.held.unlink()
    until(lambda: record.registered("evidence-1"), "registered")
    assert record.workflows("status") == ["SUCCESS"]


def test_a_worker_that_has_its_lease_refuses_for_good(record: Record, begin: Begin) -> None:
    record.order_capture("evidence-1")
    begin("a", broken=True)
    until(lambda: record.parts.records.evidence("evidence-1").refused, "refused")
    assert "the program is wrong" in record.parts.records.evidence("evidence-1").progress
    until(lambda: record.workflows("status") == ["ERROR"], "the workflow has ended")


def test_an_error_while_a_worker_ends_is_for_the_next_one(record: Record, begin: Begin) -> None:
    record.order_capture("evidence-1")
    going, setup = begin("going", hold="browse", broken=True, lapse=3600.0)
    until(setup.browsed.exists, "its files")
    going.terminate()
    until(lambda: any(item.draining for item in record.parts.workers.all()), "it says that it drains")
    setup.held.unlink()
    going.join(30)
    assert going.exitcode == 0
    assert record.workflows("status") == ["PENDING"]
    begin("b")
    until(lambda: record.registered("evidence-1"), "registered")


def test_a_worker_that_is_told_to_end_hands_over_at_once(record: Record, begin: Begin) -> None:
    record.order("evidence-1")
    # Nobody would take anything over for an hour if it were not given back.
    going, setup = begin("going", hold="seal", lapse=3600.0)
    until(lambda: record.did("going", "seal") == 1, "the seal")
    going.terminate()
    until(lambda: any(item.draining for item in record.parts.workers.all()), "it says that it drains")
    record.order("evidence-2")
    setup.held.unlink()
    going.join(30)
    assert going.exitcode == 0
    assert record.names() == set()
    assert record.did("going", "order") == 1  # it took nothing new
    begin("b")
    until(lambda: record.registered("evidence-1", "evidence-2"), "both registered")
    # The step that ran when it was told has ended there, and is not done again.
    assert (record.did("going", "seal"), record.did("b", "seal")) == (1, 1)
    assert record.actions("evidence-1") == ACTIONS


def test_a_step_that_takes_too_long_is_handed_over_too(record: Record, begin: Begin) -> None:
    record.order("evidence-1")
    going, _ = begin("going", hold="seal", lapse=3600.0, drain=1.0)
    until(lambda: record.did("going", "seal") == 1, "the seal")
    going.terminate()
    going.join(30)
    assert going.exitcode == 0
    begin("b")
    until(lambda: record.registered("evidence-1"), "registered")
    assert record.did("b", "seal") == 1
    assert record.actions("evidence-1") == ACTIONS


def test_a_database_that_drops_everybody_ends_no_work(record: Record, begin: Begin) -> None:
    record.order("evidence-first")
    begin("a")
    until(lambda: record.registered("evidence-first"), "it works")
    everything = [f"evidence-{number}" for number in range(6)]
    others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    for name in everything:
        record.order(name)
        for _ in range(4):
            with record.engine.begin() as connection:
                connection.execute(others)
            time.sleep(0.1)
    until(lambda: record.registered(*everything), "all registered")
    assert all(record.actions(item) == ACTIONS for item in everything)
    assert record.names() == {"a"}


def test_work_of_another_version_is_left_alone_and_told_of(record: Record, begin: Begin) -> None:
    record.order("evidence-1")
    doomed, _ = begin("doomed", hold="seal")
    until(lambda: record.did("doomed", "seal") == 1, "the seal")
    doomed.kill()
    doomed.join()
    begin("newer", version="2")
    record.order("evidence-2")
    until(lambda: record.registered("evidence-2"), "new work is done")
    until(
        lambda: any(item.status.get("left_alone") == {"1": 1} for item in record.parts.workers.all()),
        "the newer one tells of what it leaves",
    )
    assert record.did("newer", "seal") == 1
    assert not record.registered("evidence-1")
    begin("same")
    until(lambda: record.registered("evidence-1"), "a worker of its version goes on")
    assert record.did("same", "seal") == 1
    assert record.actions("evidence-1") == ACTIONS
    until(
        lambda: all(
            item.status.get("left_alone") == {} for item in record.parts.workers.all() if item.status
        ),
        "nothing is left",
    )
