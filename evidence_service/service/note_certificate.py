"""Tell custody logs what happened to a certificate, and register the digest of each of its PDFs.

The register is written first, in one transaction; what follows from it is derived from it here, and however
often this is run, once. So an act that was cut off after it landed is told by the worker.
"""

from __future__ import annotations

from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.ports import Durable
from evidence_service.service.register_digest import register_digest
from evidence_service.store.certificates import Certificate, ReleasedPdf, StatusChange


def wanted(parts: Parts) -> list[str]:
    """Subjects of certificates that something is to be told about; the day, should an attempt have died."""
    return [f"{number} {changes} {parts.now():%Y%m%d}" for number, changes in parts.certificates.unnoted()]


def tell(parts: Parts, durable: Durable, subject: str) -> None:
    """The workflow of one certificate that something is to be told about."""
    durable.step("tell", note_certificate, parts, subject.split(" ", maxsplit=1)[0])


def note_certificate(parts: Parts, number: str) -> None:
    """Bring custody logs and digests up to what the register says; repeating it changes nothing."""
    certificate = parts.certificates.certificate(number)
    history, pdfs = parts.certificates.history(number), parts.certificates.pdfs(number)
    for change in history:
        if change.status == "released":
            _note_release(parts, certificate, pdfs[0], ordered_by=change.actor)
        elif change.status in ("superseded", "withdrawn"):
            _note_end(parts, certificate, change)
    for before, pdf in zip([None, *pdfs], pdfs, strict=False):
        if before is not None:
            _note_extension(parts, certificate, before, pdf)
        register_digest(parts, pdf)
    parts.certificates.noted(number, changes=len(history) + len(pdfs))


def _note_release(parts: Parts, certificate: Certificate, pdf: ReleasedPdf, *, ordered_by: str) -> None:
    said = "; ".join(certificate.qualifications)[:2000]
    parts.custody(
        certificate.evidence_id,
        f"certify {certificate.number}",
        "certify",
        actor=SERVICE,
        purpose="issue a certificate",
        after=pdf.sha256.hex(),
        detail={
            "number": certificate.number,
            "edition": certificate.edition,
            "level": pdf.level,
            "ordered_by": ordered_by,
            **({"qualified": said} if said else {}),
        },
    )


def _note_end(parts: Parts, certificate: Certificate, change: StatusChange) -> None:
    superseded = change.status == "superseded"
    parts.custody(
        certificate.evidence_id,
        f"{'supersede' if superseded else 'withdraw'} {certificate.number}",
        "certify",
        actor=(change.actor, change.role),
        purpose="supersede a certificate" if superseded else "withdraw a certificate",
        detail={
            "number": certificate.number,
            **({"superseded_by": str(change.superseded_by)} if superseded else {}),
            "reason": change.reason,
        },
    )


def _note_extension(parts: Parts, certificate: Certificate, before: ReleasedPdf, pdf: ReleasedPdf) -> None:
    parts.custody(
        certificate.evidence_id,
        f"extend {certificate.number} {pdf.sequence}",
        "stamp",
        actor=SERVICE,
        purpose="extend the seal of a certificate before its time stamp ends",
        before=before.sha256.hex(),
        after=pdf.sha256.hex(),
        detail={"number": certificate.number, "level": pdf.level},
    )
