"""What a verification found: numbered checks, what they confirmed, one verdict, one exit code.

The numbers are those of ``docs/spec/verification.md``. A check that did not run is never reported as passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Literal

from evidence_service.core import document

if TYPE_CHECKING:
    from evidence_service.verify.register import Registered

FORMAT = "evidence-verification/1"


class Status(StrEnum):
    """Result of one check."""

    PASS = "pass"  # noqa: S105 - a word, not a secret
    FAIL = "fail"
    NOT_CHECKED = "not_checked"
    PENDING = "pending"


class Family(StrEnum):
    """What a failure of a check means."""

    INTEGRITY = "integrity"
    """The bytes contradict themselves or a proof."""
    FORMAT = "format"
    """The document is of an unknown version or over a limit; nothing is said about its truth."""
    TRUST = "trust"
    """The bytes are genuine, but the policy does not know who vouches for them."""


class Verdict(StrEnum):
    """The one word of the answer; the sentence for people is in :meth:`Report.sentence`."""

    EVIDENCE = "evidence"
    DEMONSTRATION = "demonstration"
    UNTRUSTED = "untrusted"
    INVALID = "invalid"
    PENDING = "pending"
    INCOMPLETE = "incomplete"
    UNSUPPORTED = "unsupported"
    OVER_LIMIT = "over_limit"


class ExitCode(IntEnum):
    """Exit codes of every verifying command; stable."""

    VERIFIED = 0
    INTERNAL = 1
    USAGE = 2
    INVALID = 3
    UNTRUSTED = 4
    PENDING = 5
    NOT_CHECKED = 6
    NOTHING_FOUND = 7
    UNSUPPORTED = 8
    OVER_LIMIT = 9
    NOT_CURRENT = 10


EXIT_CODES = {
    Verdict.EVIDENCE: ExitCode.VERIFIED,
    Verdict.DEMONSTRATION: ExitCode.VERIFIED,
    Verdict.INVALID: ExitCode.INVALID,
    Verdict.UNTRUSTED: ExitCode.UNTRUSTED,
    Verdict.PENDING: ExitCode.PENDING,
    Verdict.INCOMPLETE: ExitCode.NOT_CHECKED,
    Verdict.UNSUPPORTED: ExitCode.UNSUPPORTED,
    Verdict.OVER_LIMIT: ExitCode.OVER_LIMIT,
}

_SENTENCES = {
    Verdict.EVIDENCE: "Verified: the evidence is unchanged since the times shown, and every check passed.",
    Verdict.DEMONSTRATION: "Verified as a demonstration, not evidence: every check passed, but the parts "
    "that vouch for it are demonstration parts.",
    Verdict.UNTRUSTED: "Genuine as far as its own bytes go, but vouched for by someone this policy does not "
    "trust.",
    Verdict.INVALID: "Not valid: the bytes do not hold together; do not rely on it.",
    Verdict.PENDING: "Not finished: what is there holds, but the proof is not complete yet.",
    Verdict.INCOMPLETE: "Not fully checked: nothing is wrong so far, but a required check could not run.",
    Verdict.UNSUPPORTED: "Made in a format version this program does not know.",
    Verdict.OVER_LIMIT: "Refused: over a limit that protects the one who verifies.",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check.

    Attributes:
        id: number in the specification, e.g. ``4.2``.
        name: what is compared, in a few words.
        status: its result.
        why: what was seen, one sentence.
        what_to_do: the reader's next step, empty when there is none.
        family: what a failure would mean.
        required: whether "not checked" keeps the whole from being called verified.
    """

    id: str
    name: str
    status: Status
    why: str
    what_to_do: str = ""
    family: Family = Family.INTEGRITY
    required: bool = True


@dataclass(frozen=True, slots=True)
class GivenFile:
    """What became of a file or bare digest that was given for comparison."""

    name: str
    """As given; a bare digest in hexadecimal."""
    status: Literal["unchanged", "changed", "foreign", "attachment"]
    """``foreign``: not part of this evidence; ``attachment``: a copy of what the certificate attaches."""
    path: str | None
    """Path in the manifest, None when it has none."""


@dataclass(frozen=True, slots=True)
class ConfirmedTimestamp:
    """A token whose signature and imprint hold."""

    of: str
    """``manifest``, ``batch_header``, ``renewal``, ``seal`` or ``document`` (the certificate's PDF)."""
    gen_time: datetime
    authority: str
    """Name in the policy when trusted, else the name the token gives itself."""
    trusted: bool
    serial: str
    policy: str
    accuracy_ms: int | None


@dataclass(frozen=True, slots=True)
class ConfirmedRenewal:
    """A renewal that is about this record; its tokens hold, trusted or not."""

    kind: str
    """``timestamp`` or ``hash_tree``."""
    suite: str
    timestamps: tuple[ConfirmedTimestamp, ...]


@dataclass(frozen=True, slots=True)
class ConfirmedAnchor:
    """A transaction proved to be in a block header."""

    chain_id: int
    chain_name: str | None
    """Name in the policy, None when the policy does not know chain and contract."""
    contract: str
    submitter: str
    transaction_hash: str
    block_number: int
    block_hash: str
    block_time: datetime
    has_state_proof: bool
    canonical: bool
    """True only after the header was compared with a node or a checkpoint of the policy."""


@dataclass(frozen=True, slots=True)
class ConfirmedSeal:
    """A certificate's seal whose signature covers the whole certificate.

    Attributes:
        level: achieved, ``PAdES B-B`` to ``PAdES B-LTA``.
        archive_timestamps: document time stamps that hold, trusted or not, oldest first.
    """

    signer: str
    level: str
    trusted: bool
    issuer: str | None
    signing_time: datetime | None
    archive_timestamps: tuple[ConfirmedTimestamp, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """Facts the engine confirmed; a renderer prints nothing else.

    Attributes:
        manifest: value of the manifest, None when it did not hold.
        manifest_bytes: its canonical bytes.
        files: what became of each file given.
        missing: paths of the manifest that were not given.
        custody: events, oldest first; empty unless the chain held.
        batch_header: value of the header the entry is included in.
        commitment: 32 bytes as hexadecimal, empty when there is no batch.
    """

    manifest: Mapping[str, Any] | None = None
    manifest_bytes: bytes = b""
    files: tuple[GivenFile, ...] = ()
    missing: tuple[str, ...] = ()
    custody: Sequence[Mapping[str, Any]] = ()
    batch_header: Mapping[str, Any] | None = None
    commitment: str = ""
    timestamps: tuple[ConfirmedTimestamp, ...] = ()
    renewals: tuple[ConfirmedRenewal, ...] = ()
    anchors: tuple[ConfirmedAnchor, ...] = ()
    seal: ConfirmedSeal | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The answer about one subject (a certificate, a bundle)."""

    subject: str
    verified_at: datetime
    checks: tuple[Check, ...]
    findings: Findings = field(default_factory=Findings)
    demonstration: bool = True
    """True unless every part that vouches is a production part; see the specification, section 11."""
    trusts: tuple[str, ...] = ()
    """Everything the policy trusts, one line each."""
    registered: Registered | None = None
    """What the issuer's register says, None when it was not asked (specification, section 13)."""

    @property
    def verdict(self) -> Verdict:
        """The verdict that follows from the checks; the order is that of the specification, section 11."""
        failed = {(check.family, check.status) for check in self.checks}
        required = {check.status for check in self.checks if check.required}
        if (Family.INTEGRITY, Status.FAIL) in failed:
            return Verdict.INVALID
        if (Family.FORMAT, Status.FAIL) in failed:
            over = any(
                c.family is Family.FORMAT and c.status is Status.FAIL and c.id == "0.1" for c in self.checks
            )
            return Verdict.OVER_LIMIT if over else Verdict.UNSUPPORTED
        if (Family.TRUST, Status.FAIL) in failed:
            return Verdict.UNTRUSTED
        if Status.PENDING in required:
            return Verdict.PENDING
        if Status.NOT_CHECKED in required or not required:
            return Verdict.INCOMPLETE
        return Verdict.DEMONSTRATION if self.demonstration else Verdict.EVIDENCE

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of a command that reports only this; where a register was asked, it counts as well."""
        code = EXIT_CODES[self.verdict]
        if code is not ExitCode.VERIFIED or self.registered is None:
            return code
        return _STANDINGS.get(self.registered.standing, ExitCode.NOT_CURRENT)

    @property
    def sentence(self) -> str:
        """The verdict as a sentence a judge understands; what has to be read first comes first."""
        warning = "" if self.registered is None else self.registered.warning
        return f"{warning.rstrip('.')}. {_SENTENCES[self.verdict]}" if warning else _SENTENCES[self.verdict]

    def failures(self) -> tuple[Check, ...]:
        """Checks that failed, in order."""
        return tuple(check for check in self.checks if check.status is Status.FAIL)

    def to_document(self) -> dict[str, Any]:
        """One member of ``reports`` in ``evidence-verification/1``."""
        return {
            "subject": self.subject,
            "verified_at": document.format_time(self.verified_at),
            "verdict": self.verdict.value,
            "exit_code": int(self.exit_code),
            "sentence": self.sentence,
            "checks": [
                {
                    "id": check.id,
                    "name": check.name,
                    "status": check.status.value,
                    "family": check.family.value,
                    "required": check.required,
                    "why": check.why,
                    "what_to_do": check.what_to_do,
                }
                for check in self.checks
            ],
            "evidence": _findings_document(self.findings),
            "trusts": list(self.trusts),
            **({} if self.registered is None else {"register": self.registered.to_document()}),
        }


SEVERITY = (
    ExitCode.INVALID,
    ExitCode.OVER_LIMIT,
    ExitCode.UNSUPPORTED,
    ExitCode.UNTRUSTED,
    ExitCode.NOT_CURRENT,
    ExitCode.PENDING,
    ExitCode.NOT_CHECKED,
)
"""Exit codes that are not "verified", worst first (specification, section 11)."""

_STANDINGS = {"current": ExitCode.VERIFIED, "not_checked": ExitCode.NOT_CHECKED}


def overall(reports: Sequence[Report]) -> ExitCode:
    """One exit code for several subjects: that of the worst."""
    found = {report.exit_code for report in reports}
    if not found:
        return ExitCode.NOTHING_FOUND
    return next((code for code in SEVERITY if code in found), ExitCode.VERIFIED)


def verification_document(reports: Sequence[Report]) -> dict[str, Any]:
    """What ``evidence verify --json`` prints: ``evidence-verification/1``, see its published schema."""
    return {
        "format": FORMAT,
        "exit_code": int(overall(reports)),
        "reports": [report.to_document() for report in reports],
        "error": None,
    }


def error_document(exit_code: ExitCode, message: str, what_to_do: str) -> dict[str, Any]:
    """The same document when nothing could be verified at all."""
    return {
        "format": FORMAT,
        "exit_code": int(exit_code),
        "reports": [],
        "error": {"message": message, "what_to_do": what_to_do},
    }


def _findings_document(findings: Findings) -> dict[str, Any]:
    manifest = findings.manifest
    seal = findings.seal
    return {
        "evidence_id": None if manifest is None else manifest["evidence_id"],
        "purpose": None if manifest is None else manifest["purpose"],
        "commitment": findings.commitment or None,
        "files": [{"name": item.name, "status": item.status, "path": item.path} for item in findings.files],
        "missing": list(findings.missing),
        "timestamps": [_timestamp_document(item) for item in findings.timestamps],
        "renewals": [
            {
                "kind": item.kind,
                "suite": item.suite,
                "timestamps": [_timestamp_document(token) for token in item.timestamps],
            }
            for item in findings.renewals
        ],
        "anchors": [
            {
                "chain_id": str(item.chain_id),
                "chain": item.chain_name,
                "contract": item.contract,
                "submitter": item.submitter,
                "transaction": item.transaction_hash,
                "block_number": str(item.block_number),
                "block_hash": item.block_hash,
                "block_time": document.format_time(item.block_time),
                "state_proof": item.has_state_proof,
                "canonical": item.canonical,
            }
            for item in findings.anchors
        ],
        "seal": None
        if seal is None
        else {
            "signer": seal.signer,
            "level": seal.level,
            "trusted": seal.trusted,
            "issuer": seal.issuer,
            "signing_time": None if seal.signing_time is None else document.format_time(seal.signing_time),
            "archive_timestamps": [_timestamp_document(item) for item in seal.archive_timestamps],
        },
    }


def _timestamp_document(item: ConfirmedTimestamp) -> dict[str, Any]:
    return {
        "of": item.of,
        "time": document.format_time(item.gen_time),
        "authority": item.authority,
        "trusted": item.trusted,
        "serial": item.serial,
        "policy": item.policy,
        "accuracy_ms": item.accuracy_ms,
    }
