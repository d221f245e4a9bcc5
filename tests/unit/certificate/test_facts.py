"""Facts: nothing is printed that the engine did not confirm; what the record has is read and no more."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from evidence_service.certificate.edition import parse_edition
from evidence_service.certificate.facts import Preserved, certificate_facts
from evidence_service.certificate.recorded import MOST_PICTURES
from evidence_service.certificate.render import render
from evidence_service.errors import MismatchError
from evidence_service.verify.report import Check, Family, Status
from tests.forgeries.keys import later
from tests.forgeries.world import FIRST, authority
from tests.unit.certificate.certified import (
    ISSUER,
    Files,
    bare,
    capture,
    chain,
    exchange,
    facts,
    facts_of,
    judged,
    png,
    reader,
    squeezed,
    text_of,
    whole_record,
)


def test_what_the_engine_did_not_confirm_is_not_printed() -> None:
    """The bundle still holds it all; the report does not."""
    report, data = judged(capture(), whole_record())
    anchor, token = report.findings.anchors[0], report.findings.timestamps[0]
    silent = dataclasses.replace(
        report,
        checks=tuple(check for check in report.checks if check.id == "2.1"),
        findings=dataclasses.replace(
            report.findings, anchors=(), timestamps=(), batch_header=None, commitment="", custody=()
        ),
    )
    found = facts_of((silent, data), whole_record())
    assert found.values["inclusion"] is None
    words = squeezed(text_of(render(found)))
    unconfirmed = (anchor.transaction_hash[2:10], anchor.block_hash[2:10], token.serial, "batch7")
    assert [part for part in unconfirmed if part in words] == []
    assert squeezed("not available: not anchored") in words
    assert squeezed("not available: no time stamp was collected") in words


def test_evidence_that_is_not_verified_is_not_printed_at_all() -> None:
    report, data = judged(capture(), whole_record())
    failed = Check("2.1", "form", Status.FAIL, "does not hold", family=Family.INTEGRITY)
    with pytest.raises(MismatchError, match="not verified"):
        facts_of((dataclasses.replace(report, checks=(failed,)), data), whole_record())


def test_a_report_about_another_bundle_is_refused() -> None:
    report, _ = judged(capture(), whole_record())
    _, other = judged(capture(purpose="demonstration"), whole_record())
    with pytest.raises(MismatchError, match="not about this bundle"):
        facts_of((report, other), whole_record())


@pytest.mark.parametrize("role", ["screenshot.full", "actions", "tls.chains", "environment", "listing"])
def test_a_file_that_is_not_the_manifests_is_refused(role: str) -> None:
    kept = whole_record()
    path = next(path for path, (found, _) in kept.items() if found == role)
    report, data = judged(capture(), kept)
    read = reader(kept)
    sha256 = next(item["sha256"] for item in json.loads(data)["manifest"]["files"] if item["path"] == path)

    def lying(asked: str) -> bytes:
        return b"something else" if asked == sha256 else read(asked)

    with pytest.raises(MismatchError, match=path):
        certificate_facts(
            report,
            Preserved(data, lying),
            number="EP-1",
            issued_at=later(days=1),
            issuer=ISSUER,
            edition=parse_edition("us:en"),
            level="PAdES B-T",
        )


def test_the_chain_of_the_main_exchange_is_read_from_the_record() -> None:
    main = facts().values["main"]
    maker = authority(FIRST)
    assert [item["sha256"] for item in main["certificates"]] == chain()[0]
    assert main["certificates"][1]["subject"] == maker.root.certificate.subject.rfc4514_string()
    assert main["certificates"][0]["not_before"].endswith("Z")


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_certificate_nobody_can_read_is_named_by_its_hash(pem: bytes) -> None:
    kept = {**whole_record(), "certificates.pem": ("tls.chains", pem)}
    certificates = facts(files=kept).values["main"]["certificates"]
    assert [item["subject"] for item in certificates] == [None, None]
    assert certificates[0]["sha256"] == chain()[0][0]


def test_the_call_log_is_summed_up() -> None:
    exchanges = [
        exchange(),
        exchange("https://cdn.example/a.png"),
        exchange(problem="the connection was reset", response=None),
        exchange(truncated="length"),
    ]
    kept = {**whole_record(), "exchanges.json": ("exchanges.metadata", json.dumps(exchanges).encode())}
    calls = facts(files=kept).values["calls"]
    assert calls["exchanges"] == 4
    assert (calls["hosts"], calls["bytes"], calls["incomplete"]) == (2, 3600, 2)


def test_a_page_without_tls_and_one_that_was_never_reached() -> None:
    plain = {
        **whole_record(),
        "exchanges.json": ("exchanges.metadata", json.dumps([exchange(tls={}, chain=[])]).encode()),
    }
    rows = {item["row"]: item["missing"] for item in facts(files=plain).values["rows"]}
    assert rows["addresses"] == ["missing.tls"]
    subject = {**capture()["subject"], "final_url": None, "http_status": None, "peer_address": None}
    unreached = facts(changes=capture(subject=subject))
    rows = {item["row"]: item["missing"] for item in unreached.values["rows"]}
    assert "missing.chain" in rows["addresses"]
    assert "missing.final_url" in rows["addresses"]


@pytest.mark.parametrize(
    ("number", "value", "told"),
    [
        (4, {"entries_for_the_host": ["10.0.0.1 shop.example"], "nameservers": []}, "10.0.0.1 shop.example"),
        (
            5,
            {"one": ["192.0.2.1"], "why": "no address in common"},
            "one: 192.0.2.1; why: no address in common",
        ),
        (7, {"not_verified": ["expired", "unknown"], "met": []}, "expired, unknown"),
        (13, {"outcome": "partial", "reasons": ["a limit fired"]}, "a limit fired"),
    ],
)
def test_a_point_that_fails_says_what_made_it_fail(number: int, value: Any, told: str) -> None:
    point = {"number": number, "name": "x", "status": "fail", "value": value, "raw_sha256": "ab" * 32}
    environment = json.dumps({"at": "2026-03-04T05:06:07.000Z", "points": [point]}).encode()
    found = facts(files={**whole_record(), "environment.json": ("environment", environment)})
    assert found.values["environment"][0]["told"] == told


def test_views_are_printed_only_when_there_is_no_full_page() -> None:
    found = facts()
    assert [shot.role for shot in found.screenshots] == ["screenshot.full", "screenshot.before_consent"]
    assert [item["path"] for item in found.values["unprinted"]] == ["screenshots/tile-01.png"]
    kept = {path: item for path, item in whole_record().items() if path != "screenshot.png"}
    found = facts(files=kept)
    assert [shot.role for shot in found.screenshots] == ["screenshot.before_consent", "screenshot.tile"]
    assert found.values["unprinted"] == []


def test_pictures_beyond_the_limit_are_left_in_the_record_and_named() -> None:
    steps: Files = {f"screenshots/step-{n:02}.png": ("screenshot.step", png(64, 48 + n)) for n in range(40)}
    found = facts(files={**whole_record(), **steps})
    assert len(found.screenshots) == MOST_PICTURES
    assert len(found.values["unprinted"]) == 42 - MOST_PICTURES + 1
    assert squeezed("19 further pictures of the record") in squeezed(text_of(render(found)))


def test_what_an_upload_lacks_is_stated() -> None:
    rows = {item["row"]: item["missing"] for item in bare().values["rows"]}
    assert rows["corroboration"] == ["missing.screenshot", "missing.source", "missing.log"]
    assert rows["issuer"] == ["missing.registration", "missing.independence"]
    assert rows["environment"] == ["missing.environment"]
