"""What one recorder has recorded so far: its exchanges, its limits, its journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.recording.settings import RecorderLimits
from evidence_service.capture.recording.wire import Sink, Wire
from evidence_service.core.document import format_time
from evidence_service.errors import LimitExceededError, StorageUnavailableError


@dataclass(slots=True)
class Draft:
    """An exchange while it goes on; members as in :class:`Exchange`."""

    id: str
    url: str
    method: str
    started_at: str
    kind: str
    request: Sink | None = None
    request_head: int = 0
    response: Sink | None = None
    response_head: int = 0
    status: int | None = None
    content_type: str = ""
    peer: tuple[str, int] | None = None
    resolved: tuple[str, ...] = ()
    resolver: str = ""
    tls: dict[str, str] = field(default_factory=dict)
    chain: tuple[str, ...] = ()
    problem: str = ""
    truncated: str = ""
    connection: int = 0
    retried: str = ""
    surplus: int = 0
    order: Sink | None = None
    sent: int = 0
    received: int = 0
    ended: bool = False

    def fail(self, problem: str, truncated: str = "disconnect") -> None:
        """Say why it is incomplete; the first reason stays."""
        if not self.problem:
            self.problem, self.truncated = problem, truncated

    def snapshot(self) -> Exchange:
        """How far it is; nothing is said about its bytes."""
        return Exchange(**{**self._members(), "request": None, "response": None, "order": ""})

    def _members(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "ended"}

    def finish(self, finished_at: str) -> Exchange:
        """End its files; the exchange as it will be read."""

        def end(sink: Sink | None) -> Stored | None:
            return None if sink is None else sink.close()

        members = self._members()
        order = end(self.order)
        return Exchange(
            **{
                **members,
                "request": end(self.request),
                "response": end(self.response),
                "order": "" if order is None else order.name,
                "finished_at": finished_at,
            }
        )


class Ledger:
    """Begins and ends exchanges, counts bytes against the limits, writes the journal.

    Args:
        now: clock of the record.
    """

    def __init__(self, wire: Wire, limits: RecorderLimits, now: Callable[[], datetime]) -> None:
        self.wire, self.limits = wire, limits
        self._now = now
        self._fired: set[str] = set()
        self._count = 0
        self._total = 0
        self.closed = ""
        """Why no exchange may begin any more; empty while they may."""

    def time(self) -> str:
        """Now, in the record's notation."""
        return format_time(self._now())

    def fire(self, limit: str) -> None:
        """Say in the journal, once, that a limit fired."""
        if limit not in self._fired:
            self._fired.add(limit)
            self.wire.note({"limit": limit})

    def begin(self, url: str, method: str, kind: str) -> Draft:
        """A new exchange.

        Raises:
            LimitExceededError: there may be no more.
        """
        if not self.closed and self._count >= self.limits.exchanges:
            self.fire(f"more than {self.limits.exchanges} exchanges")
            raise LimitExceededError("the recorder's limit of exchanges is reached")
        if self.closed:
            raise LimitExceededError(self.closed)
        self._count += 1
        draft = Draft(f"x{self._count:04}", url, method, self.time(), kind)
        self.wire.note(draft.snapshot().to_json())
        return draft

    def note_head(self, draft: Draft) -> None:
        """Tell the journal what is known once the head came: a killed recorder cannot say it later."""
        self.wire.note(draft.snapshot().to_json())

    def end(self, draft: Draft) -> None:
        """The exchange is over, whole or not; a second time changes nothing."""
        if draft.ended:
            return
        draft.ended = True
        exchange = draft.finish(self.time())
        # A journal that cannot be written leaves the exchange unfinished, which is what readers then say.
        with contextlib.suppress(StorageUnavailableError):
            self.wire.note(exchange.to_json())

    def keep(self, draft: Draft, sink: Sink, data: bytes) -> bytes:
        """Write bytes of one direction as far as the limits allow; what was written.

        Raises:
            StorageUnavailableError: the disk did not take them; nothing more can be recorded.
        """
        size, total = sink.size + len(data), self._total + len(data)
        if size > self.limits.body:
            kept = data[: self.limits.body - sink.size]
            self._over(draft, f"one direction of an exchange is larger than {self.limits.body} bytes")
        elif total > self.limits.total:
            kept = data[: self.limits.total - self._total]
            self._over(draft, f"all exchanges together are larger than {self.limits.total} bytes")
        else:
            kept = data
        try:
            sink.write(kept)
        except StorageUnavailableError as error:
            self.closed = error.message
            self.fire(error.message)
            raise
        finally:
            self._total += len(kept)
        return kept

    def count(self, draft: Draft, data: bytes) -> bytes:
        """As :meth:`keep`, for bytes that are only passed on."""
        kept = data[: self.limits.total - self._total]
        if len(kept) < len(data):
            self._over(draft, f"all exchanges together are larger than {self.limits.total} bytes")
        self._total += len(kept)
        return kept

    def _over(self, draft: Draft, limit: str) -> None:
        draft.fail(limit, "length")
        self.fire(limit)


class Deadline:
    """Ends every exchange when the recorder's time is over, or when it is stopped; each says why."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, task: asyncio.Task[None]) -> None:
        """Have a task ended with the others."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def running(self) -> int:
        """How many tasks there are."""
        return len(self._tasks)

    async def end(self, why: str) -> None:
        """Let no exchange begin, end those there are, and wait until they have said so."""
        self._ledger.closed = self._ledger.closed or why
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
