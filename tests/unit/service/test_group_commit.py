"""Group commit: what waits goes together, each is answered by itself, and nobody is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from evidence_service.errors import DatabaseUnavailableError
from evidence_service.service.group_commit import GroupCommit


class Database:
    """Notes groups; the first one waits until it is let go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.go = threading.Event()

    def commit(self, items: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(items))
        assert self.go.wait(10)
        if -1 in items:
            raise OSError("away")
        return [ValueError("bad") if item == 13 else item * 10 for item in items]


@pytest.fixture
def database() -> Database:
    return Database()


async def begun(database: Database, groups: int = 1) -> None:
    while len(database.groups) < groups:
        await asyncio.sleep(0)


def test_what_arrives_during_a_commit_goes_into_the_next_one(database: Database) -> None:
    async def run() -> list[int]:
        group = GroupCommit(database.commit, at_once=1)
        first = asyncio.create_task(group.add(1))
        await begun(database)
        others = [asyncio.create_task(group.add(item)) for item in (2, 3, 4)]
        await asyncio.sleep(0)
        assert not first.done()
        database.go.set()
        answers = await asyncio.gather(first, *others)
        return [*answers, await group.add(5)]

    assert asyncio.run(run()) == [10, 20, 30, 40, 50]
    assert database.groups == [[1], [2, 3, 4], [5]]


def test_two_groups_are_written_at_once_and_the_others_wait(database: Database) -> None:
    async def run() -> list[int]:
        group = GroupCommit(database.commit, at_once=2, enough=1)
        tasks = []
        for item in (1, 2):
            tasks.append(asyncio.create_task(group.add(item)))
            await begun(database, item)
        tasks += [asyncio.create_task(group.add(item)) for item in (3, 4)]
        await asyncio.sleep(0.05)
        assert database.groups == [[1], [2]]
        database.go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [10, 20, 30, 40]
    assert database.groups == [[1], [2], [3, 4]]


def test_another_group_is_begun_when_it_is_worth_it(database: Database) -> None:
    async def run() -> list[int]:
        group = GroupCommit(database.commit, at_once=2, enough=3)
        tasks = [asyncio.create_task(group.add(1))]
        await begun(database)
        for item in (2, 3):
            tasks.append(asyncio.create_task(group.add(item)))
            await asyncio.sleep(0.02)
            assert database.groups == [[1]]
        tasks.append(asyncio.create_task(group.add(4)))
        await begun(database, 2)
        database.go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [10, 20, 30, 40]
    assert database.groups == [[1], [2, 3, 4]]


@pytest.mark.parametrize("enough", [1, 3, 8])
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_nobody_is_forgotten_however_they_come(database: Database, at_once: int, enough: int) -> None:
    database.go.set()

    async def client(group: GroupCommit[int, int], first: int) -> list[int]:
        answers = []
        for item in range(first, first + 100):
            answers.append(await group.add(item))
            for _ in range(item % 3):
                await asyncio.sleep(0)
        return answers

    async def run() -> list[list[int]]:
        group = GroupCommit(database.commit, at_once=at_once, enough=enough)
        clients = [client(group, 1_000 * number) for number in range(1, 9)]
        return await asyncio.wait_for(asyncio.gather(*clients), 30)

    answers = asyncio.run(run())
    assert answers == [[item * 10 for item in range(n * 1_000, n * 1_000 + 100)] for n in range(1, 9)]
    assert sorted(item for found in database.groups for item in found) == sorted(
        answer // 10 for found in answers for answer in found
    )


def test_each_member_has_an_answer_of_its_own(database: Database) -> None:
    async def run() -> list[object]:
        group = GroupCommit(database.commit)
        tasks = [asyncio.create_task(group.add(item)) for item in (1, 13, 2)]
        database.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    good, bad, other = asyncio.run(run())
    assert (good, other) == (10, 20)
    assert isinstance(bad, ValueError)


def test_a_group_that_fails_fails_every_member_and_no_later_one(database: Database) -> None:
    database.go.set()

    async def run() -> list[object]:
        group = GroupCommit(database.commit)
        failed = await asyncio.gather(group.add(-1), group.add(1), return_exceptions=True)
        return [*failed, await group.add(2)]

    first, second, later = asyncio.run(run())
    assert isinstance(first, OSError)
    assert isinstance(second, OSError)
    assert later == 20


def test_who_has_gone_before_is_not_begun_and_who_goes_meanwhile_is_written(database: Database) -> None:
    async def run() -> int:
        group = GroupCommit(database.commit, at_once=1)
        first = asyncio.create_task(group.add(1))
        await begun(database)
        waiting = asyncio.create_task(group.add(2))
        staying = asyncio.create_task(group.add(3))
        await asyncio.sleep(0)
        first.cancel()
        waiting.cancel()
        await asyncio.sleep(0)
        database.go.set()
        return await staying

    assert asyncio.run(run()) == 30
    assert database.groups == [[1], [3]]


def test_a_group_has_a_size_and_so_has_the_queue(database: Database) -> None:
    async def run() -> None:
        group = GroupCommit(database.commit, most=2, room=3, at_once=1)
        first = asyncio.create_task(group.add(1))
        await begun(database)
        others = [asyncio.create_task(group.add(item)) for item in (2, 3, 4)]
        await asyncio.sleep(0)
        with pytest.raises(DatabaseUnavailableError, match="3 requests wait"):
            await group.add(5)
        database.go.set()
        await asyncio.gather(first, *others)

    asyncio.run(run())
    assert database.groups == [[1], [2, 3], [4]]
