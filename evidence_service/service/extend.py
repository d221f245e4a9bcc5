"""Extend: a certificate's seal gets validation data and a new archive time stamp before the newest ends.

The extended PDF is a new object; the old one, which is its beginning, stays in the register. Nothing is
released that the gate does not accept.
"""

from __future__ import annotations

from evidence_service.certificate import sealing
from evidence_service.certificate.sealing.archive import ends_at
from evidence_service.errors import ConflictError, EvidenceServiceError, MismatchError, PolicyRefusedError
from evidence_service.service.certify import stamper
from evidence_service.service.gate import check_level, judged_outside
from evidence_service.service.note_certificate import note_certificate
from evidence_service.service.parts import Parts
from evidence_service.service.ports import Durable
from evidence_service.service.renew import ends_after
from evidence_service.store.certificates import Certificate, ReleasedPdf


def due(parts: Parts) -> list[ReleasedPdf]:
    """The newest PDF of each current certificate that is to be extended now, the most pressing first."""
    return parts.certificates.ending(until=parts.now() + parts.stamping.renewed_before)


def wanted(parts: Parts) -> list[str]:
    """Subjects of the attempts that are due; one a day, until it gets through."""
    return [f"{pdf.number} {pdf.sequence} {parts.now():%Y%m%d}" for pdf in due(parts)]


def extend_due(parts: Parts, durable: Durable, subject: str) -> None:
    """The workflow of one attempt."""
    number, sequence, _ = subject.split(" ")
    try:
        durable.step("extend", extend, parts, number, int(sequence))
    except EvidenceServiceError as error:
        durable.step("extend: note", parts.certificates.note_extension, number, error.told)


def extend(parts: Parts, number: str, sequence: int | None = None) -> Certificate:
    """Extend the seal of a current certificate.

    Args:
        sequence: of the PDF that is to be extended; where there is a newer one, nothing is left to do. None
            extends the newest.

    Raises:
        NotFoundError, ConflictError: there is no such certificate, or it is not current.
        UnavailableError: an authority, a list or a node did not answer; nothing was changed.
        MismatchError, ConfigurationError: it cannot be extended; nothing was changed.
    """
    certificate = parts.certificates.certificate(number)
    if certificate.status != "released":
        raise ConflictError(
            f"certificate {number} is {certificate.status}: its seal is not extended",
            what_to_do="extend the certificate that took its place" if certificate.superseded_by else "",
        )
    newest = parts.certificates.pdfs(number)[-1]
    if sequence is None or newest.sequence <= sequence:
        parts.certificates.add_pdf(_extended(parts, newest))
    note_certificate(parts, number)
    return parts.certificates.certificate(number)


def _extended(parts: Parts, newest: ReleasedPdf) -> ReleasedPdf:
    """The next PDF, stored and accepted, not released yet; a repetition makes another one."""
    before = parts.objects.read(newest.sha256)
    # An authority that ends as soon would make it due again at once, every day.
    lasting = (
        None
        if newest.ends_at is None
        else ends_after(newest.ends_at, parts.now(), parts.stamping.renewed_before)
    )
    sealed = sealing.extend(
        before, stamp=stamper(parts, ends_after=lasting), revocation=parts.issuing.revocation
    )
    if not sealed.pdf.startswith(before):
        raise MismatchError(f"the extended {newest.number} does not begin with what was released")
    old, new = (
        judged_outside(data, trust_file=parts.issuing.trust_file, rpc_urls=parts.rpc_urls())
        for data in (before, sealed.pdf)
    )
    if new["verdict"] != old["verdict"]:
        raise MismatchError(
            f"the extended {newest.number} is judged as {new['verdict']}, before as {old['verdict']}; it is "
            "not released"
        )
    check_level(sealed.level, new["evidence"]["seal"]["level"])
    stored = parts.objects.put_bytes(sealed.pdf)
    return ReleasedPdf(
        newest.number,
        newest.sequence + 1,
        stored.sha256,
        sealed.level,
        parts.now(),
        ends_at(sealed.pdf),
    )


def outlook(parts: Parts) -> str:
    """Which seals end soon, in words.

    Raises:
        PolicyRefusedError: one could not be extended, or has ended.
    """
    found, now = due(parts), parts.now()
    waiting = [
        f"{pdf.number}: {words}"
        for pdf in found
        if (words := parts.certificates.certificate(pdf.number).waiting_for)
    ]
    if waiting:
        raise PolicyRefusedError(
            f"seals wait to be extended: {'; '.join(waiting[:5])}",
            what_to_do="“evidence certificate extend --due” tries again",
        )
    late = sum(pdf.ends_at is not None and pdf.ends_at <= now for pdf in found)
    return f"{len(found)} certificates due to be extended, too late for {late}"
