"""Group commit: what arrives while transactions are being committed goes into the next one, all of it.

No timer holds anybody up. Whoever comes while nothing is written is written at once, alone; the busier it is,
the larger the groups become. Every caller is answered after the commit that made his item durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from evidence_service.errors import DatabaseUnavailableError

T = TypeVar("T")
R = TypeVar("R")

MOST = 500
"""Items of one transaction."""
AT_ONCE = 2
"""Transactions at once: while the disk is waited for with one, the next one is made."""
ENOUGH = 8
"""Items for which another one is begun, as each costs several round trips; fewer wait for one that ends."""
ROOM = 10_000
"""Items that may wait; beyond that nobody is made to wait longer than they would."""


class GroupCommit(Generic[T, R]):
    """Collects the items of one event loop's requests.

    Args:
        commit: makes items durable, all or none, and gives what became of each; called in threads of its
            own, with so many groups at once. What it raises is every member's answer.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        most: int = MOST,
        room: int = ROOM,
        at_once: int = AT_ONCE,
        enough: int = ENOUGH,
    ) -> None:
        self._commit = commit
        self._most = most
        self._room = room
        self._at_once = at_once
        self._enough_for_another = enough
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._writing: set[asyncio.Task[Any] | None] = set()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="group-commit")

    async def add(self, item: T) -> R:
        """What became of an item, when it is durable.

        Raises:
            DatabaseUnavailableError: so many wait already that it was not taken.
        """
        if len(self._waiting) >= self._room:
            raise DatabaseUnavailableError(
                f"{self._room} requests wait for the database already", what_to_do="try again"
            )
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if len(self._writing) < self._at_once and self._enough(self._writing):
            self._writing.add(asyncio.create_task(self._write()))
        return await answer

    def _enough(self, others: Collection[object]) -> bool:
        """Whether what waits goes now; what does not is taken by one of the others when it has ended."""
        return not others or len(self._waiting) >= self._enough_for_another

    async def _write(self) -> None:
        this = asyncio.current_task()
        try:
            while self._enough(self._writing - {this}) and (group := self._next()):
                await self._write_group(group)
        finally:
            # In the same step in which nothing was taken: whoever comes next begins another one.
            self._writing.discard(this)

    def _next(self) -> list[tuple[T, asyncio.Future[R]]]:
        """The next group, without those whose caller has gone: nothing of theirs was begun."""
        group: list[tuple[T, asyncio.Future[R]]] = []
        while self._waiting and len(group) < self._most:
            item, answer = self._waiting.popleft()
            if not answer.done():
                group.append((item, answer))
        return group

    async def _write_group(self, group: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        loop = asyncio.get_running_loop()
        results: Sequence[R | Exception]
        try:
            results = await loop.run_in_executor(self._threads, self._commit, [item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - each member's request answers with it
            results = [error] * len(group)
        for (_, answer), result in zip(group, results, strict=True):
            if answer.done():
                continue  # the caller has gone while it was written: it is durable all the same
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
