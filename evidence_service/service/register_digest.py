"""Register the digest of an issued PDF: it becomes evidence itself, stamped and anchored with a next batch.

A PDF cannot hold its own hash, so what a court was given on which day is proved from outside. The record is
of kind ``digest`` and leads to no certificate of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from evidence_service.core import custody, document, manifest
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.preserve import describe_received, order_event
from evidence_service.store.certificates import ReleasedPdf
from evidence_service.store.orders import NewEvidence
from evidence_service.store.schema import OPERATOR

PATIENCE = timedelta(days=1)
"""Longest wait for a batch that is closed for other entries: a digest costs no transaction of its own."""
MEDIA_TYPE, ROLE = "application/pdf", "certificate"


def digest_evidence_id(sha256: bytes) -> str:
    """Id of the evidence that a PDF's digest (SHA-256, 32 bytes) is registered as; the same every time."""
    return f"ev-{sha256.hex()[:20]}"


def register_digest(parts: Parts, pdf: ReleasedPdf) -> str:
    """Record the digest of a released PDF as evidence and tell both custody logs; the new evidence's id.

    Repeating it, after it failed or landed, changes nothing.
    """
    certificate = parts.certificates.certificate(pdf.number)
    of = parts.records.evidence(certificate.evidence_id)
    evidence_id = digest_evidence_id(pdf.sha256)
    now = document.parse_time(document.format_time(parts.now()), "now")
    event = order_event(
        parts,
        operator=(SERVICE[0], OPERATOR),
        matter_id=of.matter_id,
        kind="digest",
        url=None,
        options=None,
        login=False,
    )
    parts.records.accept(
        [
            NewEvidence(
                id=evidence_id,
                matter_id=of.matter_id,
                kind="digest",
                url=None,
                operator=SERVICE[0],
                certificate_wanted=False,
                created_at=now,
                capture=_described(parts, pdf, of.id),
                batch_by=now + PATIENCE,
                event=custody.build(
                    {**event, "evidence_id": evidence_id, "at": document.format_time(now)}, previous=None
                ),
            )
        ]
    )
    parts.custody(
        of.id,
        f"register digest {pdf.sha256.hex()}",
        "hash",
        actor=SERVICE,
        purpose="register the digest of a certificate as evidence",
        after=pdf.sha256.hex(),
        detail={"number": pdf.number, "evidence": evidence_id},
    )
    return evidence_id


def _described(parts: Parts, pdf: ReleasedPdf, of: str) -> dict[str, Any]:
    """Members of the manifest: the one file, and which certificate of which evidence it is."""
    found = parts.objects.check(pdf.sha256)
    file = manifest.file_record(f"certificate-{pdf.number}.pdf", MEDIA_TYPE, ROLE, found)
    described = describe_received(parts, file)
    return {**described, "tool": {**described["tool"], "certificate": pdf.number, "certificate_of": of}}
