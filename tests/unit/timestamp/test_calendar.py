"""Calendars of OpenTimestamps: proofs that the library reads, and everything a calendar can do wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import pytest
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from opentimestamps.core.op import OpSHA256
from opentimestamps.core.serialize import BytesDeserializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from evidence_service.egress.http import exchange
from evidence_service.errors import ConfigurationError, MalformedError, MismatchError, UnavailableError
from evidence_service.processes import free_port
from evidence_service.timestamp import calendar
from evidence_service.timestamp.calendar import Calendar, read_proof, submit, upgrade
from tests.calendars import FakeCalendar

HEADER = b'{"format":"evidence-batch/1"}'
NONCE = bytes(range(16))
QUICK = partial(exchange, seconds=0.6)


@pytest.fixture
def fake() -> Iterator[FakeCalendar]:
    running = FakeCalendar()
    yield running
    running.stop()


def read(ots: bytes) -> Timestamp:
    detached = DetachedTimestampFile.deserialize(BytesDeserializationContext(ots))
    assert isinstance(detached.file_hash_op, OpSHA256)
    assert detached.file_digest == hashlib.sha256(HEADER).digest()
    return detached.timestamp


def test_a_proof_is_pending_then_leads_to_a_block(fake: FakeCalendar) -> None:
    place = Calendar(fake.url)
    pending = submit(place, HEADER, nonce=NONCE, send=QUICK)
    assert pending.blocks == ()
    # What the calendar saw says nothing about the header.
    assert fake.digests == [hashlib.sha256(hashlib.sha256(HEADER).digest() + NONCE).digest()]
    assert {item.uri for _, item in read(pending.ots).all_attestations()} == {fake.url}
    assert upgrade(place, pending.ots, send=QUICK) == pending
    fake.height = 800_000
    complete = upgrade(place, pending.ots, send=QUICK)
    assert complete.blocks == (800_000,)
    assert read_proof(complete.ots, HEADER) == complete
    found = [item for _, item in read(complete.ots).all_attestations()]
    assert BitcoinBlockHeaderAttestation(800_000) in found


def test_a_pool_names_its_member_and_nobody_else(fake: FakeCalendar) -> None:
    member = FakeCalendar()
    member.height = 7
    fake.names = member.url
    try:
        with pytest.raises(UnavailableError, match="from an address it may name"):
            submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK)
        pool = Calendar(fake.url, (f"{member.url}/",))
        pending = submit(pool, HEADER, nonce=NONCE, send=QUICK)
        assert upgrade(pool, pending.ots, send=QUICK).blocks == (7,)
        # A calendar that is not named any more is not asked.
        assert upgrade(Calendar(fake.url), pending.ots, send=QUICK) == pending
    finally:
        member.stop()


FAULTS = {
    "HTTP 503": "it answered HTTP 503",
    "HTML with 200": "cannot be read",
    "oversize": "larger than 10000 bytes",
    "bytes after the end": "cannot be read",
    "cut off": "cannot be read",
    "endless nesting": "cannot be read",
    "redirect": "it answered HTTP 302",
    "reply lost": "it cannot be reached",
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_nonsense_is_refused_and_named(fake: FakeCalendar, fault: str, words: str) -> None:
    place = Calendar(fake.url)
    pending = submit(place, HEADER, nonce=NONCE, send=QUICK)
    fake.fault, fake.height = fault, 9
    with pytest.raises(UnavailableError, match=words):
        submit(place, HEADER, nonce=NONCE, send=QUICK)
    with pytest.raises(UnavailableError, match=words):
        upgrade(place, pending.ots, send=QUICK)


def test_an_address_it_may_not_name_is_refused(fake: FakeCalendar) -> None:
    fake.fault = "no attestation it may name"
    with pytest.raises(UnavailableError, match="from an address it may name"):
        submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK)


def test_one_that_is_down(fake: FakeCalendar) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        submit(Calendar(f"http://127.0.0.1:{free_port()}"), HEADER, nonce=NONCE, send=QUICK)


def test_failed_but_landed_a_second_submission_is_harmless(fake: FakeCalendar) -> None:
    fake.fault = "reply lost"
    with pytest.raises(UnavailableError):
        submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK)
    assert len(fake.digests) == 1
    fake.fault = None
    assert submit(Calendar(fake.url), HEADER, nonce=bytes(16), send=QUICK).blocks == ()
    assert len(fake.digests) == 2


def test_a_stored_proof_is_read_strictly(fake: FakeCalendar) -> None:
    ots = submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK).ots
    with pytest.raises(MismatchError, match="over other data"):
        read_proof(ots, b"other")
    for damaged in (b"", ots[:-1], ots + b"\x00", b"\xff" + ots[1:]):
        with pytest.raises(MalformedError, match="cannot be read"):
            read_proof(damaged, HEADER)


def test_without_the_library_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    calendar.require_library()
    monkeypatch.setattr(calendar, "_INSTALLED", False)
    with pytest.raises(ConfigurationError, match="library is not installed"):
        calendar.require_library()
