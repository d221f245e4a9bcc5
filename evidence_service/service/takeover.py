"""Leases renewed, and what lapsed workers leave behind taken over: every worker does both.

The workflow engine restarts a dead worker's work only when a worker of the same name comes back. Here any
other one puts it back into its queue, from where all of them take it. What a worker does that was only
paused, and is thought dead, harms nothing: the engine lets no execution record a step that has lost its
workflow, and steps may be done twice.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from evidence_service.service.durable import Engine, Held
from evidence_service.store.workers import Lease, Workers

_log = structlog.get_logger(__name__)

BEATS = 5
"""Renewals in the time after which a lease lapses."""
LOOKS = 10
"""Looks for lapsed leases in that time."""


class Heartbeat:
    """Renews a lease in a thread of its own, whatever else the process is busy with.

    Args:
        lapse: seconds after which the lease is taken away when it is not renewed.
        status: what the worker says of itself each time.
        lost: called once when it was taken away.
    """

    def __init__(
        self, lease: Lease, *, lapse: float, status: Callable[[], Mapping[str, Any]], lost: Callable[[], None]
    ) -> None:
        self._lease = lease
        self._pause = lapse / BEATS
        self._status = status
        self._lost = lost
        self._draining = False
        self._stopping = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Renew until stopped; returns at once."""
        self._thread.start()

    def drain(self) -> None:
        """Say at once, and from now on, that no new work is taken."""
        self._draining = True
        self._woken.set()

    def stop(self) -> None:
        """Renew no more; afterwards the caller may use the lease."""
        self._stopping = True
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._woken.wait(self._pause)
            self._woken.clear()
            try:
                held = self._lease.renew(self._status(), draining=self._draining)
            except SQLAlchemyError as error:
                # Nobody can take the lease away either while the database is. A pool with no connection left
                # is no error of the database (``TimeoutError``), and passes as well.
                _log.warning("heartbeat.failed", worker=self._lease.name, reason=str(error)[:300])
                continue
            if not held:
                _log.error("lease.lost", worker=self._lease.name)
                self._lost()
                return


class Supervisor:
    """Finds work whose worker has no lease any more, and puts it back into its queue.

    The same with what this worker holds and does not run: the database may go away when the engine has taken
    something and not begun it yet.

    Args:
        name: of the worker that does it.
        lapse: seconds without a renewal after which a lease is taken away.
        runs: ids of the workflows that run in this process.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        workers: Workers,
        engine: Engine,
        *,
        name: str,
        lapse: float,
        runs: Callable[[], set[str]],
        clock: Callable[[], float],
    ) -> None:
        self._workers = workers
        self._engine = engine
        self._name = name
        self._lapse = lapse
        self._runs = runs
        self._clock = clock
        self._idle: dict[str, float] = {}

    def look(self) -> int:
        """Take over what there is; how many workflows. Two supervisors at once do it once."""
        with self._workers.supervising() as connection:
            if connection is None:
                return 0
            # In this order: whoever holds one of these had its lease before it took it.
            held = self._engine.held()
            living = self._workers.take_away(connection, lapse=self._lapse, by=self._name)
            orphans = [item for item in held if item.executor not in living]
            self._engine.put_back([*orphans, *self._never_begun(held)])
            found = Counter(item.executor for item in orphans)
            for lapsed, workflows in found.items():
                self._workers.note_takeover(connection, lapsed=lapsed, by=self._name, workflows=workflows)
                _log.warning("work.taken_over", lapsed=lapsed, by=self._name, workflows=workflows)
        return found.total()

    def _never_begun(self, held: Sequence[Held]) -> list[Held]:
        """What this worker has held for as long as a lease lasts without running it."""
        running, now = self._runs(), self._clock()
        mine = {item.id: item for item in held if item.executor == self._name and item.id not in running}
        self._idle = {name: self._idle.get(name, now) for name in mine}
        found = [mine[name] for name, since in self._idle.items() if now - since > self._lapse]
        for item in found:
            _log.warning("work.never_begun", workflow=item.id)
            del self._idle[item.id]
        return found
