"""The step that issues: whichever of its writes fails, or lands without its answer, one certificate comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from evidence_service.certificate.sealing import Sealed
from evidence_service.cli.client import refused
from evidence_service.errors import (
    ConflictError,
    DatabaseUnavailableError,
    EvidenceServiceError,
    MismatchError,
    StorageUnavailableError,
)
from evidence_service.service import certify
from evidence_service.service.parts import Parts
from evidence_service.store.certificate_orders import NewOrder
from evidence_service.store.certificates import Certificates
from evidence_service.store.objects import LocalObjects
from tests.unit.api.certificates import GENERIC, anchored, issued
from tests.unit.api.conftest import Service
from tests.unit.service.test_rules import report
from tests.writes import failing


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Numbers of the PDFs that were made; judging and rendering are tested elsewhere."""
    numbers: list[str] = []

    def make(parts: Parts, certificate: Any, *_: Any) -> Sealed:
        numbers.append(certificate.number)
        # A seal has a time stamp of its own: made again, it is another file.
        return Sealed(f"{certificate.number} {len(numbers)}".encode(), "PAdES B-T")

    monkeypatch.setattr(certify, "examine_bundle", lambda *_: report(demonstration=True))
    monkeypatch.setattr(certify, "_make", make)
    monkeypatch.setattr(certify, "check_finished", lambda *_, **__: None)
    monkeypatch.setattr(certify, "ends_at", lambda _: None)
    monkeypatch.setattr(Parts, "rpc_urls", lambda _: ())
    return numbers


def ordered(service: Service, **more: Any) -> str:
    evidence_id = more.pop("evidence_id", None) or anchored(service)
    new = NewOrder("co-1", evidence_id, GENERIC, "agent", service.clock(), **more)
    return service.parts.certificates.place(new).id


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize(
    ("kind", "write", "error"),
    [
        (Certificates, "reserve", DatabaseUnavailableError("the answer was lost")),
        (LocalObjects, "put_bytes", StorageUnavailableError("the disk is full")),
        (Certificates, "release", DatabaseUnavailableError("the answer was lost")),
    ],
)
def test_each_write_may_fail_or_land_without_its_answer(
    service: Service,
    made: list[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    write: str,
    error: EvidenceServiceError,
    landed: bool,
) -> None:
    order_id = ordered(service)
    register = service.parts.certificates
    with (
        failing(monkeypatch, kind, write, error, landed=landed),
        pytest.raises(type(error)),
    ):
        certify.issue(service.parts, order_id)
    service.clock.forward(60)
    certify.issue(service.parts, order_id)
    certify.issue(service.parts, order_id)
    [found] = register.find()
    assert (found.number, found.status) == ("EP-2026-000001", "released")
    assert [item.status for item in register.history(found.number)] == ["reserved", "released"]
    [released] = register.pdfs(found.number)
    assert set(made) == {found.number}, "never under another number"
    assert service.parts.objects.read(released.sha256).startswith(b"EP-2026-000001")
    assert len(made) == {"reserve": 1, "put_bytes": 2, "release": 1 if landed else 2}[write]


def test_what_is_not_accepted_takes_no_number(
    service: Service, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = ordered(service)
    found = report(outcome={"status": "blocked", "reasons": []})
    monkeypatch.setattr(certify, "examine_bundle", lambda *_: found)
    with pytest.raises(EvidenceServiceError, match="the listing could not be reached") as refusal:
        certify.issue(service.parts, order_id)
    certify.refuse(service.parts, order_id, refusal.value.message)
    assert service.parts.certificates.find() == [] and made == []
    assert service.parts.certificates.order(order_id).state == "refused"
    view = service.http.get(f"/v1/evidence/{service.parts.certificates.order(order_id).evidence_id}").json()
    assert view["progress"].startswith("certify refused: no certificate is issued: the listing could not be")
    assert (view["status"], view["stopped"], view["certificate_wanted"]) == ("anchored", False, False)
    assert view["certificate_refused"] == refusal.value.message
    assert refused(view), "what waits for certificates would wait for this one for ever"


def test_another_order_may_bring_the_certificate_that_one_refused(service: Service, made: list[str]) -> None:
    order_id = ordered(service)
    evidence_id = service.parts.certificates.order(order_id).evidence_id
    certify.refuse(service.parts, order_id, "no fonts")
    assert service.parts.records.evidence(evidence_id).certificate_refused == "no fonts"
    service.clock.forward(60)
    again = NewOrder("co-2", evidence_id, GENERIC, "agent", service.clock())
    assert service.parts.certificates.place(again).id == "co-2"
    assert service.parts.records.evidence(evidence_id).certificate_refused is None
    certify.issue(service.parts, "co-2")
    assert service.parts.records.evidence(evidence_id).certificate_refused is None


def test_a_finished_file_that_is_not_accepted_is_not_released(
    service: Service, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = ordered(service)

    def refuse(*_: Any, **__: Any) -> None:
        raise MismatchError("the finished certificate was not accepted")

    monkeypatch.setattr(certify, "check_finished", refuse)
    with pytest.raises(MismatchError):
        certify.issue(service.parts, order_id)
    [found] = service.parts.certificates.find()
    assert (found.status, found.sha256) == ("reserved", None)
    monkeypatch.setattr(certify, "_make", lambda *_: Sealed(b"x", "PAdES B-B"))
    with pytest.raises(MismatchError, match="says PAdES B-T, its seal reached PAdES B-B"):
        certify.issue(service.parts, order_id)


def test_qualifications_are_kept_with_the_certificate(service: Service, made: list[str]) -> None:
    evidence_id = anchored(service)
    order_id = ordered(service, evidence_id=evidence_id)
    certify.issue(service.parts, order_id)
    certify.record_certificate(service.parts, order_id)
    [found] = service.parts.certificates.find()
    assert found.qualifications[0].startswith("a demonstration, not evidence")
    [event] = [item for item in service.parts.records.custody(evidence_id) if item["action"] == "certify"]
    assert event["detail"]["qualified"] == found.qualifications[0]
    assert service.parts.records.evidence(evidence_id).status == "certified"


def test_a_successor_of_what_was_withdrawn_meanwhile_is_refused(service: Service, made: list[str]) -> None:
    evidence_id = anchored(service)
    old = issued(service, evidence_id)
    order_id = ordered(service, evidence_id=evidence_id, supersedes=old, reason="x")
    service.parts.certificates.withdraw(old, reason="y", actor="agent", now=service.clock())
    with pytest.raises(ConflictError, match="is withdrawn already"):
        certify.issue(service.parts, order_id)
    certify.refuse(service.parts, order_id, "withdrawn")
    assert [item.status for item in service.parts.certificates.find()] == ["withdrawn", "reserved"]
