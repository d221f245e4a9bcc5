"""A renewal killed with SIGKILL before and after each of its effects, a process for each: none is lost or doubled."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from evidence_service.core import bundle
from evidence_service.service import renew
from evidence_service.service.audit import audit
from evidence_service.service.bundles import assemble
from evidence_service.service.parts import Parts
from evidence_service.store.records import Records
from evidence_service.store.renewals import Renewals
from evidence_service.store.trees import TreeFiles
from evidence_service.timestamp.tsa import Authorities, Authority
from evidence_service.verify.report import Status
from tests.authorities import TimedAuthority
from tests.running import database
from tests.unit.service.installation import (
    Clock,
    Immediate,
    add_evidence,
    add_matter,
    judged,
    wire,
)

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY = timedelta(days=1)
_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["tests.faults.test_renewal_kills"])

# Effect: class, method, and which of its calls: the how manieth of its process, or the one with this argument.
EFFECTS: dict[str, tuple[type, str, int | str]] = {
    "members grouped": (Renewals, "open_due", 1),
    "tree written": (TreeFiles, "put", 1),
    "document committed": (Renewals, "build", 1),
    "authorities asked": (Authorities, "stamp", 1),
    "tokens committed": (Records, "add_tokens", 1),
    "stamped": (Renewals, "advance", "stamped"),
    "first custody event": (Records, "append_custody", 1),
    "second custody event": (Records, "append_custody", 2),
    "recorded": (Renewals, "advance", "recorded"),
}
Death = tuple[str, str]
"""An effect, and whether its process dies before or after it."""


def dying(effect: str, deaths: Collection[Death], told: Connection) -> None:
    """Let this process die around an effect, and tell which death it was."""
    owner, name, which = EFFECTS[effect]
    method = getattr(owner, name)
    calls: list[int] = []

    def die(moment: str, args: tuple[Any, ...]) -> None:
        if (which == len(calls) or which in args) and (effect, moment) in deaths:
            told.send((effect, moment))
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        die("before", args)
        result = method(*args, **kwargs)
        die("after", args)
        return result

    setattr(owner, name, watched)


def work(
    url: str,
    directory: Path,
    authorities: list[Authority],
    now: datetime,
    deaths: Collection[Death],
    told: Connection,
) -> None:
    """A worker's look and the attempts it starts, in a process that dies at the first death it comes to."""
    for effect in EFFECTS:
        dying(effect, deaths, told)
    look(wire(url, directory, authorities, Clock(now)))


def look(parts: Parts) -> None:
    for subject in renew.wanted(parts):
        renew.renew(parts, Immediate(), subject)


@dataclass
class World:
    url: str
    directory: Path
    authorities: list[TimedAuthority]
    clock: Clock
    parts: Parts


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = Clock(START)
    signers = [(START - DAY, START + 400 * DAY), (START + 250 * DAY, START + 1500 * DAY)]
    authorities = [TimedAuthority(name, tmp_path / name, signers=signers, clock=clock) for name in ("A", "B")]
    with database(tmp_path) as url:
        parts = wire(url, tmp_path / "objects", [item.authority for item in authorities], clock)
        add_matter(parts)
        yield World(url, tmp_path / "objects", authorities, clock, parts)
    for item in authorities:
        item.stop()


def killed(world: World, deaths: Collection[Death]) -> Death:
    """The death of a new process."""
    told, ours = _forkserver.Pipe(duplex=False)
    authorities = [item.authority for item in world.authorities]
    process = _forkserver.Process(
        target=work, args=(world.url, world.directory, authorities, world.clock.moment, deaths, ours)
    )
    process.start()
    ours.close()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"never came to {deaths}"
    with told:
        death: Death = told.recv()
    return death


def test_killed_at_every_effect_it_goes_on(world: World) -> None:
    world.clock.moment = START
    evidence_ids = add_evidence(world.parts, 2)
    world.clock.moment = START + 260 * DAY
    deaths = {(effect, moment) for effect in EFFECTS for moment in ("before", "after")}
    while deaths:
        deaths.remove(killed(world, deaths))
    look(world.parts)

    documents = set()
    for evidence_id in evidence_ids:
        data = assemble(world.parts, evidence_id)
        [item] = bundle.parse(data)["renewals"]
        assert item["document"]["size"] == 2, "both are in one renewal"
        assert len(item["timestamps"]) == 2
        documents.add(item["document"]["root"])
        events = world.parts.records.custody(evidence_id)
        assert [event["action"] for event in events].count("stamp") == 2, "the first stamp and one renewal"
        report = judged(world.parts, data, START + 1000 * DAY)
        assert next(check for check in report.checks if check.id == "4.5").status is Status.PASS
    assert len(documents) == 1
    assert renew.wanted(world.parts) == []
    problems = {item.subject_id: item.problems for item in audit(world.parts)}
    assert [problems[item] for item in evidence_ids] == [(), ()]
