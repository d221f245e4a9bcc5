"""Checks and findings of one verification as they accumulate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from evidence_service.errors import EvidenceError, LimitExceededError, UnsupportedVersionError
from evidence_service.verify.policy import Policy
from evidence_service.verify.report import (
    Check,
    ConfirmedAnchor,
    ConfirmedSeal,
    ConfirmedTimestamp,
    Family,
    GivenFile,
    Status,
)
from evidence_service.verify.timestamp import TimestampFacts, trust_token

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
    "5.1": "anchoring transaction is in a block header",
    "5.2": "contract's state in that block holds the record",
    "5.3": "chain and contract are those of the policy",
    "6.1": "block header is canonical",
    "7.1": "certificate's seal is intact and covers the whole file",
    "7.2": "certificate was sealed by a trusted issuer",
    "7.3": "certificate's attachments agree with its bundle",
}
"""Every check there is, by number (specification, section 1)."""


@dataclass(slots=True)
class Run:
    """One verification.

    Attributes:
        demonstrations: for each part that vouches, whether it is a demonstration (specification, section 11).
        missing: paths of the manifest that were not given.
    """

    policy: Policy
    now: datetime
    checks: list[Check] = field(default_factory=list)
    files: list[GivenFile] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    timestamps: list[ConfirmedTimestamp] = field(default_factory=list)
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

    def timestamp(self, of: str, facts: TimestampFacts) -> tuple[str | None, bool, str]:
        """Record a token whose signature holds, trusted or not.

        Returns:
            The trusted authority's name or None, whether it is a demonstration, and why it is not trusted.
        """
        voucher, why = trust_token(facts, self.policy.authorities)
        self.timestamps.append(
            ConfirmedTimestamp(
                of=of,
                gen_time=facts.gen_time,
                authority=facts.authority if voucher is None else voucher.name,
                trusted=voucher is not None,
                serial=str(facts.info.serial),
                policy=facts.info.policy,
                accuracy_ms=facts.info.accuracy_ms,
            )
        )
        if voucher is None:
            return None, True, why
        return voucher.name, voucher.demonstration, ""
