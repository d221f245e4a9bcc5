"""Accept: an order becomes durable together with a signed receipt that says by when it will be in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evidence_service.capture.options import CaptureOptions, options_json
from evidence_service.core import custody, document, receipt
from evidence_service.service.custody_matter import keep_out
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import order_event
from evidence_service.service.promise import promise
from evidence_service.service.tracing import note_ordered
from evidence_service.store.orders import NewEvidence
from evidence_service.store.schema import OPERATOR
from evidence_service.store.tenancy import organisation_of


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks to preserve.

    Attributes:
        role: of the operator, by which he may ask.
        accepted: as the receipt's member: ``url``, or the file's ``name, size, sha256, sha3_512``.
        urgent: take it first, and close the batch as soon as the evidence is registered.
        options: how a listing is captured, without its login state; None for uploads.
        login_state: cookies and storage of a signed-in session; a secret, checked before.
        capture: for uploads, what a capture would have found; see ``preserve.describe_upload``.
    """

    evidence_id: str
    matter_id: str
    kind: str
    operator: str
    accepted: Mapping[str, Any]
    certificate: bool
    urgent: bool
    options: CaptureOptions | None = None
    login_state: Mapping[str, Any] | None = field(default=None, repr=False)
    capture: Mapping[str, Any] | None = None
    role: str = OPERATOR


def accept(parts: Parts, order: Order) -> dict[str, Any]:
    """Record an order and its receipt; the receipt. Repeating it with the same id gives the first one again.

    Raises:
        NotFoundError: no such matter.
        RefusedError: it is the custody log's own.
    """
    keep_out(organisation_of(parts.database), order.matter_id)
    parts.records.matter(order.matter_id)
    # In the notation's own precision: what is promised and what is recorded are the same moment.
    now = document.parse_time(document.format_time(parts.now()), "now")
    batch_by = promise(parts, now) if order.capture is None else now + parts.promised_delay
    parts.records.accept(
        [evidence_of(parts, order, accepted_at=now, batch_by=batch_by)],
        login=None
        if order.login_state is None
        else parts.sealing_key.seal(order.login_state, parts.random_bytes),
    )
    note_ordered([order.evidence_id])
    return receipt.parse(parts.records.receipt(order.evidence_id))


def evidence_of(parts: Parts, order: Order, *, accepted_at: datetime, batch_by: datetime) -> NewEvidence:
    """An order as the record takes it: with its signed receipt and the first event of its custody log."""
    options = None if order.options is None else options_json(order.options)
    url = order.accepted.get("url")
    members = {
        "format": receipt.FORMAT,
        "evidence_id": order.evidence_id,
        "kind": order.kind,
        "purpose": parts.purpose,
        "matter_id": order.matter_id,
        "accepted": dict(order.accepted),
        "operator": {"id": order.operator, "role": order.role},
        "accepted_at": document.format_time(accepted_at),
        "batch_by": document.format_time(batch_by),
        "key_id": parts.receipt_key.key_id,
    }
    event = order_event(
        parts,
        operator=(order.operator, order.role),
        matter_id=order.matter_id,
        kind=order.kind,
        url=url,
        options=options,
        login=order.login_state is not None,
    )
    return NewEvidence(
        id=order.evidence_id,
        matter_id=order.matter_id,
        kind=order.kind,
        url=url,
        operator=order.operator,
        operator_role=order.role,
        certificate_wanted=order.certificate,
        created_at=accepted_at,
        capture=order.capture,
        batch_by=batch_by,
        urgent=order.urgent,
        options=options,
        receipt=receipt.build(members, parts.receipt_key.sign(receipt.signed_bytes(members))),
        event=custody.build(
            {**event, "evidence_id": order.evidence_id, "at": document.format_time(accepted_at)},
            previous=None,
        ),
    )
