"""Certificates: ordering, finding, downloading, superseding and withdrawing them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from evidence_service.api.auth import CertificateReader, Principal, Wired, may
from evidence_service.api.certificates import (
    CertificateDetail,
    CertificateOrderView,
    CertificatePage,
    CertificateView,
    DueView,
    Extension,
    NewCertificate,
    NewCertificates,
    Number,
    OrderedRow,
    OrderedRows,
    Status,
    Succession,
    Withdrawal,
)
from evidence_service.api.idempotency import IdempotencyKey, new_id, once
from evidence_service.api.paging import cut
from evidence_service.api.schemas import EvidenceView
from evidence_service.certificate.edition import DEFAULT
from evidence_service.errors import NotFoundError
from evidence_service.service.extend import due, extend
from evidence_service.service.order_certificate import order_certificate as place
from evidence_service.service.order_certificate import order_many, supersede, withdraw
from evidence_service.service.parts import Parts
from evidence_service.store.certificates import Certificate

router = APIRouter(prefix="/v1", tags=["certificates"])

Certifier = Annotated[Principal, may("certificates:write")]

_MOST_ORDERS = 200


# --- the default edition of a piece of evidence ---


@router.post("/evidence/{evidence_id}/certificate", status_code=202)
def order_certificate(
    evidence_id: str, caller: Certifier, parts: Wired, idempotency_key: IdempotencyKey = None
) -> EvidenceView:
    """Ask for a certificate of the default edition; it is issued when the evidence is anchored."""
    order_id = new_id("co", caller, idempotency_key, evidence_id, DEFAULT)
    place(parts, evidence_id, DEFAULT, actor=(caller.actor, caller.role), order_id=order_id)
    return EvidenceView.of(parts.records.evidence(evidence_id))


@router.get("/evidence/{evidence_id}/certificate")
def show_certificate(evidence_id: str, _: CertificateReader, parts: Wired) -> CertificateView:
    """The current certificate of the default edition."""
    return CertificateView.of(parts.certificates.of_evidence(evidence_id, DEFAULT))


@router.get("/evidence/{evidence_id}/certificate.pdf", response_class=Response)
def download_certificate(evidence_id: str, _: CertificateReader, parts: Wired) -> Response:
    """The sealed PDF of the current certificate of the default edition."""
    certificate = parts.certificates.of_evidence(evidence_id, DEFAULT)
    return _pdf(parts, certificate, None)


# --- every edition ---


@router.post("/evidence/{evidence_id}/certificates", status_code=202)
def order_edition(
    evidence_id: str,
    order: NewCertificate,
    caller: Certifier,
    parts: Wired,
    idempotency_key: IdempotencyKey = None,
) -> CertificateOrderView:
    """Ask for a certificate of an edition.

    Where one is current, or ordered already, the answer is that one's order: repeating the request issues
    nothing twice.
    """
    order_id = new_id("co", caller, idempotency_key, evidence_id, order.edition)
    return CertificateOrderView.of(
        place(parts, evidence_id, order.edition, actor=(caller.actor, caller.role), order_id=order_id)
    )


@router.get("/evidence/{evidence_id}/certificates")
def list_of_evidence(evidence_id: str, _: CertificateReader, parts: Wired) -> list[CertificateView]:
    """All certificates of a piece of evidence, by number."""
    parts.records.evidence(evidence_id)
    return [CertificateView.of(item) for item in parts.certificates.find(evidence_id=evidence_id, limit=1000)]


@router.post("/certificates", status_code=202, response_model=OrderedRows)
def order_certificates(
    order: NewCertificates, caller: Certifier, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Ask for a certificate of each of up to 1,000 pieces of evidence.

    Each row is accepted or refused by itself. Repeating the request issues nothing twice: a row whose
    certificate is current, or ordered already, is answered with that one's order; a row that was refused is
    tried again, unless the request has the same key.
    """

    def perform() -> OrderedRows:
        rows = order_many(
            parts,
            order.evidence,
            order.edition,
            actor=(caller.actor, caller.role),
            new_id=lambda: new_id("co", caller, None),
        )
        return OrderedRows(rows=[OrderedRow.of(row) for row in rows])

    request = ["certificates", order.model_dump()]
    return once(parts, caller, idempotency_key, request, 202, perform)


@router.get("/certificate-orders")
def show_orders(
    _: CertificateReader,
    parts: Wired,
    order_ids: Annotated[list[str], Query(alias="id", min_length=1, max_length=_MOST_ORDERS)],
) -> list[CertificateOrderView]:
    """Where some orders stand; those that are not known are left out."""
    return [CertificateOrderView.of(item) for item in parts.certificates.orders(order_ids)]


@router.get("/certificates")
def list_certificates(
    _: CertificateReader,
    parts: Wired,
    evidence_id: str | None = None,
    matter_id: str | None = None,
    status: Status | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CertificatePage:
    """Certificates, by number."""
    found = parts.certificates.find(
        evidence_id=evidence_id, matter_id=matter_id, status=status, after=after, limit=limit + 1
    )
    page, more = cut(found, limit, lambda item: item.number)
    return CertificatePage(items=[CertificateView.of(item) for item in page], next=more)


@router.get("/certificates/{number}")
def show_number(number: Number, _: CertificateReader, parts: Wired) -> CertificateDetail:
    """One certificate with its history and all its PDFs."""
    return _detail(parts, parts.certificates.certificate(number))


@router.get("/certificates/{number}/pdf", response_class=Response)
def download_number(
    number: Number,
    _: CertificateReader,
    parts: Wired,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="Of an older PDF")] = None,
) -> Response:
    """The newest PDF released under a number, whatever became of it; or the one that is named."""
    return _pdf(parts, parts.certificates.certificate(number), sha256)


@router.post("/certificates/{number}/withdraw")
def withdraw_certificate(
    number: Number, order: Withdrawal, caller: Certifier, parts: Wired
) -> CertificateDetail:
    """Withdraw a current certificate.

    Its PDF stays and goes on verifying; the register says that it is withdrawn.
    """
    return _detail(parts, withdraw(parts, number, reason=order.reason, actor=(caller.actor, caller.role)))


@router.post("/certificates/{number}/extend")
def extend_certificate(number: Number, order: Extension, _: Certifier, parts: Wired) -> CertificateDetail:
    """Extend the seal of a current certificate now; the old PDF stays beside the new one."""
    return _detail(parts, extend(parts, number, order.sequence))


@router.get("/certificates-due")
def list_due(_: CertificateReader, parts: Wired) -> list[DueView]:
    """Current certificates whose seals are to be extended now, the most pressing first."""
    return [DueView(number=item.number, sequence=item.sequence, ends_at=item.ends_at) for item in due(parts)]


@router.post("/certificates/{number}/supersede", status_code=202, response_model=CertificateOrderView)
def supersede_certificate(
    number: Number, order: Succession, caller: Certifier, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Order a new certificate of the same evidence.

    The old one is superseded in the moment in which the new one is released.
    """
    order_id = new_id("co", caller, idempotency_key, number)

    def perform() -> CertificateOrderView:
        placed = supersede(
            parts,
            number,
            edition=order.edition,
            reason=order.reason,
            actor=(caller.actor, caller.role),
            order_id=order_id,
        )
        return CertificateOrderView.of(placed)

    request = ["supersede", number, order.model_dump()]
    return once(parts, caller, idempotency_key, request, 202, perform)


def _detail(parts: Parts, certificate: Certificate) -> CertificateDetail:
    register = parts.certificates
    return CertificateDetail.whole(
        certificate, register.history(certificate.number), register.pdfs(certificate.number)
    )


def _pdf(parts: Parts, certificate: Certificate, sha256: str | None) -> Response:
    found = parts.certificates.pdfs(certificate.number)
    chosen = found[-1:] if sha256 is None else [item for item in found if item.sha256.hex() == sha256]
    if not chosen:
        raise NotFoundError(f"no such PDF was released under {certificate.number}")
    return Response(
        parts.objects.read(chosen[0].sha256),
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="certificate-{certificate.number}.pdf"'},
    )
