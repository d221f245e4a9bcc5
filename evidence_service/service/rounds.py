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
from evidence_service.service.parts import Chain, Parts, journal_port

_log = structlog.get_logger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE, GROWTH = 0.25, 12.0, 1.3
"""Seconds between two rounds: short where blocks come at once, a block's time where they do not."""
_MANY = 1_000
"""Submissions that were not begun yet and are told at once why they wait."""
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
        self._noted: dict[str, dict[str, str]] = {}
        self._poor: set[str] = set()
        self._block_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name=f"chain {chain.chain_id}", daemon=True)

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
        """One round of every key that has something open; whether anything moved, or nothing is to do."""
        self._meet_signers()
        waiting = self._parts.journal.submitters(self._chain.chain_id)
        progressed = False
        for address in waiting:
            if address not in self._senders:
                if self._unmet:
                    continue  # it may be the key of a custodian that is away
                self._senders[address] = self._sender(MissingSigner(address), retiring=True)
            if 0 not in self._unmet:
                self._readdress(address)
            progressed |= self._round(self._senders[address])
        return progressed or not waiting

    def _meet_signers(self) -> None:
        """A custodian that has to be asked for its key's address may be away at the start."""
        for position, signer in list(self._unmet.items()):
            try:
                address = signer.address
            except UnavailableError as error:
                _log.warning("signer.unavailable", chain=self._chain.chain_id, reason=error.message)
            else:
                self._senders[address] = self._sender(signer, retiring=position > 0)
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

    def _readdress(self, address: str) -> None:
        """Give what a retiring key has not begun to the current one."""
        current, journal = self._chain.signer.address, self._parts.journal
        if address == current:
            return
        with journal.exclusive(self._chain.chain_id, address) as held:
            for item in journal.open(self._chain.chain_id, address, unbegun=_MANY) if held else ():
                reserved = journal.reserved_nonce(self._chain.chain_id, address, item.submission_id)
                if item.state is State.CREATED and reserved is None and not item.fills_nonce:
                    journal.move(item, replace(item, submitter=current))

    def _round(self, sender: Sender) -> bool:
        started = time.monotonic()
        try:
            done = sender.round()
        except UnavailableError as error:
            words = f"{error.message} ({error.what_to_do})" if error.what_to_do else error.message
            self._note(sender, dict.fromkeys(self._open(sender), words))
            self._record(sender, {"problem": error.message, "nodes": self._nodes()}, Counter(unavailable=1))
            return False
        if done is None:
            return False
        self._note(sender, done.problems)
        self._record(sender, self._seen(done, time.monotonic() - started), done.events)
        self._alert(sender, done)
        return done.progressed

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

    def _open(self, sender: Sender) -> list[str]:
        waiting = self._parts.journal.open(self._chain.chain_id, sender.address, unbegun=_MANY)
        return [item.submission_id for item in waiting]

    def _note(self, sender: Sender, problems: Mapping[str, str]) -> None:
        """Say on each batch what its anchoring waits for, when that has changed."""
        before = self._noted.get(sender.address, {})
        for name in before.keys() | problems.keys():
            words = problems.get(name)
            batch_id = self._parts.journal.load(name).batch_id
            if words != before.get(name) and batch_id is not None:
                self._parts.batches.note_waiting(batch_id, words)
        self._noted[sender.address] = dict(problems)

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
