"""Who failed lately is asked last for a while: a dead server must not cost its timeout each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeVar

T = TypeVar("T")

FIRST_REST = 30.0
LONGEST_REST = 600.0
"""Seconds of rest after failures in a row: doubled from the first to the longest."""


class Health:
    """In-process memory of failures; a restart forgets it.

    Args:
        clock: monotonic seconds, which no change of the time of day moves.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}

    def failed(self, name: str) -> None:
        """Let it rest, longer after each failure in a row."""
        with self._lock:
            count = self._failures[name] = self._failures.get(name, 0) + 1
            rest = min(FIRST_REST * 2 ** min(count - 1, 10), LONGEST_REST)
            self._rests_until[name] = self._clock() + rest

    def worked(self, name: str) -> None:
        """Forget its failures."""
        with self._lock:
            self._failures.pop(name, None)
            self._rests_until.pop(name, None)

    def sorted(self, items: Sequence[T], *, key: Callable[[T], str]) -> list[T]:
        """In the given order, those that rest at the end: better a doubtful one than none."""
        now = self._clock()
        with self._lock:
            return sorted(items, key=lambda item: self._rests_until.get(key(item), now) > now)
