"""Audit: derive everything stored again, from the bytes up, with the same engine outsiders use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evidence_service.core import bundle, manifest
from evidence_service.errors import (
    ConfigurationError,
    EvidenceError,
    EvidenceServiceError,
    MismatchError,
    NotFoundError,
    UnavailableError,
)
from evidence_service.service.bundles import assemble
from evidence_service.service.exhibit_content import redactions_of
from evidence_service.service.parts import Parts
from evidence_service.service.renew import changed_since
from evidence_service.store.batches import Batch
from evidence_service.store.records import Evidence
from evidence_service.timestamp.calendar import read_proof
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.report import Family
from evidence_service.verify.verifier import verify

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit of one piece of evidence, or of one batch, found; no problems: everything holds."""

    subject_id: str
    status: str
    problems: tuple[str, ...]


def audit_trees(parts: Parts) -> Iterator[Audited]:
    """Every batch: its tree file, and the evidence in it, each hashed again up to the root in its header.

    Evidence that is gone with its custody log and everything else is missed here: what is anchored cannot
    leave. What is deleted keeps its manifest.
    """
    after = 0
    while page := parts.batches.list_batches(after=after, limit=_PAGE):
        for batch in page:
            yield Audited(batch.id, batch.status, tuple(_batch_problems(parts, batch)))
        after = page[-1].sequence


def _batch_problems(parts: Parts, batch: Batch) -> Iterator[str]:
    try:
        parts.batches.check_tree(batch)
    except MismatchError as error:
        yield f"{error.message}; it is made again when a proof is asked for"
    try:
        parts.batches.check_entries(batch)
    except MismatchError as error:
        yield error.message


def audit_exhibits(parts: Parts) -> Iterator[Audited]:
    """Every exhibit that was made, hashed again; not those of evidence that is deleted."""
    for exhibit_id, sha256 in parts.exhibits.packages():
        problems = tuple(_object_problems(parts, sha256))
        if problems and (exhibit_id, sha256) not in parts.exhibits.packages():
            continue  # its evidence was deleted meanwhile
        yield Audited(exhibit_id, "made", problems)


def audit(parts: Parts) -> Iterator[Audited]:
    """Every piece of evidence: files, manifest, custody log, inclusion, tokens, anchor, certificate."""
    after: str | None = None
    while page := parts.records.list_evidence(after=after, limit=_PAGE):
        for evidence in page:
            found = _audited(parts, evidence)
            if found.problems:
                # It may have been deleted, or anchored, while it was looked at: what is wrong is so twice.
                found = _audited(parts, parts.records.evidence(evidence.id))
            yield found
        after = page[-1].id


def _audited(parts: Parts, evidence: Evidence) -> Audited:
    status = "deleted" if evidence.deleted_at else evidence.status
    return Audited(evidence.id, status, tuple(_problems(parts, evidence)))


def _problems(parts: Parts, evidence: Evidence) -> Iterator[str]:
    """What does not hold. A store that does not answer, or settings that are wrong, say nothing about it.

    Raises:
        UnavailableError, ConfigurationError: the audit cannot go on.
    """
    if evidence.deleted_at is None:
        for sha256 in _unlisted(parts, evidence):
            yield from _object_problems(parts, sha256)
    if evidence.manifest is None:
        return
    try:
        data = assemble(parts, evidence.id)
        files = [
            EvidenceFile(item["path"], parts.objects.check(bytes.fromhex(item["sha256"])))
            for item in bundle.parse(data)["manifest"]["files"]
            # What was stated was never here, and what was deleted is not missing.
            if item["role"] != manifest.STATED and evidence.deleted_at is None
        ]
        yield from _certificate_problems(parts, evidence.id)
        _check_attestations(parts, evidence)
        for renewal_id in changed_since(parts, evidence.id):
            yield f"4.5 what {renewal_id} covers has changed since it was renewed"
    except (UnavailableError, ConfigurationError):
        raise
    except EvidenceServiceError as error:
        yield error.message
        return
    report = verify(Material(evidence.id, bundle=data, files=files), parts.issuing.policy, now=parts.now())
    for check in report.failures():
        # Whom the policy trusts is not a question of what is stored.
        if check.family is not Family.TRUST:
            yield f"{check.id} {check.why}"


def _unlisted(parts: Parts, evidence: Evidence) -> list[bytes]:
    """What evidence refers to besides files of its manifest: all before it is sealed; masked copies."""
    listed = set()
    if evidence.manifest is not None:
        listed = {bytes.fromhex(item["sha256"]) for item in manifest.parse(evidence.manifest)["files"]}
    found = {*parts.requests.files_of(evidence.id), *redactions_of(parts, evidence.id)}
    return sorted(found - listed)


def _object_problems(parts: Parts, sha256: bytes) -> Iterator[str]:
    try:
        parts.objects.check(sha256)
    except (EvidenceError, NotFoundError) as error:
        yield error.message


def _certificate_problems(parts: Parts, evidence_id: str) -> Iterator[str]:
    """Every PDF ever released is there unchanged, and each certificate stands where its history ends."""
    for certificate in parts.certificates.find(evidence_id=evidence_id, limit=1000):
        pdfs = parts.certificates.pdfs(certificate.number)
        for pdf in pdfs:
            parts.objects.check(pdf.sha256)
        last = parts.certificates.history(certificate.number)[-1]
        newest = pdfs[-1].sha256 if pdfs else None
        if (last.status, newest) != (certificate.status, certificate.sha256):
            yield f"certificate {certificate.number} does not stand where its history ends"


def _check_attestations(parts: Parts, evidence: Evidence) -> None:
    if evidence.batch_id is None:
        return
    header = parts.batches.batch(evidence.batch_id).header
    for item in parts.attestations.of_batch(evidence.batch_id):
        if item.proof is not None:
            read_proof(item.proof, header)
