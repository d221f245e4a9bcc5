"""What the dispatcher remembers: what is under way, and what ended and still waits; nothing else."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from evidence_service.service.dispatch import Dispatcher
from evidence_service.store.queue import Waiting


class Queue:
    """Stands in for the queue, and for the engine that does at once what it is asked for."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.under_way: list[str] = []
        self.started: list[str] = []

    def waits(self) -> bool:
        return True

    @contextmanager
    def dispatching(self) -> Any:
        yield True

    def next(self, limit: int, *, without: Any) -> list[Waiting]:
        return [Waiting(name, "o-1", False, None) for name in self.waiting if name not in without][:limit]

    def still_waiting(self, ids: Any) -> set[str]:
        return {name for name in ids if name in self.waiting}

    def organisations(self, ids: Any) -> Counter[str]:
        return Counter("o-1" for _ in ids)

    def in_flight(self, *_: Any) -> list[str]:
        return list(self.under_way)

    def start(self, _: str, subject: str, **__: Any) -> None:
        self.started.append(subject)
        self.under_way.append(subject)


def test_what_is_done_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dispatcher, "_pressed_until", lambda _: None)
    queue: Any = Queue()
    workers = SimpleNamespace(all=lambda: [SimpleNamespace(captures=2, draining=False)])
    parts: Any = SimpleNamespace(queue=queue, workers=workers)
    dispatcher = Dispatcher(parts, queue)
    queue.waiting = ["stuck"]
    for number in range(50):
        queue.waiting.append(f"ev-{number}")
        dispatcher.look()
        queue.under_way.clear()
        queue.waiting = ["stuck"]
    assert sorted(queue.started) == sorted(["stuck", *(f"ev-{number}" for number in range(50))])
    dispatcher.look()
    assert (dispatcher._asked, dispatcher._stuck) == (set(), {"stuck"})
    queue.waiting.clear()
    dispatcher.look()
    assert dispatcher._stuck == set()
