"""Accept: an order becomes durable together with a signed receipt that says by when it will be in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evidence_service.core import document, receipt
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import OPERATOR, record_order


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks to preserve.

    Attributes:
        accepted: as the receipt's member: ``url``, or the file's ``name, size, sha256, sha3_512``.
        capture: for uploads, what a capture would have found; see ``preserve.describe_upload``.
        urgent: close the batch as soon as the evidence is registered.
    """

    evidence_id: str
    matter_id: str
    kind: str
    operator: str
    accepted: Mapping[str, Any]
    certificate: bool
    urgent: bool
    capture: Mapping[str, Any] | None = None


def accept(parts: Parts, order: Order) -> dict[str, Any]:
    """Record an order and its receipt; the receipt. Repeating it with the same id gives the first one again.

    Raises:
        NotFoundError: no such matter.
    """
    parts.records.matter(order.matter_id)
    # In the notation's own precision: what is promised and what is recorded are the same moment.
    accepted_at = document.parse_time(document.format_time(parts.now()), "now")
    batch_by = accepted_at + parts.promised_delay
    members = {
        "format": receipt.FORMAT,
        "evidence_id": order.evidence_id,
        "kind": order.kind,
        "purpose": parts.purpose,
        "matter_id": order.matter_id,
        "accepted": dict(order.accepted),
        "operator": {"id": order.operator, "role": OPERATOR},
        "accepted_at": document.format_time(accepted_at),
        "batch_by": document.format_time(batch_by),
        "key_id": parts.receipt_key.key_id,
    }
    parts.records.add_evidence(
        evidence_id=order.evidence_id,
        matter_id=order.matter_id,
        kind=order.kind,
        url=order.accepted.get("url"),
        operator=order.operator,
        certificate_wanted=order.certificate,
        created_at=accepted_at,
        capture=order.capture,
        batch_by=batch_by,
        urgent=order.urgent,
        receipt=receipt.build(members, parts.receipt_key.sign(receipt.signed_bytes(members))),
    )
    record_order(parts, order.evidence_id)
    return receipt.parse(parts.records.receipt(order.evidence_id))
