"""Certificates through the API: ordered once, superseded, withdrawn, found, and shown to everybody who asks."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from evidence_service.core import custody, manifest
from evidence_service.errors import DatabaseUnavailableError
from evidence_service.service import note_certificate
from evidence_service.service.register_digest import PATIENCE, digest_evidence_id
from evidence_service.store.closing import Due
from tests.unit.api.certificates import CHINA, GENERIC, anchored, carry_out, issued, pdf, sha256
from tests.unit.api.conftest import Service
from tests.writes import failing


def post(service: Service, path: str, body: Any = None, *, status: int = 200, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = service.http.post(f"/v1/{path}", json={} if body is None else body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def get(service: Service, path: str, *, status: int = 200, **params: Any) -> Any:
    answer = service.http.get(f"/v1/{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def acts(service: Service, evidence_id: str) -> list[tuple[str, str]]:
    """Custody events that are about certificates."""
    events = service.parts.records.custody(evidence_id)
    custody.verify_chain(events, evidence_id=evidence_id)
    return [(event["purpose"], event["detail"]["number"]) for event in events if "number" in event["detail"]]


def test_an_edition_is_ordered_once_and_issued_when_the_evidence_is_anchored(service: Service) -> None:
    evidence_id = str(service.upload()["id"])
    first = post(service, f"evidence/{evidence_id}/certificates", {"edition": CHINA}, status=202)
    assert (first["state"], first["number"], first["edition"]) == ("open", None, CHINA)
    again = post(service, f"evidence/{evidence_id}/certificates", {"edition": CHINA}, status=202)
    assert again["id"] == first["id"]
    path = f"evidence/{evidence_id}/certificates"
    once, twice = (post(service, path, {"edition": "eu:en"}, status=202, key="k")["id"] for _ in range(2))
    assert once == twice
    service.parts.certificates.refuse_order(once, "for a reason")
    assert post(service, path, {"edition": "eu:en"}, status=202, key="k")["state"] == "refused"
    assert service.parts.certificates.issuable(9) == []
    service.register(evidence_id)
    service.parts.records.advance(evidence_id, "anchored")
    assert service.parts.certificates.issuable(9) == [first["id"]]
    number = carry_out(service, first["id"])
    done = post(service, f"evidence/{evidence_id}/certificates", {"edition": CHINA}, status=202)
    assert (done["id"], done["state"], done["number"]) == (first["id"], "issued", number)
    [listed] = get(service, f"evidence/{evidence_id}/certificates")
    assert (listed["number"], listed["status"], listed["sha256"]) == (number, "released", sha256(number))
    assert listed["qualifications"] == ["a demonstration"]


def test_the_default_edition_keeps_its_routes(service: Service) -> None:
    evidence_id = anchored(service)
    missing = get(service, f"evidence/{evidence_id}/certificate", status=404)
    assert "no current certificate in the edition generic:en+zh" in missing["title"]
    view = post(service, f"evidence/{evidence_id}/certificate", status=202)
    assert view["id"] == evidence_id
    [order_id] = service.parts.certificates.issuable(9)
    number = carry_out(service, order_id)
    issued(service, evidence_id, CHINA)
    assert get(service, f"evidence/{evidence_id}/certificate")["number"] == number
    answer = service.http.get(f"/v1/evidence/{evidence_id}/certificate.pdf")
    assert (answer.content, answer.headers["content-type"]) == (pdf(number), "application/pdf")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"edition": "mars:en"}, 422, "no such edition"),
        ({"edition": "x" * 61}, 422, "edition"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_what_cannot_be_ordered_is_refused_in_words(
    service: Service, body: Any, status: int, words: str
) -> None:
    evidence_id = anchored(service)
    problem = post(service, f"evidence/{evidence_id}/certificates", body, status=status)
    assert words in problem["title"] and problem["request_id"]
    assert post(service, "evidence/ev-none/certificates", {}, status=404)


def test_an_outcome_that_is_not_certified_is_refused_when_it_is_ordered(service: Service) -> None:
    evidence_id = anchored(service)
    with service.parts.records._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE evidence SET outcome = 'challenge'")
    problem = post(service, f"evidence/{evidence_id}/certificates", {}, status=422)
    assert "a proof of being human stood in place of the listing" in problem["title"]
    assert "capture the listing again" in problem["what_to_do"]


def test_many_are_ordered_row_by_row_and_repeating_it_orders_nothing_twice(service: Service) -> None:
    ids = [anchored(service, str(number).encode()) for number in range(3)]
    number = issued(service, ids[0])
    request = {"evidence": [*ids, "ev-none", "no\x00id", ids[1]], "edition": GENERIC}
    rows = post(service, "certificates", request, status=202)["rows"]
    assert [row["evidence_id"] for row in rows] == request["evidence"]
    assert (rows[0]["order"]["state"], rows[0]["order"]["number"]) == ("issued", number)
    assert {row["order"]["state"] for row in rows[1:3]} == {"open"}
    assert rows[5]["order"]["id"] == rows[1]["order"]["id"]
    assert [row["problem"]["status"] for row in rows[3:5]] == [404, 404]
    assert rows[3]["problem"]["type"] == "urn:evidence-service:problem:not-found"
    assert post(service, "certificates", request, status=202)["rows"] == rows
    carry_out(service, rows[1]["order"]["id"])
    service.parts.certificates.refuse_order(rows[2]["order"]["id"], "no fonts")
    found = get(service, "certificate-orders", id=[row["order"]["id"] for row in rows[:3]])
    assert [item["state"] for item in found] == ["issued", "issued", "refused"]
    assert found[2]["problem"] == "no fonts"
    again = post(service, "certificates", request, status=202)["rows"]
    assert again[2]["order"]["state"] == "open", "what was refused is tried again"
    assert again[1]["order"]["state"] == "issued"
    assert post(service, "certificates", {"evidence": []}, status=422)
    assert post(service, "certificates", {"evidence": ids, "edition": "mars:en"}, status=422)


def test_a_thousand_rows_are_ordered_and_one_more_is_too_many(service: Service) -> None:
    listed = [{"url": f"https://93.184.215.14/{number}"} for number in range(1_000)]
    answer = service.http.post(
        "/v1/capture-lists", json={"matter_id": service.matter, "rows": listed}, timeout=60
    )
    ids = [row["id"] for row in answer.json()["rows"]]
    request = {"evidence": ids, "edition": CHINA}
    rows = service.http.post("/v1/certificates", json=request, timeout=60).json()["rows"]
    assert len({row["order"]["id"] for row in rows}) == 1_000
    assert service.http.post("/v1/certificates", json=request, timeout=60).json()["rows"] == rows
    assert post(service, "certificates", {"evidence": [*ids, ids[0]]}, status=422)


def test_superseding_keeps_the_old_one_until_the_new_one_is_released(service: Service) -> None:
    evidence_id = anchored(service)
    old = issued(service, evidence_id)
    body = {"reason": "the applicant was renamed"}
    order = post(service, f"certificates/{old}/supersede", body, status=202, key="k")
    assert post(service, f"certificates/{old}/supersede", body, status=202, key="k") == order
    assert (order["supersedes"], order["state"]) == (old, "open")
    assert get(service, f"certificates/{old}")["status"] == "released"
    problem = post(service, f"certificates/{old}/supersede", body, status=409)
    assert f"is being superseded already (order {order['id']})" in problem["title"]
    number = carry_out(service, order["id"])
    found = get(service, f"certificates/{old}")
    assert (found["status"], found["superseded_by"], found["reason"]) == (
        "superseded",
        number,
        body["reason"],
    )
    assert [item["status"] for item in found["history"]] == ["reserved", "released", "superseded"]
    assert {item["actor"] for item in found["history"]} == {"agent"}
    assert service.http.get(f"/v1/certificates/{old}/pdf").content == pdf(old)
    problem = post(service, f"certificates/{old}/withdraw", {"reason": "x"}, status=409)
    assert f"superseded by {number} already" in problem["title"]
    assert ("supersede a certificate", old) in acts(service, evidence_id)


def test_two_who_supersede_at_once_get_one_successor(service: Service) -> None:
    evidence_id = anchored(service)
    old = issued(service, evidence_id)
    path = f"/v1/certificates/{old}/supersede"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: service.http.post(path, json={"reason": f"reason {n}"}), range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert all(
        answer.headers["content-type"] == "application/problem+json"
        for answer in answers
        if answer.status_code == 409
    )
    [order_id] = service.parts.certificates.issuable(9)
    carry_out(service, order_id)
    assert [item["status"] for item in get(service, f"evidence/{evidence_id}/certificates")] == [
        "superseded",
        "released",
    ]


def test_a_withdrawn_certificate_stays_and_says_so(service: Service) -> None:
    evidence_id = anchored(service)
    number = issued(service, evidence_id)
    service.clock.forward(60)
    body = {"reason": "the upload was of another matter"}
    found = post(service, f"certificates/{number}/withdraw", body)
    assert (found["status"], found["reason"]) == ("withdrawn", body["reason"])
    assert found["since"] == "2026-01-02T03:05:05.678000Z"
    assert post(service, f"certificates/{number}/withdraw", body) == found
    assert acts(service, evidence_id).count(("withdraw a certificate", number)) == 1
    assert service.http.get(f"/v1/certificates/{number}/pdf").content == pdf(number)
    assert get(service, f"evidence/{evidence_id}/certificate", status=404)
    for bad in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "two\nlines"}, {"reason": "x" * 401}):
        assert post(service, f"certificates/{number}/withdraw", bad, status=422)
    assert post(service, "certificates/EP-2026-000009/withdraw", body, status=404)


def test_the_register_is_public_and_says_nothing_about_people(service: Service) -> None:
    evidence_id = anchored(service)
    number = issued(service, evidence_id)
    url = f"{service.http.base_url}/v1/register/{number}"
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 200
    entry = answer.json()
    sealed = service.parts.records.evidence(evidence_id).manifest or b""
    assert entry["format"] == "evidence-register/1"
    assert (entry["number"], entry["status"], entry["edition"]) == (number, "released", GENERIC)
    assert (entry["sha256"], [item["sha256"] for item in entry["pdfs"]]) == (
        sha256(number),
        [sha256(number)],
    )
    assert entry["evidence_sha256"] == hashlib.sha256(sealed).hexdigest()
    assert (entry["reason"], entry["superseded_by"]) == ("", None)
    post(service, f"certificates/{number}/withdraw", {"reason": "wrong listing"})
    withdrawn = httpx.get(url, trust_env=False).json()
    assert (withdrawn["status"], withdrawn["reason"]) == ("withdrawn", "wrong listing")
    known = json.dumps(manifest.parse(sealed))
    for secret in ("agent", "R-1", "Test SA", evidence_id, service.matter, "note.txt"):
        assert secret in known or secret == "agent"
        assert secret not in httpx.get(url, trust_env=False).text
    assert httpx.get(url[:-1] + "9", trust_env=False).json()["type"].endswith("not-found")
    for bad in ("%00", "x", "EP-2026-1", "ep-2026-000001"):
        assert httpx.get(url.replace(number, bad), trust_env=False).status_code == 422
    assert httpx.get(f"{service.http.base_url}/v1/certificates/{number}", trust_env=False).status_code == 401


def test_a_reserved_number_is_not_yet_a_certificate(service: Service) -> None:
    evidence_id = anchored(service)
    order = post(service, f"evidence/{evidence_id}/certificates", {}, status=202)
    number = service.parts.certificates.reserve(order["id"], prefix="EP", now=service.clock()).number
    entry = get(service, f"register/{number}")
    assert (entry["status"], entry["sha256"], entry["pdfs"], entry["issued_at"]) == (
        "reserved",
        None,
        [],
        None,
    )
    assert get(service, f"certificates/{number}/pdf", status=404)
    assert post(service, f"certificates/{number}/extend", {}, status=409)


def test_lists_come_in_pages_and_by_status(service: Service) -> None:
    numbers = [issued(service, anchored(service, str(n).encode())) for n in range(3)]
    post(service, f"certificates/{numbers[1]}/withdraw", {"reason": "x"})
    page = get(service, "certificates", limit=2)
    assert ([item["number"] for item in page["items"]], page["next"]) == (numbers[:2], numbers[1])
    rest = get(service, "certificates", limit=2, after=page["next"])
    assert ([item["number"] for item in rest["items"]], rest["next"]) == (numbers[2:], None)
    wanted = {"status": "withdrawn", "matter_id": service.matter}
    found = service.http.get("/v1/certificates", params=wanted).json()
    assert [item["number"] for item in found["items"]] == [numbers[1]]
    assert service.http.get("/v1/certificates", params={"status": "lost"}).status_code == 422
    matters = service.http.get("/v1/matters", params={"reference": "R-1"}).json()
    assert ([item["id"] for item in matters["items"]], matters["next"]) == ([service.matter], None)
    assert service.http.get("/v1/matters", params={"reference": "R-2"}).json()["items"] == []


def test_the_digest_of_a_certificate_becomes_evidence_with_a_next_batch(service: Service) -> None:
    evidence_id = anchored(service)
    number = issued(service, evidence_id)
    digest_id = digest_evidence_id(bytes.fromhex(sha256(number)))
    view = get(service, f"evidence/{digest_id}")
    assert (view["kind"], view["matter_id"], view["outcome"]) == ("digest", service.matter, "received")
    assert acts(service, evidence_id) == [
        ("issue a certificate", number),
        ("register the digest of a certificate as evidence", number),
    ]
    [shown] = get(service, f"certificates/{number}")["pdfs"]
    assert shown["evidence_id"] == digest_id
    service.register(digest_id)
    sealed = manifest.parse(service.parts.records.evidence(digest_id).manifest or b"")
    assert sealed["kind"] == "digest"
    assert (sealed["tool"]["certificate"], sealed["tool"]["certificate_of"]) == (number, evidence_id)
    [file] = sealed["files"]
    assert (file["sha256"], file["role"]) == (sha256(number), "certificate")
    assert get(service, f"evidence/{digest_id}/receipt", status=404)
    problem = post(service, f"evidence/{digest_id}/certificates", {}, status=422)
    assert "a registered digest has a proof bundle and no certificate" in problem["title"]
    assert digest_id not in service.parts.records.certifiable()


def test_a_digest_opens_no_batch_but_goes_with_the_next(service: Service) -> None:
    evidence_id = anchored(service)
    due = Due(service.parts.batching.age, 100, service.parts.batching.margin)
    service.parts.batches.close_due(due, now=service.clock())
    service.clock.forward(600)
    assert service.parts.batches.close_due(due, now=service.clock()) is not None
    digest_id = digest_evidence_id(bytes.fromhex(sha256(issued(service, evidence_id))))
    service.register(digest_id)
    service.clock.forward(3_600)
    assert service.parts.batches.close_due(due, now=service.clock()) is None, "not for itself alone"
    other = service.upload(b"other")["id"]
    service.register(other)
    service.clock.forward(61)
    closed = service.parts.batches.close_due(due, now=service.clock())
    assert closed is not None and closed.size == 2
    second = issued(service, other)
    service.register(digest_evidence_id(bytes.fromhex(sha256(second))))
    service.clock.forward(PATIENCE.total_seconds())
    closed = service.parts.batches.close_due(due, now=service.clock())
    assert closed is not None and closed.size == 1, "after a day it has one of its own"


@pytest.mark.parametrize("moment", ["failed", "failed but landed"])
@pytest.mark.parametrize("write", ["accept", "append_custody", "noted"])
def test_what_was_cut_off_is_told_by_the_worker(
    service: Service, monkeypatch: pytest.MonkeyPatch, moment: str, write: str
) -> None:
    """A withdrawal is durable in the register; custody log and digest follow, once, whatever failed."""
    evidence_id = anchored(service)
    number = issued(service, evidence_id)
    target = service.parts.certificates if write == "noted" else service.parts.records
    lost = DatabaseUnavailableError("the answer was lost")
    with failing(monkeypatch, type(target), write, lost, landed=moment == "failed but landed"):
        assert post(service, f"certificates/{number}/withdraw", {"reason": "x"}, status=503)
    assert service.parts.certificates.certificate(number).status == "withdrawn"
    for subject in note_certificate.wanted(service.parts):
        note_certificate.note_certificate(service.parts, subject.split()[0])
    assert note_certificate.wanted(service.parts) == []
    assert acts(service, evidence_id) == [
        ("issue a certificate", number),
        ("register the digest of a certificate as evidence", number),
        ("withdraw a certificate", number),
    ]
    assert len(service.parts.records.list_evidence()) == 2


def test_a_change_while_telling_is_told_next_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    number = issued(service, anchored(service))
    register = service.parts.certificates
    original = note_certificate.register_digest

    def meanwhile(*args: Any) -> str:
        if register.certificate(number).status == "released":
            register.withdraw(number, reason="meanwhile", actor="agent", now=service.clock())
        return original(*args)

    monkeypatch.setattr(note_certificate, "register_digest", meanwhile)
    note_certificate.note_certificate(service.parts, number)
    assert register.certificate(number).unnoted, "the withdrawal is not told yet"
    note_certificate.note_certificate(service.parts, number)
    assert not register.certificate(number).unnoted
