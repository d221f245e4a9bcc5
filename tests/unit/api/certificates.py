"""Evidence that is anchored, and certificates of it, without chain, authorities or Typst."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from evidence_service.service.note_certificate import note_certificate
from evidence_service.store.certificate_orders import NewOrder
from tests.unit.api.conftest import Service

GENERIC, CHINA = "generic:en+zh", "cn:en+zh"


def anchored(service: Service, content: bytes = b"content") -> str:
    """Evidence that certificates can be issued of."""
    evidence_id = str(service.upload(content)["id"])
    service.register(evidence_id)
    service.parts.records.advance(evidence_id, "anchored")
    return evidence_id


def carry_out(service: Service, order_id: str) -> str:
    """What the worker does with an order, with a PDF that is none; the number."""
    parts = service.parts
    number = parts.certificates.reserve(order_id, prefix="EP", now=parts.now()).number
    stored = parts.objects.put_bytes(pdf(number))
    parts.certificates.release(
        order_id,
        sha256=stored.sha256,
        level="PAdES B-LTA",
        ends_at=parts.now() + timedelta(days=365),
        qualifications=["a demonstration"],
        now=parts.now(),
    )
    order = parts.certificates.order(order_id)
    for item in filter(None, (number, order.supersedes)):
        note_certificate(parts, item)
    parts.records.advance(order.evidence_id, "certified")
    return number


def issued(service: Service, evidence_id: str, edition: str = GENERIC) -> str:
    """A certificate; its number."""
    new = NewOrder(f"co-{evidence_id}-{edition}", evidence_id, edition, "agent", service.parts.now())
    return carry_out(service, service.parts.certificates.place(new).id)


def pdf(number: str) -> bytes:
    """The bytes released under a number: enough of a file for a register to be asked with."""
    return b"%PDF-1.7\n%%EOF\n/Reason (Certificate " + number.encode() + b")\n%%EOF\n"


def sha256(number: str) -> str:
    return hashlib.sha256(pdf(number)).hexdigest()
