"""Receipts are signed, durable before the answer, and the same again on a repetition."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from evidence_service.core import canonical, receipt
from evidence_service.verify.receipt import check_signature, judge_promise, read_public_key
from evidence_service.verify.report import Status
from tests.unit.api.conftest import Service


def test_an_upload_is_answered_with_a_signed_receipt_of_the_file(service: Service) -> None:
    answer = service.upload(b"content")
    given = answer["receipt"]
    pem = service.http.get("/v1/receipt-key", headers={"Authorization": ""}).content
    check_signature(receipt.parse(canonical.encode(given)), read_public_key(pem))
    assert given["evidence_id"] == answer["id"]
    assert given["accepted"] == {
        "name": "note.txt",
        "size": 7,
        "sha256": hashlib.sha256(b"content").hexdigest(),
        "sha3_512": hashlib.sha3_512(b"content").hexdigest(),
    }
    assert given["operator"] == {"id": "agent", "role": "operator"}
    assert given["purpose"] == "demonstration"
    assert (given["accepted_at"], given["batch_by"]) == (
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:14:05.678Z",
    )


def test_a_capture_is_answered_with_a_receipt_of_the_address(service: Service) -> None:
    order = {"matter_id": service.matter, "url": "https://93.184.216.34/item/1", "urgent": True}
    answer = service.http.post("/v1/captures", json=order)
    assert answer.status_code == 202
    given = answer.json()["receipt"]
    assert given["accepted"] == {"url": order["url"]}
    assert given["kind"] == "platform_capture"
    assert service.parts.records.evidence(given["evidence_id"]).urgent


def test_a_repetition_gets_the_same_receipt_also_when_the_first_answer_was_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = service.upload(key="one")
    service.clock.forward(5)
    assert service.upload(key="one") == first

    def forget(register: Any, key: str, digest: bytes, perform: Any, **more: Any) -> Any:
        """The order is recorded; the database goes away before the answer is remembered."""
        perform()
        raise OperationalError("COMMIT", {}, Exception("connection lost"))

    monkeypatch.setattr(type(service.parts.certificates), "once", forget)
    lost = service.http.post(
        "/v1/uploads",
        params={"matter_id": service.matter, "name": "note.txt", "certificate": False},
        content=b"content",
        headers={"Idempotency-Key": "two"},
    )
    assert lost.status_code == 503
    monkeypatch.undo()
    service.clock.forward(60)
    again = service.upload(key="two")
    assert again["receipt"]["accepted_at"] == "2026-01-02T03:04:10.678Z"
    assert len(service.parts.records.list_evidence()) == 2


def test_the_receipt_is_given_again_byte_for_byte(service: Service) -> None:
    answer = service.upload()
    again = service.http.get(f"/v1/evidence/{answer['id']}/receipt")
    assert again.content == canonical.encode(answer["receipt"])
    missing = service.http.get("/v1/evidence/ev-unknown-1/receipt")
    assert missing.status_code == 404


def test_the_promise_is_kept_by_closing_early_and_the_bundle_shows_it(service: Service) -> None:
    """Registered so late that the batch's own timer would break the promise."""
    answer = service.upload()
    service.clock.forward(530)
    service.register(answer["id"])
    assert service.parts.batches.close_due(service.parts.batching, now=service.clock.now) is None
    service.clock.forward(11)
    assert service.parts.batches.close_due(service.parts.batching, now=service.clock.now) is not None
    assert service.parts.batches.overdue(service.clock.now) == 0
    bundle = service.http.get(f"/v1/evidence/{answer['id']}/bundle").content
    value = receipt.parse(canonical.encode(answer["receipt"]))
    found = judge_promise(value, bundle, now=service.clock.now, current=True)
    assert found.status is Status.PASS


def test_evidence_that_never_reaches_a_batch_is_counted(service: Service) -> None:
    service.upload()
    service.clock.forward(600)
    assert service.parts.batches.overdue(service.clock.now) == 0
    service.clock.forward(0.001)
    assert service.parts.batches.overdue(service.clock.now) == 1
    assert "evidence_promises_broken 1.0" in service.http.get("/metrics").text
