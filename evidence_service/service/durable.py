"""Durable workflows on PostgreSQL: DBOS behind the port of :mod:`evidence_service.service.ports`.

A workflow's id is the id of what it works on, so asking for it twice starts it once; a worker that starts
under the name of one that was killed goes on with what that one had begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID

from evidence_service import __version__
from evidence_service.service.tracing import Tracing, traced

P = ParamSpec("P")
T = TypeVar("T")

CAPTURES, ANCHORS, CERTIFICATES, STAMPS = "captures", "anchors", "certificates", "stamps"
EXHIBITS = "exhibits"
_POLL = 0.2

Workflow = Callable[[str], None]


class DbosDurable:
    """Steps of the running DBOS workflow.

    Args:
        tracing: is told of each step that is run, not of those whose result was recorded before.
    """

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See :class:`evidence_service.service.ports.Durable`."""
        return DBOS.run_step({"name": name}, traced(self._tracing, name, function), *args, **kwargs)

    def sleep(self, seconds: float) -> None:
        """See :class:`evidence_service.service.ports.Durable`."""
        DBOS.sleep(seconds)


class Engine:
    """The queues of one worker.

    Args:
        database_url: of the record's PostgreSQL; DBOS keeps its own schema there.
        executor: stable name of this worker: under the same name a restart recovers its work.
    """

    def __init__(self, database_url: str, *, executor: str) -> None:
        config: DBOSConfig = {
            "name": "evidence-service",
            "system_database_url": database_url.replace("postgresql+psycopg://", "postgresql://", 1),
            "application_version": __version__,
            "executor_id": executor,
            "log_level": "WARNING",
            "console_log_level": "WARNING",
        }
        self._dbos = DBOS(config=config)
        self._workflows: dict[str, tuple[str, Workflow]] = {}

    def add(self, name: str, queue: str, workflow: Workflow) -> None:
        """Register a workflow before ``launch``.

        Args:
            workflow: takes the id of what it works on.
        """
        self._workflows[name] = (queue, DBOS.workflow(name=name)(workflow))

    def launch(self, concurrency: dict[str, int]) -> None:
        """Recover what a killed worker of the same name left, then serve the queues.

        Args:
            concurrency: queue → workflows at once.
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
        with SetWorkflowID(f"{name}-{subject_id}"), SetEnqueueOptions(priority=priority):
            DBOS.enqueue_workflow(queue, workflow, subject_id)

    def stop(self, *, drain: int) -> None:
        """Stop serving.

        Args:
            drain: seconds to let running workflows finish; the rest resumes at the next start.
        """
        DBOS.destroy(workflow_completion_timeout_sec=drain, destroy_registry=True)
