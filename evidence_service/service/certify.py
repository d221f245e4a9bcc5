"""Certify: anchored evidence becomes a sealed PDF that the verification engine accepted twice.

One workflow for each order. What it finds done it does not do again: a released certificate is never made
a second time, whenever the process was killed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from evidence_service.certificate.edition import DEFAULT, parse_edition
from evidence_service.certificate.facts import Preserved, certificate_facts
from evidence_service.certificate.render import render
from evidence_service.certificate.sealing import Sealed, seal
from evidence_service.certificate.sealing.archive import ends_at
from evidence_service.errors import ConfigurationError
from evidence_service.service.bundles import assemble
from evidence_service.service.gate import check_finished, check_level, examine_bundle
from evidence_service.service.note_certificate import note_certificate
from evidence_service.service.parts import Parts
from evidence_service.service.ports import Durable
from evidence_service.service.rules import judge
from evidence_service.service.waiting import until_available
from evidence_service.store.certificate_orders import NewOrder
from evidence_service.store.certificates import Certificate
from evidence_service.store.custody_room import Room
from evidence_service.verify.report import Report


def order_wanted(parts: Parts, evidence_id: str) -> None:
    """Order the certificate that evidence was accepted for; repeating it changes nothing."""
    evidence = parts.records.evidence(evidence_id)
    parts.certificates.place(
        NewOrder(
            id=f"co-{evidence_id}",
            evidence_id=evidence_id,
            edition=DEFAULT,
            actor=evidence.operator,
            role=evidence.operator_role,
            ordered_at=parts.now(),
        ),
        room=Room.OF_SERVICE,
    )


def certify(parts: Parts, durable: Durable, order_id: str) -> None:
    """The workflow of one order."""

    def note(waiting_for: str | None) -> None:
        parts.certificates.note_order(order_id, waiting_for)
        evidence = parts.records.evidence(parts.certificates.order(order_id).evidence_id)
        if evidence.status != "certified":
            parts.records.note_progress(evidence.id, "certifying", waiting_for=waiting_for)

    until_available(durable, "issue", lambda: issue(parts, order_id), note)
    durable.step("record", record_certificate, parts, order_id)


def refuse(parts: Parts, order_id: str, why: str) -> None:
    """Record that no certificate is issued for an order, and why."""
    parts.certificates.refuse_order(order_id, why)
    evidence = parts.records.evidence(parts.certificates.order(order_id).evidence_id)
    if evidence.status != "certified":
        parts.records.note_progress(evidence.id, f"certify refused: {why}")


def issue(parts: Parts, order_id: str) -> None:
    """Render, seal, have it checked, release.

    Raises:
        UnavailableError: a node or an authority did not answer.
        ConfigurationError: something has to be set first.
        PolicyRefusedError: a rule forbids it.
        MismatchError: the engine does not accept the bundle or the finished PDF.
        ConflictError: what it supersedes was withdrawn or superseded in the meantime.
    """
    order = parts.certificates.order(order_id)
    if order.state != "open":
        return
    data = assemble(parts, order.evidence_id)
    report = examine_bundle(parts, data)
    absent = sorted(parts.records.refusals("manifest", order.evidence_id))
    qualifications = judge(report, absent=absent)
    certificate = parts.certificates.reserve(order_id, prefix=parts.issuing.prefix, now=parts.now())
    sealed = _make(parts, certificate, data, report)
    check_level(parts.issuing.level, sealed.level)
    check_finished(
        sealed.pdf,
        level=parts.issuing.level,
        verdict=report.verdict,
        trust_file=parts.issuing.trust_file,
        rpc_urls=parts.rpc_urls(),
    )
    stored = parts.objects.put_bytes(sealed.pdf)
    parts.certificates.release(
        order_id,
        sha256=stored.sha256,
        level=sealed.level,
        ends_at=ends_at(sealed.pdf),
        qualifications=qualifications,
        now=parts.now(),
    )


def record_certificate(parts: Parts, order_id: str) -> None:
    """Tell the custody log of the released certificate, and of the one whose place it took."""
    order = parts.certificates.order(order_id)
    for number in filter(None, (order.number, order.supersedes)):
        note_certificate(parts, number)
    parts.records.advance(order.evidence_id, "certified")


def _make(parts: Parts, certificate: Certificate, data: bytes, report: Report) -> Sealed:
    key = parts.issuing.key
    if key is None:
        raise ConfigurationError(
            "no seal key is configured", what_to_do="set seal.pkcs12 and seal.password_file"
        )

    def read(sha256: str) -> bytes:
        return parts.objects.read(bytes.fromhex(sha256))

    facts = certificate_facts(
        report,
        Preserved(bundle=data, read=read),
        number=certificate.number,
        # The time of reservation: made again after a crash, the certificate is the same up to its seal.
        issued_at=certificate.reserved_at,
        issuer=parts.issuing.issuer,
        edition=parse_edition(certificate.edition),
        level=parts.issuing.level,
        register=parts.issuing.register,
    )
    return seal(
        render(facts),
        key,
        level=parts.issuing.level,
        stamp=stamper(parts),
        revocation=parts.issuing.revocation,
        reason=f"Certificate {certificate.number}",
    )


def stamper(parts: Parts, *, ends_after: datetime | None = None) -> Callable[[bytes], bytes]:
    """What gets a seal its time stamps: SHA-512 digest (64 bytes) → token of one of the authorities.

    Args:
        ends_after: what the authority's certificates have to outlast.
    """

    def one_token(digest: bytes) -> bytes:
        found = parts.stamping.authorities.stamp(
            digest, nonce=parts.nonce, now=parts.now, minimum=1, ends_after=ends_after
        )
        return found.tokens[0].der

    return one_token
