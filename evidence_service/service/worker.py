"""The worker: starts the workflow of everything that waits for one.

It looks at the record, not at messages: what was accepted is found again after any crash, on the same path as
in normal operation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import OperationalError
from structlog.contextvars import bound_contextvars

from evidence_service.errors import EvidenceServiceError
from evidence_service.service.anchor import finish, note_anchor, stamp_batch, submit
from evidence_service.service.attest import attest
from evidence_service.service.certify import certify, order_wanted, refuse
from evidence_service.service.deliver import Deliverer
from evidence_service.service.durable import ANCHORS, CAPTURES, CERTIFICATES, EXHIBITS, STAMPS, Engine
from evidence_service.service.exhibit import make_exhibit
from evidence_service.service.extend import extend_due
from evidence_service.service.note_certificate import tell
from evidence_service.service.parts import Parts
from evidence_service.service.ports import Durable
from evidence_service.service.preserve import preserve
from evidence_service.service.renew import renew
from evidence_service.service.rounds import Rounds
from evidence_service.service.tracing import about, whose
from evidence_service.service.upkeep import Upkeep
from evidence_service.store.queue import Waiting

_log = structlog.get_logger(__name__)
_TICK = 0.25
"""Seconds between two looks at the record."""
_AHEAD = 50
"""Workflows of evidence that are asked for, for each browser, before the first of them has ended; and of
orders of certificates, in all."""


_SUBJECTS = {
    "preserve": "evidence",
    "certify": "order",
    "exhibit": "exhibit",
    "extend": "certificate",
    "tell": "certificate",
}
"""What workflows on something of one organisation are about; the others are about batches of all."""


class Worker:
    """Serves the queues until it is stopped.

    Args:
        captures: browsers at once.
    """

    def __init__(self, parts: Parts, engine: Engine, durable: Durable, *, captures: int) -> None:
        self._parts = parts
        self._engine = engine
        self._captures = captures
        self._upkeep = Upkeep(parts)
        self._deliverer = Deliverer(parts)
        self._stopping = threading.Event()
        # Asking twice would be harmless, only slower.
        self._asked: set[tuple[str, str]] = set()
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
        ):
            engine.add(name, queue, self._noting_failure(name, self._within(name, workflow, durable)))

    def start(self) -> None:
        """Serve; returns at once."""
        self._engine.launch({CAPTURES: self._captures, ANCHORS: 4, CERTIFICATES: 2, STAMPS: 1, EXHIBITS: 1})
        self._thread.start()
        self._deliverer.start()
        for rounds in self._rounds:
            rounds.start()

    def stop(self, *, drain: int = 10) -> None:
        """Stop looking for work and let what runs finish, at most ``drain`` seconds."""
        self._stopping.set()
        for rounds in self._rounds:
            rounds.stop()
        for rounds in self._rounds:
            rounds.join(drain)
        self._thread.join(5)
        self._deliverer.stop()
        self._engine.stop(drain=drain)

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
        # First: it comes seldom, and must not wait for what is looked for all the time.
        for name, subject in self._upkeep.wanted():
            self._ask(name, subject)
        # Not all of it: thousands of workflows at once would hold up everything below.
        for waiting in parts.queue.next(_AHEAD * self._captures):
            self._ask("preserve", waiting.id, priority=_priority(waiting))
        for batch in parts.batches.unanchored():
            self._submit(batch.id)
            self._ask("stamp", batch.id)
        for submission_id in parts.batches.unnoted():
            self._ask("note", submission_id)
        for evidence_id in parts.records.certifiable():
            self._order(evidence_id)
        for order_id in parts.certificates.issuable(_AHEAD):
            self._ask("certify", order_id)
        for exhibit_id in parts.exhibits.ordered():
            self._ask("exhibit", exhibit_id)
        # Last: a disk that takes no tree holds up nothing else.
        parts.batches.close_due(parts.batching, now=parts.now())

    def _submit(self, batch_id: str) -> None:
        if ("submit", batch_id) in self._asked:
            return
        addresses = {item.chain_id: item.address for item in self._rounds if item.address is not None}
        submit(self._parts, batch_id, addresses)
        self._asked.add(("submit", batch_id))
        # A chain it waited for may not be configured any more.
        finish(self._parts, batch_id)

    def _order(self, evidence_id: str) -> None:
        if ("order", evidence_id) not in self._asked:
            order_wanted(self._parts, evidence_id)
            self._asked.add(("order", evidence_id))

    def _ask(self, name: str, subject_id: str, *, priority: int | None = None) -> None:
        if (name, subject_id) not in self._asked:
            self._engine.start(name, subject_id, priority=priority)
            self._asked.add((name, subject_id))

    def _within(
        self, name: str, workflow: Callable[[Parts, Durable, str], None], durable: Durable
    ) -> Callable[[str], None]:
        """A workflow on something that is one organisation's works with that one's part of the record."""
        kind = _SUBJECTS.get(name)

        def run(subject: str) -> None:
            parts = self._parts
            if kind is not None:
                parts = parts.within(parts.organisations.owner_of(kind, subject.split(" ", maxsplit=1)[0]))
            workflow(parts, durable, subject)

        return run

    def _noting_failure(self, name: str, workflow: Callable[[str], None]) -> Callable[[str], None]:
        """Where a workflow is refused for good, the record says why, for people."""

        def run(subject_id: str) -> None:
            subject = whose(subject_id)
            try:
                with about(name, subject), bound_contextvars(workflow=name, about=subject):
                    workflow(subject_id)
            except Exception as error:
                if self._stopping.is_set():
                    raise  # cut off by the end of this worker: the next one resumes it
                reason = error.message if isinstance(error, EvidenceServiceError) else repr(error)
                _log.error("workflow.refused", workflow=name, subject=subject_id, reason=reason)
                if name == "stamp":
                    self._parts.batches.note_waiting(subject_id, reason)
                elif name == "note":
                    batch_id = self._parts.journal.load(subject_id).batch_id
                    self._parts.batches.note_waiting(batch_id or "", reason, source="custody log")
                elif name == "preserve":
                    self._parts.records.refuse(subject_id, f"{name} refused: {reason}")
                elif name == "exhibit":
                    advice = error.what_to_do if isinstance(error, EvidenceServiceError) else ""
                    self._parts.exhibits.refuse(subject_id, reason, advice)
                elif name == "certify":
                    refuse(self._parts, subject_id, reason)
                raise

        return run


def _priority(waiting: Waiting) -> int | None:
    """Place in DBOS's queue: urgent ones first, then by what the receipts promise, to ten seconds.

    The record's own order decides what is asked for; this one lets an order that comes later go before those
    that were asked for already.
    """
    if waiting.urgent or waiting.batch_by is None:
        return None
    return int(waiting.batch_by.timestamp()) // 10
