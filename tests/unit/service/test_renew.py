"""Renewal with time that passes: real tokens by authorities whose signers end one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evidence_service.core import bundle, renewal
from evidence_service.core.digest import digest_of
from evidence_service.service import renew
from evidence_service.service.audit import audit
from evidence_service.service.bundles import assemble
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import request_stamps
from evidence_service.timestamp.tsa import Authorities
from evidence_service.verify.report import Check, Status, Verdict
from tests.authorities import TimedAuthority
from tests.digests import enter_digests
from tests.running import database
from tests.unit.service.installation import (
    MATTER,
    Clock,
    Immediate,
    add_evidence,
    add_matter,
    judged,
    wire,
)

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY = timedelta(days=1)
# Certificates of the signers, in days: each next one begins before the last one ends.
SIGNERS = [(-1, 400), (250, 1500), (1350, 3000), (2900, 5000)]
YEARS_LATER = START + 4500 * DAY


@dataclass
class World:
    """A record, its authorities, and the time of day."""

    parts: Parts
    clock: Clock
    authorities: list[TimedAuthority]

    def go(self, day: float) -> None:
        self.clock.moment = START + day * DAY

    def look(self) -> list[str]:
        """One look of the worker, and the attempts it starts."""
        subjects = renew.wanted(self.parts)
        for subject in subjects:
            renew.renew(self.parts, Immediate(), subject)
        return subjects

    def settle(self) -> int:
        """Looks until nothing is left to do."""
        count = 0
        while self.look():
            count += 1
        return count

    def value(self, evidence_id: str) -> dict[str, Any]:
        return bundle.parse(assemble(self.parts, evidence_id))

    def check(self, evidence_id: str, now: datetime = YEARS_LATER) -> Check | None:
        report = judged(self.parts, assemble(self.parts, evidence_id), now)
        return next((item for item in report.checks if item.id == "4.5"), None)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clock = Clock(START)
    directory = tmp_path_factory.mktemp("renew")
    signers = [(START + begin * DAY, START + end * DAY) for begin, end in SIGNERS]
    authorities = [
        TimedAuthority(name, directory / name, signers=signers, clock=clock) for name in ("A", "B")
    ]
    with database(directory) as url:
        parts = wire(url, directory / "objects", [item.authority for item in authorities], clock)
        add_matter(parts)
        yield World(parts, clock, authorities)
    for item in authorities:
        item.stop()


@pytest.fixture
def world(running: World) -> World:
    """At the start, with nothing left from the test before that could become due."""
    running.go(0)
    for item in running.authorities:
        item.fault = None
    with running.parts.records._engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE renewal_members, renewals CASCADE")
        connection.exec_driver_sql("DELETE FROM tokens WHERE stamped = 'renewal'")
        connection.exec_driver_sql("UPDATE evidence SET status = 'sealed' WHERE status = 'anchored'")
    return replace(running)


def weak(world: World) -> None:
    stamping = replace(world.parts.stamping, weak_digests=frozenset({"sha512"}))
    world.parts = replace(world.parts, stamping=stamping)


def stamp_events(world: World, evidence_id: str) -> list[dict[str, Any]]:
    events = world.parts.records.custody(evidence_id)
    return [item for item in events if item["action"] == "stamp" and "renewal" in item["detail"]]


def sound(world: World, *evidence_ids: str) -> None:
    """The audit derives everything again and finds nothing."""
    found = {item.subject_id: item.problems for item in audit(world.parts)}
    assert [found[item] for item in evidence_ids] == [()] * len(evidence_ids)


def test_renewed_before_the_end_it_verifies_years_after_the_first_certificates_end(world: World) -> None:
    first, second = add_evidence(world.parts, 2)
    world.go(200)
    assert world.look() == [], "200 days are left: nothing is due 180 days before the end"
    world.go(260)
    assert world.look() == ["renewal-1 0 20261119"]
    assert world.look() == []
    value = world.value(first)
    [item] = value["renewals"]
    assert item["document"]["kind"] == "timestamp"
    assert item["document"]["size"] == 2
    assert len(item["timestamps"]) == 2
    assert {stamp["revocation"]["status"] for stamp in item["timestamps"]} == {"collected"}
    other = world.value(second)["renewals"][0]
    assert (other["document"], other["timestamps"]) == (item["document"], item["timestamps"])
    assert other["inclusion"] != item["inclusion"]
    for evidence_id in (first, second):
        found = world.check(evidence_id)
        assert found is not None and found.status is Status.PASS
        [event] = stamp_events(world, evidence_id)
        assert event["purpose"] == "renew the time stamps before their certificates end"
        assert event["detail"] == {"renewal": "renewal-1", "kind": "timestamp", "tokens": "2"}
    sound(world, first, second)


def test_renewed_again_and_again(world: World) -> None:
    [evidence_id] = add_evidence(world.parts)
    for day in range(0, 3000, 90):
        world.go(day)
        world.settle()
    assert len(world.value(evidence_id)["renewals"]) == 3
    found = world.check(evidence_id)
    assert found is not None and found.status is Status.PASS, found
    sound(world, evidence_id)


def test_not_renewed_it_says_so_in_words(world: World) -> None:
    [evidence_id] = add_evidence(world.parts)
    assert world.check(evidence_id, START + DAY) is None
    found = world.check(evidence_id)
    assert found is not None and found.status is Status.NOT_CHECKED
    assert "there is no renewal" in found.why


def test_renewed_after_the_end_it_fails(world: World) -> None:
    """The service itself gives such a renewal up; made past it, the verification refuses it."""
    [evidence_id] = add_evidence(world.parts)
    world.go(390)
    for item in world.authorities:
        item.fault = "HTTP 500"
    assert world.look() == ["renewal-1 0 20270329"]
    world.go(410)
    for item in world.authorities:
        item.fault = None
    stale = world.parts.renewals.renewal("renewal-1")
    world.look()
    assert world.parts.renewals.renewal("renewal-1").state == "missed"
    assert world.value(evidence_id)["renewals"] == []
    assert "too late for 0 pieces of evidence and 1 renewals" in renew.outlook(world.parts)

    tokens = world.parts.stamping.authorities.stamp(
        renewal.stamped_digest(stale.document or b"", "timestamp"), nonce=lambda: 7, now=world.clock
    )
    world.parts.records.add_tokens("renewal", "renewal-1", tokens.tokens)
    with world.parts.records._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE renewals SET state = 'stamped'")
    found = world.check(evidence_id)
    assert found is not None and found.status is Status.FAIL
    assert judged(world.parts, assemble(world.parts, evidence_id), YEARS_LATER).verdict is Verdict.UNTRUSTED


def test_what_ended_unnoticed_is_not_renewed_and_counted(world: World) -> None:
    add_evidence(world.parts)
    world.go(410)
    assert world.look() == []
    assert "too late for 1 pieces of evidence" in renew.outlook(world.parts)


def test_hash_tree_renewal(world: World) -> None:
    evidence_ids = add_evidence(world.parts, 3)
    world.go(1)
    assert world.look() == []
    weak(world)
    # While there is time, only certificates count that are not due again at once.
    assert world.look() == ["renewal-1 0 20260305"]
    assert "too early" not in str(world.parts.renewals.renewal("renewal-1").waiting_for)
    [item] = world.value(evidence_ids[0])["renewals"]
    assert (item["document"]["kind"], item["document"]["suite"]) == ("hash_tree", "sha3-256-rfc9162")
    assert world.look() == [], "what has one is not due until its certificates end"
    # Its own certificates end as well: the next one is of the same kind while the setting stands.
    world.go(260)
    assert len(world.look()) == 1
    kinds = [one["document"]["kind"] for one in world.value(evidence_ids[0])["renewals"]]
    assert kinds == ["hash_tree", "hash_tree"]
    for evidence_id in evidence_ids:
        found = world.check(evidence_id)
        assert found is not None and found.status is Status.PASS, found
        assert [event["detail"]["kind"] for event in stamp_events(world, evidence_id)] == kinds
    sound(world, *evidence_ids)


def test_a_hash_tree_renewal_follows_a_time_stamp_renewal(world: World) -> None:
    [evidence_id] = add_evidence(world.parts)
    world.go(260)
    world.settle()
    weak(world)
    world.go(300)
    world.settle()
    kinds = [one["document"]["kind"] for one in world.value(evidence_id)["renewals"]]
    assert kinds == ["timestamp", "hash_tree"]
    found = world.check(evidence_id)
    assert found is not None and found.status is Status.PASS, found
    sound(world, evidence_id)


def add_digests(world: World, count: int = 1) -> list[str]:
    """Digests in a stamped batch, beside evidence with time stamps of its own."""
    parts = world.parts
    digests = [digest_of(b"%d" % number) for number in range(count)]
    found = enter_digests(parts.records._engine, parts.records.matter(MATTER), digests, now=parts.now())
    add_evidence(parts)
    for evidence_id in found:
        assert parts.records.tokens("manifest", evidence_id) == []
        parts.records.advance(evidence_id, "anchored")
    return found


def test_a_digest_is_renewed_before_the_time_stamps_of_its_batch_end(world: World) -> None:
    first, second = add_digests(world, 2)
    world.go(200)
    assert world.look() == []
    world.go(260)
    assert world.look() == ["renewal-1 0 20261119"]
    assert len(world.parts.renewals.members("renewal-1")) == 3
    assert world.look() == [], "once"
    weak(world)
    world.go(1400)
    world.settle()
    for evidence_id in (first, second):
        value = world.value(evidence_id)
        assert [item["of"] for item in value["timestamps"]] == ["batch_header"] * 2
        assert [item["document"]["kind"] for item in value["renewals"]] == ["timestamp", "hash_tree"]
        found = world.check(evidence_id)
        assert found is not None and found.status is Status.PASS, found
    # Nothing of its files is here, and the audit misses nothing.
    sound(world, first, second)


def test_a_digest_with_time_stamps_of_its_own_is_renewed_for_these(world: World) -> None:
    [evidence_id] = add_digests(world)
    parts = world.parts
    world.go(300)
    manifest = parts.records.evidence(evidence_id).manifest or b""
    request_stamps(parts, "manifest", evidence_id, manifest)
    assert world.look() == ["renewal-1 0 20261229"]
    assert evidence_id not in [item.evidence_id for item in parts.renewals.members("renewal-1")]


def test_a_digest_that_was_not_renewed_says_so(world: World) -> None:
    [evidence_id] = add_digests(world)
    found = world.check(evidence_id)
    assert found is not None and found.status is Status.NOT_CHECKED
    world.go(410)
    assert world.look() == []
    assert "too late for 2 pieces of evidence" in renew.outlook(world.parts)


def test_many_are_grouped_up_to_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renew, "GROUP", 2)
    evidence_ids = add_evidence(world.parts, 3)
    world.go(260)
    assert world.settle() == 2
    sizes = [world.value(item)["renewals"][0]["document"]["size"] for item in evidence_ids]
    assert sorted(sizes) == [1, 2, 2]
    for evidence_id in evidence_ids:
        found = world.check(evidence_id)
        assert found is not None and found.status is Status.PASS


def test_without_later_certificates_it_waits_and_says_why(world: World) -> None:
    [evidence_id] = add_evidence(world.parts)
    world.go(240)
    world.look()
    item = world.parts.renewals.renewal("renewal-1")
    assert item.state == "built"
    assert "0 of 2 required" in str(item.waiting_for) and "too early" in str(item.waiting_for)
    with pytest.raises(Exception, match=r"renewals wait: renewal-1"):
        renew.outlook(world.parts)
    assert world.look() == [], "the next attempt has its time"
    world.go(255)
    assert world.look() == ["renewal-1 1 20261114"]
    found = world.check(evidence_id)
    assert found is not None and found.status is Status.PASS
    assert world.parts.renewals.renewal("renewal-1").waiting_for is None


def test_shortly_before_the_end_any_later_certificate_will_do() -> None:
    """Better a short extension than none: the long-lived certificates may come later."""
    ends = START + 400 * DAY
    assert renew.ends_after(ends, START + 300 * DAY, 180 * DAY) == START + 480 * DAY
    assert renew.ends_after(ends, START + 311 * DAY, 180 * DAY) == ends


def test_a_change_of_what_was_renewed_is_noticed(world: World) -> None:
    [evidence_id] = add_evidence(world.parts)
    world.go(260)
    world.settle()
    sound(world, evidence_id)
    with world.parts.records._engine.begin() as connection:
        connection.exec_driver_sql(
            """UPDATE tokens SET revocation = '{"status": "absent", "why": "edited"}' """
            f"WHERE stamped = 'manifest' AND subject_id = '{evidence_id}'"
        )
    [item] = [item for item in audit(world.parts) if item.subject_id == evidence_id]
    assert "4.5 what renewal-1 covers has changed since it was renewed" in item.problems


def test_damaged_evidence_holds_up_nothing_else(world: World) -> None:
    first, second, third = add_evidence(world.parts, 3)
    with world.parts.records._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE evidence SET manifest = '{{}}' WHERE id = '{second}'")
    world.go(260)
    world.look()
    for evidence_id in (first, third):
        found = world.check(evidence_id)
        assert found is not None and found.status is Status.PASS, found
        assert world.value(evidence_id)["renewals"][0]["document"]["size"] == 2
    world.look()
    apart = world.parts.renewals.renewal("renewal-2")
    assert (apart.state, apart.attempt) == ("open", 1)
    assert second in str(apart.waiting_for)
    assert world.look() == []


def test_who_refused_is_on_the_record(world: World) -> None:
    first, second = world.authorities
    authorities = [first.authority, replace(first.authority, name="A again"), second.authority]
    first.fault = "rejection"
    stamping = replace(world.parts.stamping, authorities=Authorities(authorities, minimum=1))
    world.parts = replace(world.parts, stamping=stamping)
    [evidence_id] = add_evidence(world.parts)
    assert [token.authority for token in world.parts.records.tokens("manifest", evidence_id)] == ["B"]
    refused = world.parts.records.refusals("manifest", evidence_id)
    assert list(refused) == ["A", "A again"]
    [event] = [item for item in world.parts.records.custody(evidence_id) if item["action"] == "stamp"]
    assert event["detail"]["tokens"] == "1"
    assert event["detail"]["refused"].count("it refused with status rejection") == 2


def test_a_lost_tree_is_made_again(world: World) -> None:
    evidence_ids = add_evidence(world.parts, 3)
    world.go(260)
    world.settle()
    before = [assemble(world.parts, item) for item in evidence_ids]
    [tree] = (world.parts.renewals._trees._directory).glob("renewal-1")
    for damage in (tree.unlink, lambda: (tree.chmod(0o600), tree.write_bytes(bytes(tree.stat().st_size)))):
        damage()
        assert [assemble(world.parts, item) for item in evidence_ids] == before
        assert any(tree.read_bytes())


def test_the_document_is_what_was_stamped(world: World) -> None:
    [evidence_id] = add_evidence(world.parts)
    world.go(260)
    world.settle()
    stored = world.parts.renewals.renewal("renewal-1").document or b""
    assert json.loads(stored) == world.value(evidence_id)["renewals"][0]["document"]
