"""Attestations by a calendar: beside the time stamps, hours later, never waited for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from evidence_service.core import bundle
from evidence_service.egress.http import exchange
from evidence_service.service import attest
from evidence_service.service.audit import audit
from evidence_service.service.bundles import assemble
from evidence_service.service.parts import Parts
from evidence_service.service.upkeep import PAUSE, Pace, wanted
from evidence_service.store.attestations import Attestation
from evidence_service.timestamp.calendar import Calendar, read_proof
from evidence_service.verify.report import Status
from tests.authorities import TimedAuthority
from tests.calendars import FakeCalendar
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
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAY = 24 * HOUR


@dataclass
class World:
    """A record whose batches a calendar attests."""

    parts: Parts
    clock: Clock
    calendar: FakeCalendar
    evidence_id: str = ""

    def look(self) -> int:
        """One look of the worker and its attempts; how many there were."""
        subjects = attest.wanted(self.parts)
        for subject in subjects:
            attest.attest(self.parts, Immediate(), subject)
        return len(subjects)

    @property
    def batch_id(self) -> str:
        return str(self.parts.records.evidence(self.evidence_id).batch_id)

    @property
    def item(self) -> Attestation:
        return self.parts.attestations.attestation(self.batch_id, self.calendar.url)

    def value(self) -> dict[str, Any]:
        return bundle.parse(assemble(self.parts, self.evidence_id))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Parts, Clock]]:
    directory, clock = tmp_path_factory.mktemp("attest"), Clock(START)
    authorities = [
        TimedAuthority(name, directory / name, signers=[(START - DAY, START + 900 * DAY)], clock=clock)
        for name in ("A", "B")
    ]
    with database(directory) as url:
        parts = wire(url, directory / "objects", [item.authority for item in authorities], clock)
        add_matter(parts)
        yield parts, clock
    for item in authorities:
        item.stop()


@pytest.fixture
def world(record: tuple[Parts, Clock], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    parts, clock = record
    monkeypatch.setattr(
        attest, "ask_calendar", partial(attest.ask_calendar, send=partial(exchange, seconds=1))
    )
    calendar = FakeCalendar()
    clock.moment = START
    with parts.records._engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE evidence, batches, tokens CASCADE")
    [evidence_id] = add_evidence(parts)
    stamping = replace(parts.stamping, calendars=(Calendar(calendar.url),))
    yield World(replace(parts, stamping=stamping), clock, calendar, evidence_id)
    calendar.stop()


def test_without_a_calendar_nothing_is_asked(world: World) -> None:
    world.parts = replace(world.parts, stamping=replace(world.parts.stamping, calendars=()))
    assert world.look() == 0
    assert world.value()["attestations"] == []


def test_it_is_pending_then_complete_and_in_the_bundle(world: World) -> None:
    assert world.look() == 1
    assert world.item.state == "pending"
    [pending] = world.value()["attestations"]
    header = world.parts.batches.batch(world.batch_id).header
    assert read_proof(base64.b64decode(pending["proof"]), header).blocks == ()
    assert world.look() == 0, "it is not asked again at once"
    world.clock.moment += HOUR
    assert world.look() == 1
    assert world.item.state == "pending"
    world.calendar.height = 800_000
    world.clock.moment += HOUR
    assert world.look() == 1
    assert world.item.state == "complete"
    world.clock.moment += 100 * DAY
    assert world.look() == 0
    [complete] = world.value()["attestations"]
    assert (complete["kind"], complete["of"]) == ("opentimestamps", "batch_header")
    assert read_proof(base64.b64decode(complete["proof"]), header).blocks == (800_000,)
    report = judged(world.parts, assemble(world.parts, world.evidence_id), START + HOUR)
    assert next(item for item in report.checks if item.id == "4.6").status is Status.NOT_CHECKED
    assert len(world.calendar.digests) == 1
    assert [item.problems for item in audit(world.parts) if item.subject_id == world.evidence_id] == [()]


def test_a_calendar_that_is_away_is_asked_again_later_and_later(world: World) -> None:
    world.calendar.fault = "HTTP 503"
    pauses = []
    for _ in range(12):
        assert world.look() == 1
        assert world.item.next_at is not None
        pauses.append(world.item.next_at - world.clock.moment)
        world.clock.moment = world.item.next_at
    assert pauses[:4] == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]
    assert pauses[-1] == 6 * HOUR
    assert str(world.item.waiting_for).endswith("it answered HTTP 503")
    assert world.value()["attestations"] == []
    world.calendar.fault = None
    assert world.look() == 1
    assert (world.item.state, world.item.waiting_for) == ("pending", None)


def test_failed_but_landed_it_is_submitted_once_more(world: World) -> None:
    world.calendar.fault = "reply lost"
    assert world.look() == 1
    assert (world.item.state, len(world.calendar.digests)) == ("wanted", 1)
    world.calendar.fault = None
    world.clock.moment += MINUTE
    assert world.look() == 1
    assert (world.item.state, len(world.calendar.digests)) == ("pending", 2)


def test_killed_before_it_was_written_down_it_is_asked_once_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As SIGKILL ends the process here."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(world.parts.attestations, "keep", die)
        with pytest.raises(Killed):
            world.look()
    assert (world.item.state, world.item.attempt) == ("wanted", 0)
    assert world.look() == 1
    assert (world.item.state, world.item.attempt) == ("pending", 1)


def test_an_attempt_that_was_done_is_not_done_again(world: World) -> None:
    [subject] = attest.wanted(world.parts)
    for _ in range(2):
        attest.attest(world.parts, Immediate(), subject)
    assert len(world.calendar.digests) == 1


def test_a_calendar_that_is_not_configured_any_more_says_so(world: World) -> None:
    [subject] = attest.wanted(world.parts)
    world.parts = replace(world.parts, stamping=replace(world.parts.stamping, calendars=()))
    attest.attest(world.parts, Immediate(), subject)
    assert "not configured any more" in str(world.item.waiting_for)


def test_a_changed_proof_is_noticed(world: World) -> None:
    world.look()
    with world.parts.records._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attestations SET proof = set_byte(proof, 40, 1)")
    [found] = [item for item in audit(world.parts) if item.subject_id == world.evidence_id]
    assert "the OpenTimestamps proof" in found.problems[0]


def test_what_to_expect_in_words(world: World) -> None:
    attest.wanted(world.parts)
    assert attest.expectation(world.item, world.clock()) == "not submitted yet"
    world.look()
    words = attest.expectation(world.item, world.clock() + 2 * HOUR)
    assert words == "pending since 2 h, usually complete within 3 to 12 hours"
    assert "later than usual" in attest.expectation(world.item, world.clock() + 20 * HOUR)
    world.calendar.height = 1
    world.clock.moment += HOUR
    world.look()
    assert attest.expectation(world.item, world.clock()).startswith("complete")
    assert world.parts.attestations.counts() == {"complete": 1}


def test_upkeep_looks_now_and_then(world: World) -> None:
    seconds = [0.0]
    pace = Pace(clock=lambda: seconds[0])
    assert [pace.due(), pace.due()] == [True, False]
    seconds[0] += PAUSE
    assert pace.due()
    assert dict(wanted(world.parts))["attest"] != []
