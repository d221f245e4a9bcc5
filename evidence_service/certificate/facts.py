"""The facts a certificate prints: only what the verification engine confirmed, or files whose digests the
confirmed manifest holds. The renderer gets nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence_service.certificate.edition import Edition
from evidence_service.certificate.recorded import ReadObject, Record, Screenshot, calls
from evidence_service.certificate.required import stated
from evidence_service.core import bundle, document
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError
from evidence_service.verify.report import Findings, Report, Status, Verdict
from evidence_service.verify.steps.seal import BUNDLE_NAME, expected_attachments


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues certificates, as printed.

    Attributes:
        registration: number and register; independence: statement about conflicts of interest.
        filings: filings or certifications with authorities, ``none`` where there are none.
    """

    name: str
    registration: str
    independence: str
    filings: str


@dataclass(frozen=True, slots=True)
class Preserved:
    """A bundle and the way to the files its manifest lists."""

    bundle: bytes
    read: ReadObject


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the renderer gets.

    Attributes:
        values: JSON value the templates read.
        screenshots: pictures to print, the full page first.
        attachments: files to embed, by name.
    """

    values: Mapping[str, Any]
    screenshots: tuple[Screenshot, ...]
    attachments: Mapping[str, bytes]
    issued_at: datetime


def certificate_facts(
    report: Report,
    preserved: Preserved,
    *,
    number: str,
    issued_at: datetime,
    issuer: Issuer,
    edition: Edition,
    level: str,
    register: str | None = None,
) -> CertificateFacts:
    """Collect the facts of a certificate.

    Args:
        report: the engine's, on ``preserved.bundle`` with all its files.
        level: that the seal is to reach, as printed; one that reached another is not released.
        register: public address of the register of certificates; None when there is none.

    Raises:
        MismatchError: the report is about another bundle or not "verified", or a file is not what the
            manifest lists.
    """
    value = bundle.parse(preserved.bundle)
    findings = report.findings
    if findings.manifest is None or findings.manifest_bytes != bundle.manifest_bytes(value):
        raise MismatchError("the report is not about this bundle")
    if report.verdict not in (Verdict.EVIDENCE, Verdict.DEMONSTRATION):
        raise MismatchError(f"nothing is printed of evidence that was not verified: {report.sentence}")
    record = Record(findings.manifest, preserved.read)
    screenshots, unprinted = record.screenshots()
    values = {
        "number": number,
        "issued_at": document.format_time(issued_at),
        "edition": {
            "code": edition.code,
            "jurisdiction": edition.jurisdiction,
            "languages": list(edition.printed_languages),
        },
        "template": edition.template,
        "level": level,
        "register": register,
        "demonstration": report.demonstration,
        "issuer": {
            "name": issuer.name,
            "registration": issuer.registration,
            "independence": issuer.independence,
            "filings": issuer.filings,
        },
        **_recorded(record, findings.manifest),
        **_confirmed(report),
        "inclusion": value["inclusion"] if findings.batch_header is not None else None,
        "unprinted": [{"path": item["path"], "sha256": item["sha256"]} for item in unprinted],
        "forms": edition.definition["forms"],
    }
    values["rows"] = stated(edition, values)
    attachments = {BUNDLE_NAME: preserved.bundle, **expected_attachments(value)}
    return CertificateFacts(values, screenshots, attachments, issued_at)


def _recorded(record: Record, found: Mapping[str, Any]) -> dict[str, Any]:
    """What the files of the record say; their digests are in the manifest."""
    actions, exchanges = record.actions(), record.exchanges()
    looked_at, points = record.environment()
    return {
        "manifest": found,
        "main": record.main(exchanges, actions),
        "calls": calls(actions, exchanges),
        "actions": actions,
        "environment_at": looked_at,
        "environment": points,
        "disagreements": record.disagreements(),
    }


def _confirmed(report: Report) -> dict[str, Any]:
    """What the engine confirmed of the proofs, and the checks it made."""
    findings = report.findings
    digest = digest_of(findings.manifest_bytes)
    return {
        "digest": {"sha256": digest.sha256.hex(), "sha3_512": digest.sha3_512.hex()},
        "timestamps": [
            {
                "of": item.of,
                "time": document.format_time(item.gen_time),
                "authority": item.authority,
                "trusted": item.trusted,
                "serial": item.serial,
                "policy": item.policy,
            }
            for item in findings.timestamps
        ],
        "batch": _batch(findings),
        "anchors": [
            {
                "chain_id": str(item.chain_id),
                "chain": item.chain_name or "",
                "contract": item.contract,
                "submitter": item.submitter,
                "transaction": item.transaction_hash,
                "block_number": str(item.block_number),
                "block_hash": item.block_hash,
                "block_time": document.format_time(item.block_time),
                "state_proof": item.has_state_proof,
            }
            for item in findings.anchors
        ],
        "custody": list(findings.custody),
        "checks": [
            {"id": check.id, "name": check.name, "status": check.status.value, "why": check.why}
            for check in report.checks
            if check.status is not Status.PENDING
        ],
    }


def _batch(findings: Findings) -> dict[str, Any] | None:
    header = findings.batch_header
    if header is None:
        return None
    return {
        "sequence": header["sequence"],
        "size": header["size"],
        "root": header["roots"]["sha256"],
        "closed_at": header["closed_at"],
        "commitment": findings.commitment,
    }
