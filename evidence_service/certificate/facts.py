"""The facts a certificate prints: only what the verification engine confirmed, or files whose digests the
confirmed manifest holds. The renderer gets nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence_service.certificate.edition import Edition
from evidence_service.core import bundle, document, manifest
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError
from evidence_service.verify.report import Report, Status
from evidence_service.verify.steps.seal import BUNDLE_NAME, expected_attachments

ReadObject = Callable[[str], bytes]
"""SHA-256 (hexadecimal) → content, hashed again on the way."""


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
        screenshots: PNG files, the full page first.
        attachments: files to embed, by name.
    """

    values: Mapping[str, Any]
    screenshots: tuple[tuple[str, bytes], ...]
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
        MismatchError: the report is about another bundle, or a file is not what the manifest lists.
    """
    value = bundle.parse(preserved.bundle)
    findings = report.findings
    if findings.manifest is None or findings.manifest_bytes != bundle.manifest_bytes(value):
        raise MismatchError("the report is not about this bundle")
    found = findings.manifest
    digest = digest_of(findings.manifest_bytes)
    attachments = {BUNDLE_NAME: preserved.bundle, **expected_attachments(value)}
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
        "manifest": found,
        "digest": {"sha256": digest.sha256.hex(), "sha3_512": digest.sha3_512.hex()},
        "main": _main_exchange(found, preserved.read),
        "actions": _actions(found, preserved.read),
        "environment": _environment(found, preserved.read),
        "timestamps": [
            {
                "of": item.of,
                "time": document.format_time(item.gen_time),
                "authority": item.authority,
                "serial": item.serial,
                "policy": item.policy,
            }
            for item in findings.timestamps
        ],
        "batch": _batch(value, findings.commitment),
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
        "inclusion": value["inclusion"],
        "custody": list(findings.custody),
        "checks": [
            {"id": check.id, "name": check.name, "status": check.status.value, "why": check.why}
            for check in report.checks
            if check.status is not Status.PENDING
        ],
    }
    return CertificateFacts(values, _screenshots(found, preserved.read), attachments, issued_at)


def _read(found: Mapping[str, Any], role: str, read: ReadObject) -> bytes | None:
    for item in manifest.files_with_role(found, role):
        data = read(item["sha256"])
        if digest_of(data).sha3_512.hex() != item["sha3_512"]:
            raise MismatchError(f"{item['path']} is not the file the manifest lists")
        return data
    return None


def _screenshots(found: Mapping[str, Any], read: ReadObject) -> tuple[tuple[str, bytes], ...]:
    result = []
    for role in ("screenshot.full", "screenshot.before_consent"):
        data = _read(found, role, read)
        if data is not None:
            result.append((role, data))
    return tuple(result)


def _actions(found: Mapping[str, Any], read: ReadObject) -> list[dict[str, Any]]:
    data = _read(found, "actions", read)
    return [] if data is None else [json.loads(line) for line in data.decode().splitlines()]


def _environment(found: Mapping[str, Any], read: ReadObject) -> list[dict[str, Any]]:
    data = _read(found, "environment", read)
    if data is None:
        return []
    return [
        {
            "number": point["number"],
            "name": point["name"],
            "status": point["status"],
            "value": _plain(point["value"]),
        }
        for point in json.loads(data)["points"]
    ]


def _plain(value: Any) -> str:
    """A value of the environment as one line of text."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_plain(member)}" for name, member in value.items())
    if isinstance(value, list):
        return " ".join(str(member) for member in value) or "none"
    return str(value)


def _main_exchange(found: Mapping[str, Any], read: ReadObject) -> dict[str, Any] | None:
    """The exchange that carried the page itself."""
    data = _read(found, "exchanges.metadata", read)
    if data is None:
        return None
    exchanges = json.loads(data)
    final = str(found["subject"]["final_url"] or "").split("#", maxsplit=1)[0].rstrip("/")
    main = next((item for item in exchanges if item["url"].rstrip("/") == final), None)
    if main is None:
        return None
    return {
        "tls": "; ".join(f"{name}: {value}" for name, value in main["tls"].items()),
        "certificates": main["chain"],
        "resolved": " ".join(main["resolved"]),
        "exchanges": len(exchanges),
    }


def _batch(value: Mapping[str, Any], commitment: str) -> dict[str, Any] | None:
    header = value["batch_header"]
    if header is None:
        return None
    return {
        "sequence": header["sequence"],
        "size": header["size"],
        "root": header["roots"]["sha256"],
        "closed_at": header["closed_at"],
        "commitment": commitment,
    }
