"""What is certified, what only with words about it, and what not: the whole policy of the issuer, as tables.

Each row says what becomes of one kind, one outcome or one verdict. What is qualified is certified, and that
is said: on it, in the register, in the custody log and in every answer about it. What waits is tried
again. Nothing that is not in these tables is certified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evidence_service.errors import (
    ConfigurationError,
    EvidenceServiceError,
    MismatchError,
    NodeUnavailableError,
    PolicyRefusedError,
)
from evidence_service.verify.report import Report, Status, Verdict


class Effect(StrEnum):
    """What a rule does."""

    ISSUED = "issued"
    QUALIFIED = "qualified"
    WAITS = "waits"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: its effect, and the words that go with it."""

    effect: Effect
    words: str = ""
    what_to_do: str = ""


_ISSUED = Rule(Effect.ISSUED)
_AGAIN = "capture the listing again, and look at the reasons of this capture first"

KINDS: Mapping[str, Rule] = {
    "platform_capture": _ISSUED,
    "upload": _ISSUED,
    "digest": Rule(
        Effect.REFUSED,
        "a registered digest has a proof bundle and no certificate",
        "give the proof bundle beside the file",
    ),
}
"""By the manifest's ``kind``."""

OUTCOMES: Mapping[str, Rule] = {
    "captured": _ISSUED,
    "received": _ISSUED,
    "partial": Rule(Effect.QUALIFIED, "the page was captured in part"),
    "removed": Rule(Effect.QUALIFIED, "the listing was not there any more: the page that stood in its place"),
    "http_error": Rule(Effect.QUALIFIED, "the server answered with an error: the page that came with it"),
    # These pages are about the visitor, not about the listing. As a certificate they would look like more.
    "challenge": Rule(Effect.REFUSED, "a proof of being human stood in place of the listing", _AGAIN),
    "auth_wall": Rule(Effect.REFUSED, "a gate (sign-in, age, app) stood in place of the listing", _AGAIN),
    "blocked": Rule(Effect.REFUSED, "the listing could not be reached", _AGAIN),
}
"""By how the capture ended."""

VERDICTS: Mapping[Verdict, Rule] = {
    Verdict.EVIDENCE: _ISSUED,
    Verdict.DEMONSTRATION: Rule(
        Effect.QUALIFIED,
        "a demonstration, not evidence: its purpose, its chain (development chain or test network), its "
        "authorities or its seal are for demonstrations",
    ),
    Verdict.PENDING: Rule(
        Effect.WAITS, "the proof is not complete yet", "it is tried again when it may be complete"
    ),
    Verdict.INCOMPLETE: Rule(
        Effect.WAITS, "a required check could not run", "it is tried again when a node answers"
    ),
    Verdict.UNTRUSTED: Rule(
        Effect.WAITS,
        "the issuer's own policy does not accept the evidence",
        "name the configured authorities, chain and contract in the trust file",
    ),
    Verdict.INVALID: Rule(Effect.REFUSED, "the evidence does not hold"),
    Verdict.UNSUPPORTED: Rule(Effect.REFUSED, "the evidence is of a version this program does not know"),
    Verdict.OVER_LIMIT: Rule(Effect.REFUSED, "the evidence is over a limit of the verification"),
}
"""By what the verification engine says; too few time stamps of trusted authorities are ``UNTRUSTED``."""


def check_outcome(kind: str, outcome: str | None) -> list[str]:
    """Qualifications that follow from what was preserved, and how.

    Args:
        outcome: None as long as it is not known; everything may come of it then.

    Raises:
        PolicyRefusedError: a rule forbids a certificate.
    """
    rows = [KINDS[kind]] if outcome is None else [KINDS[kind], OUTCOMES[outcome]]
    for row in rows:
        if row.effect is Effect.REFUSED:
            raise PolicyRefusedError(f"no certificate is issued: {row.words}", what_to_do=row.what_to_do)
    return [row.words for row in rows if row.effect is Effect.QUALIFIED]


def judge(report: Report, *, absent: Sequence[str] = ()) -> tuple[str, ...]:
    """Everything that has to be said about a certificate of evidence the engine reported on.

    Args:
        absent: configured authorities that gave no time stamp while enough others did.

    Raises:
        UnavailableError, ConfigurationError: it has to wait.
        MismatchError, PolicyRefusedError: no certificate is issued.
    """
    rule, seen = VERDICTS[report.verdict], _words(report)
    if rule.effect is Effect.WAITS:
        family: type[EvidenceServiceError] = (
            ConfigurationError if report.verdict is Verdict.UNTRUSTED else NodeUnavailableError
        )
        raise family(f"{rule.words}: {seen}", what_to_do=rule.what_to_do)
    if rule.effect is Effect.REFUSED:
        raise MismatchError(f"no certificate is issued: {rule.words}: {seen}")
    manifest = report.findings.manifest or {}
    words = check_outcome(manifest["kind"], manifest["outcome"]["status"])
    if rule.effect is Effect.QUALIFIED:
        words.append(rule.words)
    return (*words, *(f"{name} gave no time stamp" for name in absent))


def _words(report: Report) -> str:
    return "; ".join(
        f"{check.id} {check.why}"
        for check in report.checks
        if check.status is Status.FAIL or (check.required and check.status is not Status.PASS)
    )
