"""Worker processes on one record that can be killed, paused and held in a step; no chain, no authorities."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from evidence_service import bootstrap
from evidence_service.capture.browser import BrowserIdentity
from evidence_service.capture.files import CapturedFile
from evidence_service.capture.outcome import Outcome
from evidence_service.capture.result import CaptureResult
from evidence_service.config import Settings
from evidence_service.core import document
from evidence_service.core.digest import digest_of
from evidence_service.service import preserve
from evidence_service.service.durable import DbosDurable
from evidence_service.service.parts import Parts
from evidence_service.service.tracing import NoTracing
from evidence_service.store import postgres
from evidence_service.store.records import Matter
from evidence_service.store.tenancy import WORKER_ROLE

LOST = 3
_PATIENCE = 30.0
_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["evidence_service.bootstrap"])


@dataclass(frozen=True)
class Setup:
    """How a worker is started.

    Attributes:
        hold: a step's name; the worker stays in it, its effect done, as long as ``held`` exists. Or
            ``browse``: it stays in a capture whose files are written and not stored.
        broken: its captures end with an error that is nobody's fault but the program's.
    """

    url: str
    directory: Path
    name: str
    lapse: float = 2.0
    version: str = "1"
    hold: str = ""
    drain: float = 20.0
    broken: bool = False

    @property
    def held(self) -> Path:
        """Exists while the worker is held."""
        return self.directory / f"{self.name}.held"

    @property
    def browsed(self) -> Path:
        """Exists since a capture of the worker has written its files."""
        return self.directory / f"{self.name}.browsed"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.directory / f"{self.name}.log"

    def parts(self) -> Parts:
        """The record's parts; its batches never close by themselves."""
        found = bootstrap.parts(self.settings(), postgres.connect(self.url, role=WORKER_ROLE))
        return replace(found, batching=replace(found.batching, size=10_000))

    def settings(self) -> Settings:
        """Its settings."""
        return Settings(
            data_directory=self.directory,
            worker_name=self.name,
            worker_lapse_seconds=self.lapse,
            captures_at_once=2,
            batch_seconds=400,
            promised_delay_seconds=1_000,
        )


class Holding(DbosDurable):
    """Durable steps that write down what they do, and stay in one of them."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(NoTracing())
        self._setup = setup

    def step(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        def watched(*inner: Any, **named: Any) -> Any:
            result = function(*inner, **named)
            with (self._setup.directory / "steps").open("a") as steps:
                steps.write(f"{self._setup.name} {name}\n")
            while name == self._setup.hold and self._setup.held.exists():
                time.sleep(0.05)
            return result

        return super().step(name, watched, *args, **kwargs)


def browse(setup: Setup, url: str, directory: Path, **_: Any) -> CaptureResult:
    """Stands for a browser: one file that says who made it."""
    directory.mkdir(parents=True)
    (directory / "page.html").write_text(setup.name)
    setup.browsed.touch()
    while setup.hold == "browse" and setup.held.exists():
        time.sleep(0.05)
    if setup.broken:
        raise ArithmeticError("the program is wrong")
    at = document.format_time(datetime.now(UTC))
    return CaptureResult(
        files=(CapturedFile("page.html", "text/html", "dom", digest_of(setup.name.encode())),),
        outcome=Outcome("captured", ()),
        requested_url=url,
        final_url=url,
        redirects=(),
        status=200,
        peer=None,
        listing={},
        browser=BrowserIdentity("none", "none", "00" * 32),
        started_at=at,
        finished_at=at,
        exceptions=(),
    )


def work(setup: Setup) -> None:
    """A worker's process: until SIGTERM, or until its lease is lost."""
    sink = os.open(setup.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    # Nobody stamps here; what is looked at comes before and after.
    patch.object(preserve, "request_stamps", lambda *_: None).start()
    patch.object(preserve, "capture_listing", partial(browse, setup)).start()
    running = bootstrap.worker(
        setup.settings(), setup.parts(), setup.url, durable=Holding(setup), workflow_version=setup.version
    )
    running.start(lost=stopping.set)
    stopping.wait()
    running.stop(drain=setup.drain)
    os._exit(LOST if running.lost else 0)


def start(setup: Setup) -> multiprocessing.process.BaseProcess:
    """Start a worker; held from the beginning when it is to be held."""
    if setup.hold:
        setup.held.touch()
    process = _forkserver.Process(target=work, args=(setup,))
    process.start()
    return process


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for something."""
    deadline = time.monotonic() + _PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)


class Record:
    """The record the workers share, as the test looks at it."""

    def __init__(self, url: str, directory: Path) -> None:
        self.parts = Setup(url, directory, "test").parts()
        self.engine = postgres.connect(url)
        self._steps = directory / "steps"
        self.parts.records.add_matter(Matter("m-1", "R", "Applicant", (), self.parts.now()))

    def order(self, evidence_id: str) -> None:
        """Accept an upload."""
        stored = self.parts.objects.put_bytes(evidence_id.encode())
        described = preserve.describe_upload(self.parts, "note.txt", "text/plain", stored)
        self._accept(evidence_id, kind="upload", url=None, capture=described)

    def order_capture(self, evidence_id: str) -> None:
        """Accept the address of a listing."""
        self._accept(evidence_id, kind="platform_capture", url="https://example.com/listing")

    def _accept(self, evidence_id: str, **what: Any) -> None:
        self.parts.records.add_evidence(
            evidence_id=evidence_id,
            matter_id="m-1",
            operator="agent",
            certificate_wanted=False,
            created_at=self.parts.now(),
            **what,
        )

    def registered(self, *evidence_ids: str) -> bool:
        """Whether the way of all of them has ended as it should."""
        return all(self.parts.records.evidence(item).status == "registered" for item in evidence_ids)

    def actions(self, evidence_id: str) -> list[str]:
        """Of the custody log."""
        return [event["action"] for event in self.parts.records.custody(evidence_id)]

    def did(self, worker: str, step: str) -> int:
        """How often a worker did a step."""
        lines = self._steps.read_text().splitlines() if self._steps.exists() else []
        return lines.count(f"{worker} {step}")

    def workflows(self, column: str) -> list[str]:
        """A column of the workflow engine's own table."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(f"SELECT {column} FROM dbos.workflow_status")).scalars())

    def names(self) -> set[str]:
        """Of the workers with a lease."""
        return {item.name for item in self.parts.workers.all()}
