"""The worker's own engine carries out what upkeep finds: renewals and attestations, from start to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evidence_service.core import bundle
from evidence_service.core.digest import digest_of
from evidence_service.errors import NotFoundError
from evidence_service.service import delete, hold
from evidence_service.service.bundles import assemble
from evidence_service.service.durable import DbosDurable, Engine
from evidence_service.service.tracing import NoTracing
from evidence_service.service.worker import Worker
from evidence_service.store.workers import Start
from evidence_service.timestamp.calendar import Calendar
from tests.authorities import TimedAuthority
from tests.calendars import FakeCalendar
from tests.running import database
from tests.unit.service.installation import MATTER, Clock, add_evidence, add_matter, wire

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def wait_for(what: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_a_running_worker_renews_attests_and_deletes(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory, clock, calendar = tmp_path_factory.mktemp("upkeep"), Clock(START), FakeCalendar()
    signers = [(START - DAY, START + 400 * DAY), (START + 250 * DAY, START + 1500 * DAY)]
    authorities = [
        TimedAuthority(name, directory / name, signers=signers, clock=clock) for name in ("A", "B")
    ]
    try:
        with database(directory) as url:
            parts = wire(url, directory / "objects", [item.authority for item in authorities], clock)
            parts = replace(parts, stamping=replace(parts.stamping, calendars=(Calendar(calendar.url),)))
            add_matter(parts)
            evidence_id, unwanted = add_evidence(parts, 2)
            delete.ask(parts, "rq-1", unwanted, actor="one", reason="over")
            delete.decide(parts, "rq-1", approve=True, actor="another", reason="")
            hold.place(parts, hold.NewHold("h-1", "held", "one", matter_id=MATTER))
            hold.lift(parts, parts.holds.hold("h-1"), actor="one", reason="over")
            parts.batches.finish(str(parts.records.evidence(evidence_id).batch_id))
            clock.moment += 260 * DAY
            lease = parts.workers.begin(Start("upkeep", "host", 1, "0", "1", 1))
            worker = Worker(
                parts, Engine(url, executor="upkeep"), DbosDurable(NoTracing()), lease=lease, captures=1
            )
            worker.start()
            try:
                wait_for(lambda: bool(bundle.parse(assemble(parts, evidence_id))["attestations"]))
                wait_for(lambda: parts.renewals.unfinished() == [])
                wait_for(lambda: parts.requests.request("rq-1").state == "executed")
                wait_for(lambda: parts.holds.unnoted() == [])
            finally:
                worker.stop()
            assert len(bundle.parse(assemble(parts, evidence_id))["renewals"]) == 1
            assert parts.renewals.renewal("renewal-1").state == "recorded"
            assert [item["purpose"] for item in parts.records.custody(evidence_id)][-2:] == [
                "legal hold placed",
                "legal hold lifted",
            ]
            with pytest.raises(NotFoundError):
                parts.objects.check(digest_of(unwanted.encode()).sha256)
    finally:
        calendar.stop()
        for item in authorities:
            item.stop()
