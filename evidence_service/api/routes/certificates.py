"""Certificates."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from evidence_service.api.auth import Actor, Wired
from evidence_service.api.schemas import CertificateView, EvidenceView

router = APIRouter(prefix="/v1/evidence/{evidence_id}", tags=["certificates"])


@router.post("/certificate", status_code=202)
def order_certificate(evidence_id: str, _: Actor, parts: Wired) -> EvidenceView:
    """Ask for a certificate; it is issued when the evidence is anchored."""
    parts.records.evidence(evidence_id)
    parts.records.want_certificate(evidence_id)
    return EvidenceView.of(parts.records.evidence(evidence_id))


@router.get("/certificate")
def show_certificate(evidence_id: str, _: Actor, parts: Wired) -> CertificateView:
    """The released certificate."""
    return CertificateView.of(parts.certificates.of_evidence(evidence_id))


@router.get("/certificate.pdf", response_class=Response)
def download_certificate(evidence_id: str, _: Actor, parts: Wired) -> Response:
    """The sealed PDF."""
    certificate = parts.certificates.of_evidence(evidence_id)
    return Response(
        parts.objects.read(certificate.sha256 or b""),
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="certificate-{certificate.number}.pdf"'},
    )
