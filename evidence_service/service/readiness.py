"""Whether orders can be accepted, and what else is away.

Names only: whoever asks needs no key, so no address, path or word of an error is told. The log has those. Nor
does asking more often try more: an examination writes to the disk, or asks a bucket four times.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from evidence_service.errors import EvidenceServiceError
from evidence_service.service.parts import Parts

_log = structlog.get_logger(__name__)
_SILENT = timedelta(minutes=5)
"""Age of the last look at a chain from which on it counts as away; an idle one is looked at every minute."""
KEPT = timedelta(seconds=2)
"""How long what was found is told again without another look."""
DEADLINE = 3.0
"""Seconds an examination may take; less than those who ask wait (``deploy/compose.yaml``)."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is away.

    Attributes:
        failing: without these nothing is accepted: ``database``, ``schema``, ``objects``, ``receipt_key``.
        degraded: what was accepted waits for these: ``time_stamps``, ``chain 1``.
        schema: ``current``, ``older`` or ``newer`` than this release; empty when the database is away.
    """

    failing: tuple[str, ...]
    degraded: tuple[str, ...]
    schema: str

    @property
    def ready(self) -> bool:
        """Whether orders are accepted."""
        return not self.failing


class Examiner:
    """Examines readiness for all who ask: one examination at a time, in a thread of its own.

    One that hangs holds up neither the threads that serve requests nor those who ask: they are told what does
    not answer. No second one is begun beside it.

    Args:
        deadline: seconds after which it counts as hanging.
    """

    def __init__(self, parts: Parts, *, deadline: float = DEADLINE) -> None:
        self._parts = parts
        self._deadline = deadline
        self._last: _Examination | None = None

    async def readiness(self) -> Readiness:
        """What is away now, or was just before; to be asked from one event loop."""
        if self._last is None or self._last.is_old():
            self._last = _Examination(self._parts)
            threading.Thread(target=self._last.run, name="readiness", daemon=True).start()
        last = self._last
        left = max(0.0, last.begun + self._deadline - time.monotonic())
        done, _ = await asyncio.wait({asyncio.wrap_future(last.answer)}, timeout=left)
        return last.answer.result() if done else last.so_far()


class _Examination:
    """One look at everything; ``answer`` comes at its end.

    Attributes:
        begun: ``time.monotonic()``.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._at = parts.now()
        self._failing: list[str] = []
        self._trying = "database"
        self._version = ""
        self.begun = time.monotonic()
        self.answer: Future[Readiness] = Future()
        self.answer.set_running_or_notify_cancel()  # nobody who asks can cancel it for the others

    def is_old(self) -> bool:
        """Whether it has ended, and is not told again."""
        return self.answer.done() and not timedelta(0) <= self._parts.now() - self._at < KEPT

    def run(self) -> None:
        """Try what acceptance needs, and look at what the workers last saw of the rest."""
        try:
            self.answer.set_result(self._examine())
        except Exception as error:  # noqa: BLE001 - whoever asks gets it
            self.answer.set_exception(error)

    def so_far(self) -> Readiness:
        """What is known before it has ended: what is being tried does not answer."""
        _log.warning("readiness.silent", dependency=self._trying)
        return Readiness((*self._failing, self._trying), (), self._version)

    def _examine(self) -> Readiness:
        parts = self._parts
        if self._tried("database", self._look_at_schema) and self._version != "current":
            self._failing.append("schema")
        self._tried("objects", parts.objects.inspect)
        self._tried("receipt_key", parts.receipt_key.check)
        self._trying = "database"
        degraded = () if self._failing else tuple(_degraded(parts))
        return Readiness(tuple(self._failing), degraded, self._version)

    def _look_at_schema(self) -> None:
        self._version = self._parts.operations.version()

    def _tried(self, name: str, examine: Callable[[], object]) -> bool:
        self._trying = name
        try:
            examine()
        except (SQLAlchemyError, EvidenceServiceError, OSError) as error:
            _log.warning("readiness.failing", dependency=name, reason=str(error)[:300])
            self._failing.append(name)
            return False
        return True


def _degraded(parts: Parts) -> list[str]:
    found = ["time_stamps"] if parts.operations.unstamped() else []
    now = parts.now()
    statuses = parts.chain_status.all()
    for chain in parts.chains:
        looks = [status for status in statuses if status.chain_id == chain.chain_id]
        # Of several keys the one that was looked at last speaks for the nodes.
        last = max(looks, key=lambda status: status.at, default=None)
        if last is None or now - last.at > _SILENT or "problem" in last.seen:
            found.append(f"chain {chain.chain_id}")
    return found
