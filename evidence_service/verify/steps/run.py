"""Checks and findings of one verification as they accumulate."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from evidence_service.errors import EvidenceError, LimitExceededError, UnsupportedVersionError
from evidence_service.verify.policy import Policy
from evidence_service.verify.report import (
    Check,
    ConfirmedAnchor,
    ConfirmedRenewal,
    ConfirmedSeal,
    ConfirmedTimestamp,
    Family,
    GivenFile,
    Status,
)
from evidence_service.verify.timestamp import JudgedToken, TimestampFacts, judge_token

NAMES = {
    "0.1": "within the verifier's limits",
    "0.2": "known format version",
    "1.1": "evidence files match the manifest",
    "2.1": "bundle and manifest are whole and strictly formed",
    "2.2": "custody log is unbroken and bound to the manifest",
    "3.1": "manifest is included in the batch",
    "4.1": "time stamps are intact and over these bytes",
    "4.2": "time stamps are by trusted authorities",
    "4.3": "recorded times agree with one another",
    "4.4": "nobody who vouches in time stamps was revoked",
    "4.5": "time stamps were renewed in time",
    "4.6": "attestations of other kinds",
    "5.1": "anchoring transaction is in a block header",
    "5.2": "contract's state in that block holds the record",
    "5.3": "chain and contract are those of the policy",
    "6.1": "block header is canonical",
    "7.1": "certificate's seal is intact and covers the whole file",
    "7.2": "certificate was sealed by a trusted issuer",
    "7.3": "certificate's attachments agree with its bundle",
    "7.4": "what the seal rests on was not revoked",
    "7.5": "document time stamps are intact, trusted and in time",
    "8.1": "exhibit is whole and about this evidence",
    "8.2": "redactions are of files of the manifest",
    "8.3": "derivatives are those that are stated",
    "8.4": "every file of the manifest is accounted for",
    "8.5": "custody log knows the redaction",
}
"""Every check there is, by number (specification, section 1)."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A token that holds and was judged, with what was collected about it.

    Attributes:
        of: ``manifest``, ``batch_header`` or ``renewal``.
        crls: DER of the revocation lists collected for it.
    """

    of: str
    judged: JudgedToken
    crls: tuple[bytes, ...]


def collected_lists(item: Mapping[str, Any]) -> tuple[bytes, ...]:
    """Revocation lists of a token as a checked bundle holds it; version 1 has no place for them."""
    return tuple(map(base64.b64decode, item.get("revocation", {}).get("crls", ())))


@dataclass(slots=True)
class Run:
    """One verification.

    Attributes:
        demonstrations: for each part that vouches, whether it is a demonstration (specification, section 11).
        missing: paths of the manifest that were not given.
        first_over: what the first link is over (specification, 4.1 of section 8); ``batch_header`` where the
            time of a digest is proved through the batch.
    """

    policy: Policy
    now: datetime
    checks: list[Check] = field(default_factory=list)
    files: list[GivenFile] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    first_over: Literal["manifest", "batch_header"] = "manifest"
    timestamps: list[ConfirmedTimestamp] = field(default_factory=list)
    renewals: list[ConfirmedRenewal] = field(default_factory=list)
    anchors: list[ConfirmedAnchor] = field(default_factory=list)
    seal: ConfirmedSeal | None = None
    demonstrations: list[bool] = field(default_factory=list)

    def add(
        self,
        number: str,
        status: Status,
        why: str,
        what_to_do: str = "",
        *,
        family: Family = Family.INTEGRITY,
        required: bool = True,
    ) -> None:
        """Record a check that did not simply pass."""
        self.checks.append(Check(number, NAMES[number], status, why, what_to_do, family, required))

    def passed(self, number: str, why: str, *, family: Family = Family.INTEGRITY) -> None:
        """Record a check that passed."""
        self.add(number, Status.PASS, why, family=family)

    def failed(self, number: str, error: EvidenceError) -> None:
        """Record what an evidence error means for this check (specification, section 2)."""
        if isinstance(error, LimitExceededError):
            number, family = "0.1", Family.FORMAT
        elif isinstance(error, UnsupportedVersionError):
            number, family = "0.2", Family.FORMAT
        else:
            family = Family.INTEGRITY
        if all(check.id != number for check in self.checks):
            self.add(number, Status.FAIL, error.message, error.what_to_do, family=family)

    def judge(self, of: str, facts: TimestampFacts) -> tuple[JudgedToken, ConfirmedTimestamp]:
        """Judge a token whose signature holds by the policy; and what to report of it, trusted or not."""
        judged = judge_token(facts, self.policy.authorities)
        confirmed = ConfirmedTimestamp(
            of=of,
            gen_time=facts.gen_time,
            authority=facts.authority if judged.voucher is None else judged.voucher.name,
            trusted=judged.voucher is not None,
            serial=str(facts.info.serial),
            policy=facts.info.policy,
            accuracy_ms=facts.info.accuracy_ms,
        )
        return judged, confirmed

    def timestamp(self, of: str, facts: TimestampFacts) -> JudgedToken:
        """Judge and report a token of the bundle's ``timestamps``, or the seal's."""
        judged, confirmed = self.judge(of, facts)
        self.timestamps.append(confirmed)
        return judged
