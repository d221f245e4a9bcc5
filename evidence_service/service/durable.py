"""Durable workflows on PostgreSQL: DBOS behind the port of :mod:`evidence_service.service.ports`.

A workflow's id is the id of what it works on, so asking for it twice starts it once; a worker that starts
under the name of one that was killed goes on with what that one had begun.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from evidence_service.service.tracing import Tracing, traced

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

WORKFLOW_VERSION = "1"
"""Raised when the order of a workflow's steps changes, and never else: releases with the same one take over
each other's work. A worker leaves alone what another version began."""

CAPTURES, ANCHORS, CERTIFICATES, STAMPS = "captures", "anchors", "certificates", "stamps"
EXHIBITS = "exhibits"
_POLL = 0.2
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 10.0
"""Seconds between two tries while the database is away."""
_MANY = 1_000
"""Workflows of other versions that are counted."""

Workflow = Callable[[str], None]


def workflow_id(name: str, subject_id: str) -> str:
    """Of a workflow on something: there is one, whoever asks for it and however often."""
    return f"{name}-{subject_id}"


class HandedOver(BaseException):
    """This worker does no further step; whoever takes the workflow over does. No error: recorded nowhere."""


class DbosDurable:
    """Steps of the running DBOS workflow.

    Args:
        tracing: is told of each step that is run, not of those whose result was recorded before.
    """

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._halted = threading.Event()

    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See :class:`evidence_service.service.ports.Durable`."""
        if self._halted.is_set():
            raise HandedOver
        watched = traced(self._tracing, name, function)

        def run() -> T:
            try:
                return self.patiently(watched, *args, **kwargs)
            except Exception as error:
                if not self._halted.is_set():
                    raise
                # How a step ends is kept, and what goes wrong while a process ends may be the end's fault.
                _log.warning("step.handed_over", step=name, reason=repr(error)[:300])
                raise HandedOver from error

        return DBOS.run_step({"name": name}, run)

    def patiently(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that may be repeated, again and again while the record's database does not answer.

        Within a step: how a step ends is kept, and a database that restarts must not end a workflow for good.
        """
        delay = _FIRST_DELAY
        while True:
            try:
                return function(*args, **kwargs)
            except (OperationalError, PoolTimeout) as error:
                _log.warning("database.away", reason=str(error)[:300])
            if self._halted.wait(delay):
                raise HandedOver
            delay = min(2 * delay, _LONGEST_DELAY)

    def sleep(self, seconds: float) -> None:
        """See :class:`evidence_service.service.ports.Durable`."""
        # Not the engine's own, which nothing can wake.
        until: float = DBOS.run_step({"name": "sleep"}, lambda: time.time() + seconds)
        if self._halted.wait(max(until - time.time(), 0)):
            raise HandedOver

    def halt(self) -> None:
        """Let steps that run end, and begin no further ones."""
        self._halted.set()


@dataclass(frozen=True, slots=True)
class Held:
    """A workflow that a worker has begun and not ended."""

    id: str
    queue: str | None
    executor: str


class Engine:
    """The queues of one worker.

    Args:
        database_url: of the record's PostgreSQL; DBOS keeps its own schema there.
        executor: stable name of this worker: under the same name a restart recovers its work.
        version: of the workflows it knows.
    """

    def __init__(self, database_url: str, *, executor: str, version: str = WORKFLOW_VERSION) -> None:
        config: DBOSConfig = {
            "name": "evidence-service",
            "system_database_url": database_url.replace("postgresql+psycopg://", "postgresql://", 1),
            "application_version": version,
            "executor_id": executor,
            "log_level": "WARNING",
            "console_log_level": "WARNING",
        }
        self._dbos = DBOS(config=config)
        self.version = version
        self._workflows: dict[str, tuple[str, Workflow]] = {}

    def add(self, name: str, queue: str, workflow: Workflow) -> None:
        """Register a workflow before ``launch``.

        Args:
            workflow: takes the id of what it works on.
        """
        # However often its workers die: what waits for months sees many of them.
        registered = DBOS.workflow(name=name, max_recovery_attempts=None)(workflow)
        self._workflows[name] = (queue, registered)

    def launch(self, concurrency: dict[str, int]) -> None:
        """Recover what a killed worker of the same name left, then serve the queues.

        Args:
            concurrency: queue → workflows at once. It is kept in the database and holds for every worker: the
                last one that starts decides.
        """
        DBOS.launch()
        for queue, workers in concurrency.items():
            DBOS.register_queue(queue, worker_concurrency=workers, polling_interval_sec=_POLL)

    def start(self, name: str, subject_id: str, *, priority: int | None = None) -> None:
        """Ask for the workflow of a subject; asking again changes nothing.

        Args:
            priority: from 1; the lowest is taken first, and what has none before all that have one.
        """
        queue, workflow = self._workflows[name]
        with SetWorkflowID(workflow_id(name, subject_id)), SetEnqueueOptions(priority=priority):
            DBOS.enqueue_workflow(queue, workflow, subject_id)

    def held(self) -> list[Held]:
        """Everything of this version that any worker has begun and not ended."""
        found = DBOS.list_workflows(
            status="PENDING", app_version=self.version, load_input=False, load_output=False
        )
        return [Held(item.workflow_id, item.queue_name, str(item.executor_id)) for item in found]

    def in_flight(self, name: str, queue: str) -> list[str]:
        """Subjects of a workflow that are in its queue or begun, of every version."""
        found = DBOS.list_workflows(
            status=["ENQUEUED", "PENDING"],
            name=name,
            queue_name=queue,
            load_input=False,
            load_output=False,
        )
        return [item.workflow_id.removeprefix(workflow_id(name, "")) for item in found]

    def put_back(self, workflows: Iterable[Held]) -> None:
        """Put begun workflows back into their queues: their steps so far stay done.

        Who still runs one of them records no further step of it.
        """
        queues: dict[str | None, list[str]] = defaultdict(list)
        for item in workflows:
            queues[item.queue].append(item.id)
        for queue, ids in queues.items():
            DBOS.resume_workflows(ids, queue_name=queue)

    def left_alone(self) -> dict[str, int]:
        """What other versions began and have not ended: version → number, up to a thousand in all."""
        others = {item["version_name"] for item in DBOS.list_application_versions()} - {self.version}
        if not others:
            return {}
        found = DBOS.list_workflows(
            status=["PENDING", "ENQUEUED"],
            app_version=sorted(others),
            limit=_MANY,
            load_input=False,
            load_output=False,
        )
        return dict(Counter(str(item.app_version) for item in found))

    def stop(self, *, drain: float) -> None:
        """Stop serving.

        Args:
            drain: seconds to let running workflows finish; the rest is resumed by another worker, or at the
                next start.
        """
        DBOS.destroy(workflow_completion_timeout_sec=math.ceil(drain), destroy_registry=True)
