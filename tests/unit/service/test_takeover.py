"""What a supervisor puts back, and what it leaves to those who have it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from evidence_service.service.durable import Engine, Held
from evidence_service.service.takeover import Heartbeat, Supervisor
from evidence_service.store.workers import Lease, Workers


class Shop:
    """Stands in for the engine and for the leases."""

    def __init__(self) -> None:
        self.holds: list[Held] = []
        self.living = {"me", "other"}
        self.back: list[str] = []
        self.taken: list[tuple[str, str, int]] = []
        self.running: set[str] = set()
        self.now = 0.0
        self.busy = False

    def held(self) -> list[Held]:
        return list(self.holds)

    def put_back(self, workflows: Iterable[Held]) -> None:
        self.back += [item.id for item in workflows]

    @contextmanager
    def supervising(self) -> Any:
        yield None if self.busy else object()

    def take_away(self, _: object, *, lapse: float, by: str) -> set[str]:
        assert lapse == 30.0
        return self.living

    def note_takeover(self, _: object, *, lapsed: str, by: str, workflows: int) -> None:
        self.taken.append((lapsed, by, workflows))

    def supervisor(self) -> Supervisor:
        return Supervisor(
            cast("Workers", self),
            cast("Engine", self),
            name="me",
            lapse=30.0,
            runs=lambda: self.running,
            clock=lambda: self.now,
        )


def test_what_has_no_worker_is_put_back_and_counted() -> None:
    shop = Shop()
    shop.holds = [Held("a", "captures", "gone"), Held("b", "captures", "gone"), Held("c", "stamps", "other")]
    assert shop.supervisor().look() == 2
    assert shop.back == ["a", "b"]
    assert shop.taken == [("gone", "me", 2)]


def test_while_another_one_supervises_nothing_is_done() -> None:
    shop = Shop()
    shop.holds, shop.busy = [Held("a", "captures", "gone")], True
    assert shop.supervisor().look() == 0
    assert shop.back == []


def test_what_this_worker_holds_and_never_began_is_put_back_after_a_while() -> None:
    shop = Shop()
    supervisor = shop.supervisor()
    shop.holds = [
        Held("runs", "captures", "me"),
        Held("lost", "captures", "me"),
        Held("theirs", None, "other"),
    ]
    shop.running = {"runs"}
    for now in (0.0, 15.0, 30.0):
        shop.now = now
        assert supervisor.look() == 0
        assert shop.back == []
    shop.now = 31.0
    assert supervisor.look() == 0  # nobody's lease lapsed: it is no takeover
    assert shop.back == ["lost"]
    # From then on it has its time again.
    shop.now = 60.0
    supervisor.look()
    assert shop.back == ["lost"]


@pytest.mark.parametrize(
    "error", [OperationalError("", None, Exception("gone")), PoolTimeout("no connection is free")]
)
def test_a_heartbeat_outlives_a_database_that_does_not_answer(error: SQLAlchemyError) -> None:
    """A thread that died of it would let the lease lapse, and the worker's work be done twice."""

    class Away:
        name = "me"
        answers = iter([error, error, True])
        renewed = threading.Event()

        def renew(self, _: Any, *, draining: bool) -> bool:
            answer = next(self.answers, True)
            if isinstance(answer, Exception):
                raise answer
            self.renewed.set()
            return True

    lease = Away()
    heartbeat = Heartbeat(cast("Lease", lease), lapse=0.05, status=dict, lost=lambda: None)
    heartbeat.start()
    assert lease.renewed.wait(20)
    heartbeat.stop()
