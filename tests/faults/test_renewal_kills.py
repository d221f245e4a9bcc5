"""A renewal killed with SIGKILL before and after each of its effects: nothing is lost, nothing is doubled."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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

# Effect: class, method, and which of its calls.
EFFECTS: dict[str, tuple[type, str, int]] = {
    "members grouped": (Renewals, "open_due", 1),
    "tree written": (TreeFiles, "put", 1),
    "document committed": (Renewals, "build", 1),
    "authorities asked": (Authorities, "stamp", 1),
    "tokens committed": (Records, "add_tokens", 1),
    "stamped": (Renewals, "advance", 1),
    "first custody event": (Records, "append_custody", 1),
    "second custody event": (Records, "append_custody", 2),
    "recorded": (Renewals, "advance", 2),
}


def dying(method: Callable[..., Any], call: int, moment: str) -> Callable[..., Any]:
    """The method, which kills its process before or after its effect the n-th time."""
    seen: list[int] = []

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(1)
        if (len(seen), moment) == (call, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(*args, **kwargs)
        if (len(seen), moment) == (call, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return watched


def work(
    url: str, directory: Path, authorities: list[Authority], now: datetime, effect: str, moment: str
) -> None:
    """A worker's look and the attempts it starts, in a process that dies on the way."""
    owner, name, call = EFFECTS[effect]
    setattr(owner, name, dying(getattr(owner, name), call, moment))
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


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("kills")
    clock = Clock(START)
    signers = [(START - DAY, START + 400 * DAY), (START + 250 * DAY, START + 1500 * DAY)]
    authorities = [
        TimedAuthority(name, directory / name, signers=signers, clock=clock) for name in ("A", "B")
    ]
    with database(directory) as url:
        parts = wire(url, directory / "objects", [item.authority for item in authorities], clock)
        add_matter(parts)
        yield World(url, directory / "objects", authorities, clock, parts)
    for item in authorities:
        item.stop()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_killed_there_it_goes_on(world: World, effect: str, moment: str) -> None:
    world.clock.moment = START
    evidence_ids = add_evidence(world.parts, 2)
    world.clock.moment = START + 260 * DAY
    process = _forkserver.Process(
        target=work,
        args=(
            world.url,
            world.directory,
            [item.authority for item in world.authorities],
            world.clock.moment,
            effect,
            moment,
        ),
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, "the boundary was never reached"
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
