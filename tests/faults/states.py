"""Kill a sender's process with SIGKILL around each thing it stores or sends, and go on from the journal."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from evidence_service.anchor.fees import FeePolicy
from evidence_service.anchor.node import Node
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.submission import Attempt, State, Submission
from evidence_service.sandbox.anvil import CHAIN_ID
from evidence_service.store.journal import PostgresJournal
from evidence_service.store.postgres import connect
from tests.faults.sending import SIGNER
from tests.faults.world import TIMEOUT

FEES = FeePolicy(bump_after=2)
forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.faults.states", "psycopg"])


@dataclass(frozen=True)
class Death:
    """Where the process dies.

    Attributes:
        call: the journal's method, or ``send`` for giving the transaction to a node.
        state: for ``move``, only into this state.
        moment: before or after its effect.
    """

    call: str
    moment: str
    state: str = ""

    def __str__(self) -> str:
        return f"{self.moment}-{self.state or self.call}"


def journal(url: str) -> PostgresJournal[Submission]:
    """The journal on a database."""
    return PostgresJournal(connect(url), make_submission=Submission, make_attempt=Attempt, make_state=State)


class _Dying:
    """A journal or a node whose call kills the process."""

    def __init__(self, real: Any, death: Death) -> None:
        self._real = real
        self._death = death

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name != self._death.call:
            return real

        def watched(*arguments: Any, **named: Any) -> Any:
            wanted = not self._death.state or arguments[1].state == self._death.state
            if wanted and self._death.moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **named)
            if wanted:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return watched


def run(orders: Connection, url: str, rpc_url: str, death: Death | None, low_gas: bool) -> None:
    """The process: a round for each order."""
    kept: Any = journal(url)
    node = Node([rpc_url], CHAIN_ID, timeout=TIMEOUT)
    if death is not None:
        kept = _Dying(kept, death)
        if death.call == "send":
            _die_at_send(node, death)
    sender = Sender(node, SIGNER, kept, fees=FEES)
    if low_gas:
        gas: Callable[..., int] = lambda looked, item: 120_000 if item.failures else 30_000  # noqa: E731
        sender._gas = gas  # type: ignore[method-assign]
    with suppress(EOFError):
        _serve(orders, sender)


def _serve(orders: Connection, sender: Sender) -> None:
    while orders.recv() == "round":
        done = sender.round()
        orders.send(None if done is None else dict(done.problems))


def _die_at_send(node: Node, death: Death) -> None:
    for endpoint in node.endpoints:
        endpoint.send = _Dying(endpoint, death).send  # type: ignore[method-assign]


class Process:
    """One sender's process."""

    def __init__(self, url: str, rpc_url: str, death: Death | None, *, low_gas: bool) -> None:
        self._orders, theirs = forkserver.Pipe()
        self._process = forkserver.Process(target=run, args=(theirs, url, rpc_url, death, low_gas))
        self._process.start()
        theirs.close()

    def round(self) -> bool:
        """One round; False when the process was killed in it."""
        try:
            self._orders.send("round")
            self._orders.recv()
        except (EOFError, ConnectionError):
            self._process.join(10)
            assert self._process.exitcode == -signal.SIGKILL, self._process.exitcode
            return False
        return True

    def end(self) -> None:
        """End it."""
        with suppress(OSError):
            self._orders.send("end")
        self._process.join(10)
