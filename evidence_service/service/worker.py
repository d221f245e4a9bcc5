"""The worker: starts the workflow of everything that waits for one.

It looks at the record, not at messages: what was accepted is found again after any crash, on the same path as
in normal operation.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from structlog.contextvars import bound_contextvars

from evidence_service.errors import EvidenceServiceError
from evidence_service.service.anchor import finish, note_anchor, stamp_batch, submit
from evidence_service.service.apart import apart
from evidence_service.service.asked import Asked
from evidence_service.service.attest import attest
from evidence_service.service.certify import certify, order_wanted, refuse
from evidence_service.service.delete import delete
from evidence_service.service.deliver import Deliverer
from evidence_service.service.dispatch import Dispatcher
from evidence_service.service.durable import (
    ANCHORS,
    CAPTURES,
    CERTIFICATES,
    EXHIBITS,
    STAMPS,
    DbosDurable,
    Engine,
    HandedOver,
    workflow_id,
)
from evidence_service.service.enter_registrations import enter_registrations
from evidence_service.service.exhibit import make_exhibit
from evidence_service.service.extend import extend_due
from evidence_service.service.hold import tell_hold
from evidence_service.service.log_custody import log_custody
from evidence_service.service.note_certificate import tell
from evidence_service.service.parts import Parts
from evidence_service.service.ports import Durable
from evidence_service.service.preserve import preserve
from evidence_service.service.renew import renew
from evidence_service.service.rounds import Rounds
from evidence_service.service.takeover import LOOKS, Heartbeat, Supervisor
from evidence_service.service.tracing import about, whose
from evidence_service.service.upkeep import Pace, wanted
from evidence_service.store.workers import Lease

_log = structlog.get_logger(__name__)
_TICK = 0.25
"""Seconds between two looks at the record."""
_A_LOOK = 5.0
"""Seconds a look that is under way may take before the end."""
_AHEAD = 8
"""Orders of certificates, and exhibits, that are asked for before the first of them has ended."""


_SUBJECTS = {
    "preserve": "evidence",
    "certify": "order",
    "exhibit": "exhibit",
    "hold": "hold",
    "delete": "request",
    "extend": "certificate",
    "tell": "certificate",
}
"""What workflows on something of one organisation are about; the others are about batches of all."""


class Worker:
    """Serves the queues until it is stopped.

    Args:
        lease: this worker's; it is given back at the end.
        captures: browsers at once.
        lapse: seconds without a sign of life after which a worker's work is taken over.
        in_all, per_organisation: captures at once in all workers, and of one organisation; None for no limit.
    """

    def __init__(
        self,
        parts: Parts,
        engine: Engine,
        durable: DbosDurable,
        *,
        lease: Lease,
        captures: int,
        lapse: float = 30.0,
        in_all: int | None = None,
        per_organisation: int | None = None,
    ) -> None:
        self._parts = parts
        self._engine = engine
        self._durable = durable
        self._lease = lease
        self._captures = captures
        self._heartbeat = Heartbeat(lease, lapse=lapse, status=self._status, lost=self._give_up)
        self._dispatcher = Dispatcher(parts, engine, in_all=in_all, per_organisation=per_organisation)
        self._supervisor = Supervisor(
            parts.workers, engine, name=lease.name, lapse=lapse, runs=self._runs, clock=time.monotonic
        )
        self._supervision = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._look_after = lapse / LOOKS
        self._told: Callable[[], None] = lambda: None
        self._left_alone: dict[str, int] = {}
        self._running: Counter[tuple[str, str]] = Counter()
        self._counting = threading.Lock()
        self.lost = False
        self._logging, self._upkeep = Pace(), Pace()
        self._deliverer = Deliverer(parts)
        self._stopping = threading.Event()
        # Asking twice would be harmless, only slower.
        self._asked = Asked()
        self._mended = False
        self._rounds = [Rounds(parts, chain) for chain in parts.chains]
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        for name, queue, workflow in (
            ("preserve", CAPTURES, preserve),
            ("stamp", ANCHORS, stamp_batch),
            ("note", ANCHORS, note_anchor),
            ("certify", CERTIFICATES, certify),
            ("attest", STAMPS, attest),
            ("renew", STAMPS, renew),
            ("extend", STAMPS, extend_due),
            ("tell", STAMPS, tell),
            ("exhibit", EXHIBITS, make_exhibit),
            ("hold", STAMPS, tell_hold),
            ("delete", STAMPS, delete),
        ):
            engine.add(name, queue, self._noting_failure(name, self._within(name, workflow, durable)))

    @property
    def name(self) -> str:
        """Under which the other workers know it."""
        return self._lease.name

    def start(self, *, lost: Callable[[], None] = lambda: None) -> None:
        """Serve; returns at once.

        Args:
            lost: called, from a thread of the worker, when its lease was taken away because nobody heard of
                it for too long. It does no further step then; the caller has to stop it and end the process.
        """
        self._told = lost
        self._heartbeat.start()
        self._engine.launch({CAPTURES: self._captures, ANCHORS: 4, CERTIFICATES: 2, STAMPS: 1, EXHIBITS: 1})
        self._thread.start()
        self._supervision.start()
        self._deliverer.start()
        for rounds in self._rounds:
            rounds.start()

    def stop(self, *, drain: float = 10) -> None:
        """Take no new work, let the steps that run end, at most ``drain`` seconds, and hand over the rest.

        The lease is given back last: from then on the other workers take over what this one has begun.
        """
        self._stopping.set()
        self._durable.halt()
        self._heartbeat.drain()
        self._deliverer.halt()
        for rounds in self._rounds:
            rounds.stop()
        ends = time.monotonic() + drain
        for thread in (self._thread, self._supervision):
            thread.join(_A_LOOK)
        # First the engine: what it still took from the queues would only have to be handed over as well.
        self._engine.stop(drain=drain)
        for rounds in self._rounds:
            rounds.join(max(ends - time.monotonic(), 0.0))
        self._deliverer.stop()
        self._heartbeat.stop()
        self._lease.give_back()

    def _give_up(self) -> None:
        """Whatever this worker had begun, another one has begun again by now."""
        self.lost = True
        self._stopping.set()
        self._durable.halt()
        self._told()

    def _status(self) -> dict[str, Any]:
        with self._counting:
            holds = Counter(name for name, _ in self._running.elements())
        return {"holds": dict(holds), "left_alone": self._left_alone}

    def _runs(self) -> set[str]:
        with self._counting:
            return {workflow_id(name, subject) for name, subject in self._running.elements()}

    def _supervise(self) -> None:
        while not self._stopping.wait(self._look_after):
            try:
                self._supervisor.look()
                left_alone = self._engine.left_alone()
            except SQLAlchemyError as error:
                _log.warning("supervision.failed", reason=str(error)[:300])
                continue
            except Exception:  # noqa: BLE001 - logged with its traceback
                _log.exception("supervision.broken")
                continue
            if left_alone != self._left_alone:
                _log.warning("work.left_alone", versions=left_alone, known=self._engine.version)
            self._left_alone = left_alone

    def _run(self) -> None:
        while not self._stopping.wait(_TICK):
            try:
                self.look()
            except (OperationalError, EvidenceServiceError) as error:
                # The database may be away for a while; the next look starts over.
                _log.warning("look.failed", reason=str(error)[:300])
            except Exception:  # noqa: BLE001 - logged with its traceback
                # Whatever it is: without this thread nothing that is accepted goes on.
                _log.exception("look.broken")

    def look(self) -> None:
        """Start everything that waits."""
        parts = self._parts
        # First: they come seldom, and must not wait for what is looked for all the time.
        if self._logging.due():
            with apart("log custody"):
                log_custody(parts)
        if self._upkeep.due():
            for name, subjects in wanted(parts):
                self._ask(name, subjects)
        enter_registrations(parts)
        self._dispatcher.look()
        unanchored = [batch.id for batch in parts.batches.unanchored()]
        self._asked.each("submit", unanchored, self._submit)
        self._ask("stamp", unanchored)
        self._ask("note", parts.batches.unnoted())
        self._asked.each("order", parts.records.certifiable(), partial(order_wanted, parts))
        # Not all of them: whoever comes later, from another organisation, would wait for all.
        self._ask("certify", parts.certificates.issuable(_AHEAD))
        self._ask("exhibit", parts.exhibits.ordered(_AHEAD))
        # Once: the API cannot make a tree again, as it does not see the entries of everybody.
        if not self._mended:
            self._mended = True
            parts.batches.make_missing_trees()
        # Last: a disk that takes no tree holds up nothing else.
        parts.batches.close_due(parts.batching, now=parts.now())

    def _submit(self, batch_id: str) -> None:
        addresses = {item.chain_id: item.address for item in self._rounds if item.address is not None}
        submit(self._parts, batch_id, addresses)
        # A chain it waited for may not be configured any more.
        finish(self._parts, batch_id)

    def _ask(self, name: str, subjects: Iterable[str]) -> None:
        self._asked.each(name, subjects, partial(self._engine.start, name))

    def _within(
        self, name: str, workflow: Callable[[Parts, Durable, str], None], durable: DbosDurable
    ) -> Callable[[str], None]:
        """A workflow on something that is one organisation's works with that one's part of the record."""
        kind = _SUBJECTS.get(name)

        def run(subject: str) -> None:
            parts = self._parts
            if kind is not None:
                name = subject.split(" ", maxsplit=1)[0]
                parts = parts.within(durable.patiently(parts.organisations.owner_of, kind, name))
            workflow(parts, durable, subject)

        return run

    def _noting_failure(self, name: str, workflow: Callable[[str], None]) -> Callable[[str], None]:
        """Where a workflow is refused for good, the record says why, for people."""

        def run(subject_id: str) -> None:
            self._count(name, subject_id, 1)
            subject = whose(subject_id)
            try:
                with about(name, subject), bound_contextvars(workflow=name, about=subject):
                    workflow(subject_id)
            except Exception as error:
                if self._stopping.is_set():
                    # Cut off by the end of this worker: not kept as its end, so the next one resumes it.
                    raise HandedOver from error
                reason = error.message if isinstance(error, EvidenceServiceError) else repr(error)
                _log.error("workflow.refused", workflow=name, subject=subject_id, reason=reason)
                if name == "stamp":
                    self._parts.batches.note_waiting(subject_id, reason)
                elif name == "note":
                    batch_id = self._parts.journal.load(subject_id).batch_id
                    self._parts.batches.note_waiting(batch_id or "", reason, source="custody log")
                elif name == "preserve":
                    words = f"{name} refused: {reason}"
                    refused = self._durable.patiently(
                        self._parts.records.refuse, subject_id, words, lease=self._lease
                    )
                    if not refused:
                        raise HandedOver from error
                elif name == "exhibit":
                    advice = error.what_to_do if isinstance(error, EvidenceServiceError) else ""
                    self._parts.exhibits.refuse(subject_id, reason, advice)
                elif name == "certify":
                    refuse(self._parts, subject_id, reason)
                raise
            finally:
                self._count(name, subject_id, -1)

        return run

    def _count(self, name: str, subject_id: str, change: int) -> None:
        with self._counting:
            self._running[name, subject_id] += change
            self._running = +self._running
