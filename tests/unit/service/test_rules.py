"""What is certified and what is not is what the tables say, whole; and nothing that is qualified is silent."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from evidence_service.core import manifest
from evidence_service.errors import (
    ConfigurationError,
    MismatchError,
    NodeUnavailableError,
    PolicyRefusedError,
)
from evidence_service.service.rules import KINDS, OUTCOMES, VERDICTS, Effect, check_outcome, judge
from evidence_service.verify.report import Check, Family, Findings, Report, Status, Verdict

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def report(*checks: tuple[str, Status, Family], demonstration: bool = False, **members: Any) -> Report:
    usual = {"evidence_id": "ev-1", "purpose": "evidence", "kind": "platform_capture"}
    found = {**usual, "outcome": {"status": "captured", "reasons": []}, **members}
    made = [
        Check(number, "name", status, f"why {number}", family=family) for number, status, family in checks
    ]
    passed = Check("1.1", "files", Status.PASS, "all")
    return Report("evidence", NOW, (passed, *made), Findings(manifest=found), demonstration=demonstration)


REPORTS = {
    Verdict.EVIDENCE: report(),
    Verdict.DEMONSTRATION: report(demonstration=True),
    Verdict.INVALID: report(("2.1", Status.FAIL, Family.INTEGRITY)),
    Verdict.OVER_LIMIT: report(("0.1", Status.FAIL, Family.FORMAT)),
    Verdict.UNSUPPORTED: report(("0.2", Status.FAIL, Family.FORMAT)),
    Verdict.UNTRUSTED: report(("4.2", Status.FAIL, Family.TRUST)),
    Verdict.PENDING: report(("6.1", Status.PENDING, Family.INTEGRITY)),
    Verdict.INCOMPLETE: report(("6.1", Status.NOT_CHECKED, Family.INTEGRITY)),
}
ERRORS = {
    Verdict.INVALID: MismatchError,
    Verdict.OVER_LIMIT: MismatchError,
    Verdict.UNSUPPORTED: MismatchError,
    Verdict.UNTRUSTED: ConfigurationError,
    Verdict.PENDING: NodeUnavailableError,
    Verdict.INCOMPLETE: NodeUnavailableError,
}


def test_the_tables_have_a_row_for_everything_there_is() -> None:
    assert set(KINDS) == set(manifest.KINDS)
    assert set(OUTCOMES) == set(manifest.OUTCOMES)
    assert set(VERDICTS) == set(Verdict) == set(REPORTS)
    for rule in itertools.chain(KINDS.values(), OUTCOMES.values(), VERDICTS.values()):
        assert (rule.effect is Effect.ISSUED) == (rule.words == "")


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_has_its_effect(verdict: Verdict) -> None:
    assert REPORTS[verdict].verdict is verdict
    rule = VERDICTS[verdict]
    if rule.effect in (Effect.ISSUED, Effect.QUALIFIED):
        assert judge(REPORTS[verdict]) == ((rule.words,) if rule.words else ())
        return
    with pytest.raises(ERRORS[verdict]) as refusal:
        judge(REPORTS[verdict])
    assert rule.words in refusal.value.message
    assert "why " in refusal.value.message, "the check that is missing is named"
    assert isinstance(refusal.value, MismatchError) == (rule.effect is Effect.REFUSED)


@pytest.mark.parametrize(("kind", "outcome"), list(itertools.product(manifest.KINDS, manifest.OUTCOMES)))
def test_each_outcome_has_its_effect(kind: str, outcome: str) -> None:
    rows = (KINDS[kind], OUTCOMES[outcome])
    effects = {row.effect for row in rows}
    found = report(demonstration=True, kind=kind, outcome={"status": outcome, "reasons": []})
    if Effect.REFUSED in effects:
        for attempt in (lambda: check_outcome(kind, outcome), lambda: judge(found)):
            with pytest.raises(PolicyRefusedError, match="no certificate is issued: ") as refusal:
                attempt()
            assert refusal.value.what_to_do
        return
    words = [row.words for row in rows if row.effect is Effect.QUALIFIED]
    assert check_outcome(kind, outcome) == words
    assert judge(found) == (*words, VERDICTS[Verdict.DEMONSTRATION].words)


def test_what_is_not_captured_yet_may_be_ordered() -> None:
    assert check_outcome("platform_capture", None) == []
    with pytest.raises(PolicyRefusedError):
        check_outcome("digest", None)


def test_an_authority_that_was_missing_is_named() -> None:
    assert judge(report(), absent=["TSA A", "TSA B"]) == (
        "TSA A gave no time stamp",
        "TSA B gave no time stamp",
    )
