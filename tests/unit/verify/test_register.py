"""What a register's answer means, and that it never makes a verdict better or worse."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from evidence_service.errors import UnavailableError
from evidence_service.verify.register import (
    LIMIT,
    STANDINGS,
    CertificateFile,
    Registered,
    certificate_number,
    digests,
    judge,
    not_checked,
)
from evidence_service.verify.report import (
    SEVERITY,
    Check,
    ExitCode,
    Report,
    Status,
    Verdict,
    overall,
    verification_document,
)
from tests.unit.service.test_rules import REPORTS

URL, NUMBER = "https://register.example", "EP-2026-000001"
PDF = b"%PDF-1.7\npage\n%%EOF\n/Reason (Certificate EP-2026-000001)\n%%EOF\n"
LATER = PDF + b"validation data\n%%EOF\n" + b"time stamp\n%%EOF\n"
FILE = CertificateFile.of(PDF)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(**changes: Any) -> bytes:
    value = {
        "format": "evidence-register/1",
        "number": NUMBER,
        "status": "released",
        "since": "2026-01-02T03:04:05Z",
        "reason": "",
        "superseded_by": None,
        "pdfs": [{"sha256": sha256(PDF)}],
        "something": "of a later version",
        **changes,
    }
    return json.dumps(value).encode()


def asked(answer: bytes | None, file: CertificateFile = FILE) -> Registered:
    return judge(answer, file, register=URL)


def test_the_number_is_read_from_the_revision_of_the_seal_alone() -> None:
    assert certificate_number(PDF) == certificate_number(LATER) == NUMBER
    imitated = PDF.replace(b"page", b"/Reason (Certificate EP-2026-000009)")
    assert certificate_number(imitated) == NUMBER, "what was captured cannot name a number"
    appended = LATER.replace(b"validation data", b"/Reason (Certificate EP-2026-000009)")
    assert certificate_number(appended) == NUMBER, "nor can what was added later"
    twice = PDF.replace(b"\n%%EOF\n/Reason", b"\n%%EOF\n/Reason (Certificate EP-2026-000002) /Reason")
    assert certificate_number(twice) is None
    assert certificate_number(b"%PDF-1.7\n") is None
    assert certificate_number(PDF.replace(b"EP-2026", b"no number")) is None
    octal = PDF.replace(b"-2026-", rb"\0552026\055")
    assert certificate_number(octal) == NUMBER, "as pyHanko writes it"


def test_digests_are_of_the_file_and_of_what_it_was_before() -> None:
    middle = PDF + b"validation data\n%%EOF\n"
    assert list(digests(LATER)) == [sha256(LATER), sha256(middle), sha256(PDF)]
    assert list(digests(PDF)) == [sha256(PDF)]


def test_a_current_certificate_passes_also_with_a_time_stamp_added() -> None:
    found = asked(entry())
    assert (found.standing, found.check.status, found.warning) == ("current", Status.PASS, "")
    assert asked(entry(), CertificateFile.of(LATER)).standing == "current"
    extended = entry(pdfs=[{"sha256": sha256(PDF)}, {"sha256": sha256(LATER)}])
    assert "newer time stamp" in asked(extended).why
    assert "newer time stamp" not in asked(extended, CertificateFile.of(LATER)).why


@pytest.mark.parametrize(
    ("answer", "standing", "words"),
    [
        (
            entry(status="withdrawn", reason="wrong listing"),
            "withdrawn",
            "WITHDRAWN since 2026-01-02T03:04:05Z: wrong listing",
        ),
        (
            entry(status="superseded", reason="renamed", superseded_by="EP-2026-000002"),
            "superseded",
            "SUPERSEDED since 2026-01-02T03:04:05Z by EP-2026-000002: renamed",
        ),
        (entry(status="reserved", pdfs=[]), "not_released", "NOT RELEASED by the register: "),
        (entry(pdfs=[{"sha256": "0" * 64}]), "not_released", "knows EP-2026-000001, but not this file"),
        (
            entry(status="withdrawn", pdfs=[{"sha256": "0" * 64}]),
            "not_released",
            "NOT RELEASED by the register: ",
        ),
        (None, "unknown", "UNKNOWN to the register: "),
    ],
)
def test_what_is_not_current_is_said_and_fails_nothing(
    answer: bytes | None, standing: str, words: str
) -> None:
    found = asked(answer)
    assert found.standing == standing
    assert words in found.warning
    check = found.check
    assert (check.id, check.status, check.required) == ("8.1", Status.NOT_CHECKED, False)
    assert check.what_to_do


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        b" " * (LIMIT + 1),
        entry(format="evidence-register/2"),
        entry(status="lost"),
        entry(number=7),
        entry(number="EP-2026-000009"),
        entry(since=None),
        entry(reason="x" * 401),
        entry(superseded_by=1),
        entry(pdfs=None),
        entry(pdfs=[{}]),
        entry(pdfs=[{"sha256": "00"}]),
        entry(pdfs=["x"]),
        b'{"format": "evidence-register/1", "status": []}',
        "ü".encode("latin-1"),
    ],
)
def test_an_answer_that_is_none_is_unavailable(answer: bytes) -> None:
    with pytest.raises(UnavailableError):
        asked(answer)


def with_standing(report: Report, standing: Any) -> Report:
    found = replace(not_checked(URL, NUMBER, "why", "what"), standing=standing)
    return replace(report, checks=(*report.checks, found.check), registered=found)


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("verdict", Verdict)
def test_no_standing_changes_a_verdict(verdict: Verdict, standing: str) -> None:
    before = REPORTS[verdict]
    after = with_standing(before, standing)
    assert after.verdict is before.verdict is verdict
    assert after.sentence.endswith(before.sentence)
    assert (standing == "current") == (after.sentence == before.sentence)
    if before.exit_code is not ExitCode.VERIFIED:
        assert after.exit_code is before.exit_code
    elif standing == "current":
        assert after.exit_code is ExitCode.VERIFIED
    else:
        assert after.exit_code is (
            ExitCode.NOT_CHECKED if standing == "not_checked" else ExitCode.NOT_CURRENT
        )
    document = after.to_document()
    assert document["register"]["standing"] == standing
    assert "register" not in before.to_document(), "who did not ask gets what he always got"


def test_the_worst_of_several_decides() -> None:
    current, withdrawn = (with_standing(REPORTS[Verdict.EVIDENCE], item) for item in ("current", "withdrawn"))
    assert overall([current]) == ExitCode.VERIFIED
    assert overall([current, withdrawn]) == ExitCode.NOT_CURRENT
    assert overall([withdrawn, REPORTS[Verdict.INCOMPLETE]]) == ExitCode.NOT_CURRENT
    assert overall([withdrawn, REPORTS[Verdict.UNTRUSTED]]) == ExitCode.UNTRUSTED
    assert verification_document([withdrawn])["exit_code"] == 10
    assert set(SEVERITY) == set(ExitCode) - {
        ExitCode.VERIFIED,
        ExitCode.INTERNAL,
        ExitCode.USAGE,
        ExitCode.NOTHING_FOUND,
    }


def test_a_check_of_the_register_is_the_only_one_of_its_number() -> None:
    found = with_standing(REPORTS[Verdict.EVIDENCE], "withdrawn")
    assert [item.id for item in found.checks if isinstance(item, Check)][-1] == "8.1"
