"""Rounds: the sender of each chain is run again and again; what it sees is kept for people and metrics.

The state machine is durable by itself (:mod:`evidence_service.anchor.sender`), so no workflow engine stands
between it and the database: a killed process leaves nothing that another one does not find in the journal.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

import structlog
from sqlalchemy.exc import OperationalError

from evidence_service.anchor import blocks
from evidence_service.anchor.finality import View
from evidence_service.anchor.round import Round
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.submission import State
from evidence_service.errors import ConfigurationError, EvidenceServiceError, UnavailableError
from evidence_service.service.anchor import NOBODY
from evidence_service.service.parts import Chain, Parts, journal_port
from evidence_service.service.tracing import NoTracing, whose

_log = structlog.get_logger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE, GROWTH = 0.25, 12.0, 1.3
"""Seconds between two rounds: short where blocks come at once, a block's time where they do not."""
_MANY = 1_000
"""Submissions that were not begun yet and are told at once why they wait."""
_IDLE_LOOK = 60.0
"""Seconds between two looks at a chain on which nothing is open."""
_TRACED = 16
"""Batches in whose traces one round is shown."""
_SAMPLE = 64
"""Blocks over which the time between two is averaged."""


class MissingSigner:
    """Stands for a key that the configuration no longer names: what it sent is watched, nothing is signed."""

    def __init__(self, address: str) -> None:
        self.address = address

    def sign_transaction(self, transaction: Mapping[str, Any]) -> NoReturn:
        """Refuse."""
        raise ConfigurationError(
            f"the key of {self.address} is not configured, but its transactions are not final yet",
            what_to_do="put it back behind the current one in the chain's signers until they are",
        )


class Rounds:
    """The rounds of one chain, in a thread of their own."""

    def __init__(self, parts: Parts, chain: Chain) -> None:
        self._parts = parts
        self._chain = chain
        self._senders: dict[str, Sender] = {}
        self._unmet = dict(enumerate(chain.signers))
        self._stopping = threading.Event()
        self._current: str | None = None
        self._looked = 0.0
        self._noted: dict[str, dict[str, str]] = {}
        self._poor: set[str] = set()
        self._block_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name=f"chain {chain.chain_id}", daemon=True)

    @property
    def chain_id(self) -> int:
        """Of the chain."""
        return self._chain.chain_id

    @property
    def address(self) -> str | None:
        """Of the key that sends; None until its custodian has told it."""
        return self._current

    def start(self) -> None:
        """Run until stopped; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further round."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for the round that is under way. One that takes longer is cut off: any point of it is safe."""
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = SHORTEST_PAUSE
        while not self._stopping.wait(pause):
            try:
                progressed = self.once()
            except (OperationalError, EvidenceServiceError) as error:
                # The database may be away for a while; the next round starts over.
                _log.warning("round.failed", chain=self._chain.chain_id, reason=str(error)[:300])
                progressed = False
            except Exception:  # noqa: BLE001 - logged with its traceback
                # Nothing that a node or a submission does may end the thread: the others wait behind it.
                _log.exception("round.broken", chain=self._chain.chain_id)
                progressed = False
            pause = SHORTEST_PAUSE if progressed else min(GROWTH * pause, LONGEST_PAUSE)

    def once(self) -> bool:
        """One round of every key that has something open; whether anything moved, or nothing is to do.

        The key that sends is looked at now and then all the same: its balance should be known before it is
        needed.
        """
        self._meet_signers()
        waiting = self._parts.journal.submitters(self._chain.chain_id)
        progressed = False
        for address in waiting:
            if address == NOBODY:
                self._readdress(address, gone=True)
                continue
            if address not in self._senders:
                if self._unmet:
                    continue  # it may be the key of a custodian that is away
                self._senders[address] = self._sender(MissingSigner(address), retiring=True)
            sender = self._senders[address]
            self._readdress(address, gone=isinstance(sender.signer, MissingSigner))
            progressed |= self._round(sender)
        if self._current is not None and time.monotonic() - self._looked > _IDLE_LOOK:
            self._round(self._senders[self._current])
        return progressed or not waiting

    def _meet_signers(self) -> None:
        """A custodian that has to be asked for its key's address may be away at the start."""
        for position, signer in list(self._unmet.items()):
            try:
                address = signer.address
            except (UnavailableError, ConfigurationError) as error:
                _log.warning("signer.unavailable", chain=self._chain.chain_id, reason=error.message)
                if position == 0:
                    self._note(NOBODY, dict.fromkeys(self._open(NOBODY), error.message))
            else:
                self._senders[address] = self._sender(signer, retiring=position > 0)
                if position == 0:
                    self._current = address
                del self._unmet[position]

    def _sender(self, signer: Any, *, retiring: bool) -> Sender:
        return Sender(
            self._chain.node,
            signer,
            journal_port(self._parts),
            fees=self._chain.fees,
            finality=self._chain.finality,
            retiring=retiring,
        )

    def _readdress(self, address: str, *, gone: bool) -> None:
        """Give what another key has not begun to the current one.

        Args:
            gone: nobody can sign with that key any more: also what it only reserved a nonce for.
        """
        current, journal, chain_id = self._current, self._parts.journal, self._chain.chain_id
        if current is None or address == current:
            return
        with journal.exclusive(chain_id, address) as held:
            for item in journal.open(chain_id, address, unbegun=_MANY) if held else ():
                nonce = journal.reserved_nonce(chain_id, address, item.submission_id)
                unsigned = item.state in (State.CREATED, State.NONCE_RESERVED) and not item.attempts
                if item.fills_nonce or not unsigned or (nonce is not None and not gone):
                    continue
                if nonce is not None:
                    journal.release_nonce(chain_id, address, nonce, item.submission_id)
                journal.move(item, replace(item, submitter=current, state=State.CREATED, nonce=None))

    def _round(self, sender: Sender) -> bool:
        started = time.monotonic()
        if sender.address == self._current:
            self._looked = started
        began, waiting = self._parts.now(), self._traceable(sender.address)
        try:
            done = sender.round()
        except UnavailableError as error:
            words = error.told
            self._note(sender.address, dict.fromkeys(self._open(sender.address), words))
            self._record(sender, {"problem": error.message, "nodes": self._nodes()}, Counter(unavailable=1))
            return False
        if done is None:
            return False
        self._note(sender.address, done.problems)
        self._record(sender, self._seen(done, time.monotonic() - started), done.events)
        self._alert(sender, done)
        if done.progressed:
            for batch_id in waiting:
                self._parts.tracing.period(
                    batch_id,
                    "anchor round",
                    began,
                    self._parts.now(),
                    attributes={"chain_id": self._chain.chain_id, "waiting": len(waiting), **done.events},
                )
        return done.progressed

    def _traceable(self, address: str) -> list[str]:
        """Batches a round may bring forward, the first of them; looked up only for traces."""
        if isinstance(self._parts.tracing, NoTracing):
            return []
        return [whose(name) for name in self._open(address)[:_TRACED]]

    def _alert(self, sender: Sender, done: Round) -> None:
        """Tell the log what an operator should look at; a low balance once, until it is high again."""
        chain_id, balance = self._chain.chain_id, done.view.account.balance
        for name in ("reorged", "stuck", "reverted", "foreign_nonce"):
            if done.events[name]:
                _log.warning(f"anchor.{name}", chain=chain_id, count=done.events[name])
        low = balance < self._chain.fees.balance_alert
        if low and sender.address not in self._poor:
            _log.warning("signer.balance_low", chain=chain_id, address=sender.address, wei=balance)
        (self._poor.add if low else self._poor.discard)(sender.address)

    def _open(self, address: str) -> list[str]:
        waiting = self._parts.journal.open(self._chain.chain_id, address, unbegun=_MANY)
        return [item.submission_id for item in waiting]

    def _note(self, address: str, problems: Mapping[str, str]) -> None:
        """Say on each batch what its anchoring on this chain waits for, when that has changed."""
        before = self._noted.get(address)
        # A worker before this one may have left words that are no longer true.
        names = {*problems, *(self._open(address) if before is None else before)}
        for name in names:
            words = problems.get(name)
            if before is not None and words == before.get(name):
                continue
            batch_id = self._parts.journal.load(name).batch_id
            if batch_id is not None:
                self._parts.batches.note_waiting(batch_id, words, source=f"chain {self._chain.chain_id}")
        self._noted[address] = dict(problems)

    def _record(self, sender: Sender, seen: Mapping[str, Any], events: Counter[str]) -> None:
        self._parts.chain_status.record(
            self._chain.chain_id, sender.address, at=self._parts.now(), seen=seen, events=events
        )

    def _seen(self, done: Round, seconds: float) -> dict[str, Any]:
        view = done.view
        return {
            "head": view.head.number,
            "head_time": view.head.time,
            "final": view.final_number,
            "nonce": view.account.nonce,
            "balance": str(view.account.balance),
            "balance_low": view.account.balance < self._chain.fees.balance_alert,
            "base_fee": str(view.head.base_fee),
            "block_seconds": self._interval(view),
            "round_seconds": round(seconds, 3),
            "problems": dict(done.problems),
            "nodes": self._nodes(),
        }

    def _interval(self, view: View) -> float:
        """Average seconds between blocks; asked once, it hardly changes."""
        if not self._block_seconds and view.head.number > 1:
            span = min(_SAMPLE, view.head.number - 1)
            try:
                earlier = blocks.header(view.endpoint, hex(view.head.number - span))
            except UnavailableError:
                return 0.0
            if earlier is not None:
                self._block_seconds = (view.head.time - earlier.time) / span
        return self._block_seconds

    def _nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "name": endpoint.name,
                "head": endpoint.head,
                "failures": endpoint.failures,
                "resting": endpoint.resting,
                "lies": endpoint.lies,
                "last_lie": endpoint.last_lie,
            }
            for endpoint in self._chain.node.endpoints
        ]
