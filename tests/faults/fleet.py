"""Several API and worker processes of one installation, killed at random; some come back, some never."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, text

from evidence_service.cli import main
from evidence_service.processes import accepts_connections

_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(
    ["evidence_service.cli.operation", "evidence_service.bootstrap", "evidence_service.api.app"]
)
_PATIENCE = 60.0


def _run(arguments: list[str], environment: Mapping[str, str], log: str) -> None:
    """The command line, in a process of its own."""
    os.environ.update(environment)
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    main(arguments, prog_name="evidence")


@dataclass
class Member:
    """One process.

    Attributes:
        name: of the worker, or of the API.
        port: of the API; 0 for a worker.
    """

    name: str
    port: int
    process: multiprocessing.process.BaseProcess = field(repr=False)

    @property
    def pid(self) -> int:
        """Process id."""
        return int(self.process.pid or 0)


def start(name: str, port: int, arguments: list[str], environment: Mapping[str, str], log: Path) -> Member:
    """Start a command of ours, e.g. ``serve``."""
    process = _forkserver.Process(target=_run, args=(arguments, dict(environment), str(log)), name=name)
    process.start()
    return Member(name, port, process)


class Fleet:
    """Keeps as many processes running as there are to be, whoever is killed.

    Args:
        environment: settings of all.
        ports: one for each API.
        log: what all of them say.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        ports: list[int],
        workers: int,
        log: Path,
        numbers: random.Random,
    ) -> None:
        self._environment = dict(environment)
        self._log = log
        self._numbers = numbers
        self._named = 0
        self.kills = 0
        self.never_back = 0
        self.apis = [self._api(port) for port in ports]
        self.workers = [self._worker(self._new_name()) for _ in range(workers)]

    def wait(self) -> None:
        """Until every API answers."""
        deadline = time.monotonic() + _PATIENCE
        while not all(accepts_connections(member.port) for member in self.apis):
            if time.monotonic() > deadline:
                raise AssertionError(f"no API answers: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def kill_holder(self, engine: Engine) -> bool:
        """Kill a worker that holds work, for good; whether there was one. Another one comes in its place."""
        query = "SELECT DISTINCT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'"
        with engine.connect() as connection:
            if connection.execute(text("SELECT to_regclass('dbos.workflow_status')")).scalar() is None:
                return False
            names = set(connection.execute(text(query)).scalars())
        holding = [member for member in self.workers if member.name in names]
        if holding:
            self._replace(self._numbers.choice(holding), back=False)
        return bool(holding)

    def kill_worker(self) -> None:
        """Kill any worker; it comes back, or another one in its place."""
        self._replace(self._numbers.choice(self.workers), back=self._numbers.random() < 0.3)

    def kill_api(self) -> None:
        """Kill an API; it comes back."""
        victim = self._numbers.choice(self.apis)
        self._kill(victim)
        self.apis[self.apis.index(victim)] = self._api(victim.port)

    def revive(self) -> None:
        """Start again what ended by itself, as a service manager does: workers that were too slow to say they live."""
        for number, member in enumerate(self.workers):
            if not member.process.is_alive():
                self.workers[number] = self._worker(member.name)

    def stop(self) -> list[int]:
        """End everything as an operator does; how each process ended."""
        members = [*self.apis, *self.workers]
        for member in members:
            member.process.terminate()
        for member in members:
            member.process.join(40)
            if member.process.exitcode is None:
                member.process.kill()
                member.process.join()
        return [int(member.process.exitcode or 0) for member in members]

    def _kill(self, victim: Member) -> None:
        os.kill(victim.pid, signal.SIGKILL)
        victim.process.join()
        self.kills += 1

    def _replace(self, victim: Member, *, back: bool) -> None:
        self._kill(victim)
        self.never_back += not back
        self.workers[self.workers.index(victim)] = self._worker(victim.name if back else self._new_name())

    def _new_name(self) -> str:
        self._named += 1
        return f"w-{self._named}"

    def _worker(self, name: str) -> Member:
        return self._start(name, 0, ["worker"], EVIDENCE_WORKER_NAME=name)

    def _api(self, port: int) -> Member:
        return self._start(f"api-{port}", port, ["serve", "--no-worker"], EVIDENCE_API_PORT=str(port))

    def _start(self, name: str, port: int, arguments: list[str], **more: str) -> Member:
        return start(name, port, arguments, {**self._environment, **more}, self._log)


class Killing:
    """Kills one process after the other, in a thread, until it is stopped: first an API, then a worker that holds work.

    Args:
        pauses: shortest and longest time between two, in seconds.
    """

    def __init__(
        self, fleet: Fleet, engine: Engine, *, pauses: tuple[float, float], numbers: random.Random
    ) -> None:
        self._fleet = fleet
        self._engine = engine
        self._pauses = pauses
        self._numbers = numbers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Kill nobody any more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        self._fleet.kill_api()
        while not self._fleet.kill_holder(self._engine):
            if self._stopping.wait(0.02):
                return
        while not self._stopping.wait(self._numbers.uniform(*self._pauses)):
            self._fleet.revive()
            if self._numbers.random() < 0.7:
                self._fleet.kill_worker()
            else:
                self._fleet.kill_api()
            print(f"{self._fleet.kills} killed", file=sys.stderr)
