"""Seals are extended before they end: both files stay, and whatever fails leaves the register as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.certificate.sealing import Sealed
from evidence_service.certificate.sealing.archive import ends_at
from evidence_service.config import Settings
from evidence_service.errors import (
    AuthorityUnavailableError,
    ConflictError,
    DatabaseUnavailableError,
    EvidenceServiceError,
    MismatchError,
    PolicyRefusedError,
    StorageUnavailableError,
)
from evidence_service.service import extend as extending
from evidence_service.service.extend import due, extend, extend_due, outlook, wanted
from evidence_service.service.parts import Parts
from evidence_service.service.register_digest import digest_evidence_id
from evidence_service.store.certificate_orders import NewOrder
from evidence_service.store.certificates import Certificates
from evidence_service.store.objects import LocalObjects
from evidence_service.verify.steps.seal import expected_attachments
from tests.forgeries.keys import Authority, authority, later
from tests.forgeries.renewing import until
from tests.forgeries.world import FIRST, World, built, plain, usual_value
from tests.running import empty
from tests.sealing import published_by, sealed_at
from tests.unit.service.installation import Clock, Immediate, add_matter
from tests.writes import failing

YEAR = timedelta(days=365)


class Stamping:
    """Stands in for the configured authorities: one of them, at the time of the clock."""

    def __init__(self, maker: Authority, clock: Clock) -> None:
        self.maker = maker
        self.clock = clock
        self.error: EvidenceServiceError | None = None
        self.asked = 0
        self.lasting: Any = None

    def stamp(self, digest: bytes, **wanted: Any) -> Any:
        self.asked += 1
        self.lasting = wanted["ends_after"]
        if self.error is not None:
            raise self.error
        return SimpleNamespace(tokens=[SimpleNamespace(der=self.maker.token(digest, self.clock()))])


@dataclass
class Installation:
    parts: Parts
    clock: Clock
    stamping: Stamping
    number: str
    evidence_id: str

    @property
    def register(self) -> Certificates:
        return self.parts.certificates

    def stood(self) -> tuple[Any, ...]:
        """What must not move when an extension fails."""
        found = self.register.certificate(self.number)
        return found.sha256, found.level, self.register.pdfs(self.number), self.register.history(self.number)

    def look(self) -> list[str]:
        """One look of the worker, and the attempts it starts."""
        subjects = wanted(self.parts)
        for subject in subjects:
            extend_due(self.parts, Immediate(), subject)
        return subjects

    def extensions(self) -> list[dict[str, Any]]:
        events = self.parts.records.custody(self.evidence_id)
        return [item for item in events if item["purpose"].startswith("extend the seal")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def released(world: World) -> bytes:
    """A certificate of level B-LTA whose archive time stamp ends after a year."""
    first = until(FIRST, "p256", "sha256", YEAR)
    data = built(json.loads(usual_value()))
    attachments = {"bundle.json": data, **expected_attachments(json.loads(data))}
    return sealed_at(
        plain(attachments),
        world.issuer.key,
        "PAdES B-LTA",
        world.issuer.root,
        first.root,
        stamps=[(first, later()), (first, later(seconds=1))],
    )


@pytest.fixture
def installed(
    engine: Engine, tmp_path: Path, world: World, released: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    empty(engine)
    clock = Clock(later(minutes=10))
    stamping = Stamping(authority(FIRST), clock)
    trust = tmp_path / "trust.json"
    trust.write_bytes(world.trust(json.loads(usual_value())))
    parts = bootstrap.parts(Settings(data_directory=tmp_path / "data"), engine)

    def published(path: Any, *, timestamping: bool, at: Any = None) -> Any:
        collect = published_by(world.issuer.root, authority(FIRST).root, at=clock())
        return collect(path, timestamping=timestamping)

    parts = replace(
        parts,
        now=clock,
        stamping=replace(parts.stamping, authorities=stamping),
        issuing=replace(parts.issuing, revocation=published, trust_file=trust),
    )
    # The trust file's checkpoints stand in for nodes.
    monkeypatch.setattr(Parts, "rpc_urls", lambda _: ())
    add_matter(parts)
    number = _release(parts, released)
    yield Installation(parts, clock, stamping, number, "evidence-1")


def _release(parts: Parts, pdf: bytes) -> str:
    parts.records.add_evidence(
        evidence_id="evidence-1",
        matter_id="m-1",
        kind="upload",
        url=None,
        operator="agent",
        certificate_wanted=True,
        created_at=parts.now(),
    )
    parts.records.advance("evidence-1", "anchored")
    parts.certificates.place(NewOrder("co-1", "evidence-1", "generic:en+zh", "agent", parts.now()))
    number = parts.certificates.reserve("co-1", prefix="EP", now=parts.now()).number
    parts.certificates.release(
        "co-1",
        sha256=parts.objects.put_bytes(pdf).sha256,
        level="PAdES B-LTA",
        ends_at=ends_at(pdf),
        qualifications=[],
        now=parts.now(),
    )
    return number


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the separate process, where a test is about something else."""
    verdict = {"verdict": "evidence", "evidence": {"seal": {"level": "PAdES B-LTA"}}}
    monkeypatch.setattr(extending, "judged_outside", lambda *_, **__: verdict)


def test_a_seal_is_extended_in_time_by_the_worker_and_both_files_stay(installed: Installation) -> None:
    assert installed.look() == []
    installed.clock.moment = later(days=365 - 180)
    assert installed.look() == [f"{installed.number} 1 20260905"]
    assert installed.stamping.lasting == later(days=365), "of an authority that lasts until it is due again"
    first, second = installed.register.pdfs(installed.number)
    old, new = (installed.parts.objects.read(item.sha256) for item in (first, second))
    assert new.startswith(old) and len(new) > len(old)
    assert (second.level, second.ends_at) == ("PAdES B-LTA", ends_at(new))
    found = installed.register.certificate(installed.number)
    assert (found.sha256, found.status, found.waiting_for) == (second.sha256, "released", None)
    [event] = installed.extensions()
    assert (event["action"], event["before"], event["after"]) == (
        "stamp",
        first.sha256.hex(),
        second.sha256.hex(),
    )
    kinds = {
        installed.parts.records.evidence(digest_evidence_id(item.sha256)).kind for item in (first, second)
    }
    assert kinds == {"digest"}, "each file's digest becomes evidence"
    assert installed.look() == [], "the new time stamp lasts"
    assert due(installed.parts) == []
    assert outlook(installed.parts) == "0 certificates due to be extended, too late for 0"


@pytest.mark.usefixtures("unjudged")
def test_what_is_unavailable_is_noted_and_tried_again_the_next_day(installed: Installation) -> None:
    installed.clock.moment = later(days=300)
    before = installed.stood()
    installed.stamping.error = AuthorityUnavailableError("TSA does not answer", what_to_do="start it")
    first = installed.look()
    assert installed.stood() == before
    words = installed.register.certificate(installed.number).waiting_for
    assert words == "TSA does not answer (start it)"
    with pytest.raises(PolicyRefusedError, match=f"{installed.number}: TSA does not answer"):
        outlook(installed.parts)
    assert wanted(installed.parts) == first, "the same attempt on the same day"
    installed.clock.moment += timedelta(days=1)
    installed.stamping.error = None
    assert installed.look() != first
    assert len(installed.register.pdfs(installed.number)) == 2
    assert installed.register.certificate(installed.number).waiting_for is None


@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize(
    ("kind", "write", "error"),
    [
        (LocalObjects, "put_bytes", StorageUnavailableError("the disk is full")),
        (Certificates, "add_pdf", DatabaseUnavailableError("the answer was lost")),
        (Certificates, "noted", DatabaseUnavailableError("the answer was lost")),
    ],
)
def test_each_write_may_fail_or_land_without_its_answer(
    installed: Installation,
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    write: str,
    error: EvidenceServiceError,
    landed: bool,
) -> None:
    installed.clock.moment = later(days=300)
    with (
        failing(monkeypatch, kind, write, error, landed=landed),
        pytest.raises(type(error)),
    ):
        extend(installed.parts, installed.number, 1)
    stamps = installed.stamping.asked
    done = len(installed.register.pdfs(installed.number)) == 2
    assert done == (write == "noted" or (write == "add_pdf" and landed))
    extend(installed.parts, installed.number, 1)
    assert len(installed.register.pdfs(installed.number)) == 2, "once, however often it is repeated"
    assert installed.stamping.asked == stamps + (0 if done else 1)
    assert len(installed.extensions()) == 1
    assert not installed.register.certificate(installed.number).unnoted
    extend(installed.parts, installed.number, 1)
    assert len(installed.register.pdfs(installed.number)) == 2
    extend(installed.parts, installed.number, 2)
    assert len(installed.register.pdfs(installed.number)) == 3, "and again where that is asked for"


@pytest.mark.usefixtures("unjudged")
def test_of_two_at_once_one_is_released(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    original = extending._extended

    def overtaken(parts: Parts, newest: Any) -> Any:
        made = original(parts, newest)
        if len(parts.certificates.pdfs(newest.number)) == 1:
            parts.certificates.add_pdf(original(parts, newest))
        return made

    monkeypatch.setattr(extending, "_extended", overtaken)
    extend(installed.parts, installed.number)
    assert [item.sequence for item in installed.register.pdfs(installed.number)] == [1, 2]
    assert len(installed.extensions()) == 1


@pytest.mark.parametrize(
    ("verdicts", "level", "words"),
    [
        (("evidence", "demonstration"), "PAdES B-LTA", "judged as demonstration, before as evidence"),
        (("evidence", "evidence"), "PAdES B-LT", "says PAdES B-LTA, its seal reached PAdES B-LT"),
    ],
)
def test_what_the_separate_process_does_not_find_the_same_is_not_released(
    installed: Installation,
    monkeypatch: pytest.MonkeyPatch,
    verdicts: tuple[str, str],
    level: str,
    words: str,
) -> None:
    answers = iter({"verdict": item, "evidence": {"seal": {"level": level}}} for item in verdicts)
    monkeypatch.setattr(extending, "judged_outside", lambda *_, **__: next(answers))
    before = installed.stood()
    with pytest.raises(MismatchError, match=words):
        extend(installed.parts, installed.number)
    assert installed.stood() == before


def test_an_extension_that_is_no_continuation_is_not_released(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        extending.sealing, "extend", lambda pdf, **_: Sealed(pdf[:-1] + b"x" + pdf, "PAdES B-LTA")
    )
    before = installed.stood()
    with pytest.raises(MismatchError, match="does not begin with what was released"):
        extend(installed.parts, installed.number)
    assert installed.stood() == before


@pytest.mark.usefixtures("unjudged")
def test_too_late_is_said_and_changes_nothing(installed: Installation) -> None:
    installed.clock.moment = later(days=366)
    before = installed.stood()
    installed.look()
    assert installed.stood() == before
    assert "too late to extend it" in str(installed.register.certificate(installed.number).waiting_for)
    with pytest.raises(PolicyRefusedError, match="seals wait to be extended"):
        outlook(installed.parts)


def test_what_is_not_current_is_not_extended(installed: Installation) -> None:
    installed.clock.moment = later(days=300)
    installed.register.withdraw(installed.number, reason="x", actor="agent", now=installed.clock())
    assert wanted(installed.parts) == []
    with pytest.raises(ConflictError, match="is withdrawn: its seal is not extended"):
        extend(installed.parts, installed.number)
    assert installed.stamping.asked == 0
