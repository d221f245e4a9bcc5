"""Legal holds and retention."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.idempotency import IdempotencyKey, new_id, once
from evidence_service.api.keeping import Because, HoldPage, HoldView, NewRetention, Reason, RetentionView
from evidence_service.api.paging import cut
from evidence_service.errors import NotFoundError
from evidence_service.service.hold import NewHold, lift, place, retain
from evidence_service.service.parts import Parts
from evidence_service.store.holds import Hold

router = APIRouter(prefix="/v1", tags=["holds"])

Custodian = Annotated[Principal, may("custody:manage")]
MatterReader = Annotated[Principal, may("matters:read")]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.post("/evidence/{evidence_id}/holds", status_code=201, response_model=HoldView)
def hold_evidence(
    evidence_id: str,
    because: Because,
    caller: Custodian,
    parts: Wired,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Place a legal hold on a piece of evidence: it is not deleted while one stands."""
    hold_id = new_id("h", caller, idempotency_key, evidence_id)
    new = NewHold(hold_id, because.reason, caller.actor, evidence_id=evidence_id)
    return _placed(parts, caller, new, idempotency_key)


@router.post("/matters/{matter_id}/holds", status_code=201, response_model=HoldView)
def hold_matter(
    matter_id: str,
    because: Because,
    caller: Custodian,
    parts: Wired,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Place a legal hold on all evidence of a matter, what comes later included."""
    hold_id = new_id("h", caller, idempotency_key, matter_id)
    new = NewHold(hold_id, because.reason, caller.actor, matter_id=matter_id)
    return _placed(parts, caller, new, idempotency_key)


@router.get("/evidence/{evidence_id}/holds")
def list_evidence_holds(
    evidence_id: str, _: Reader, parts: Wired, after: str | None = None, limit: Limit = 50
) -> HoldPage:
    """Holds on a piece of evidence and on its matter, lifted ones included, by id."""
    parts.records.evidence(evidence_id)
    return _page(parts.holds.holds(evidence_id=evidence_id, after=after, limit=limit + 1), limit)


@router.get("/matters/{matter_id}/holds")
def list_matter_holds(
    matter_id: str, _: MatterReader, parts: Wired, after: str | None = None, limit: Limit = 50
) -> HoldPage:
    """Holds on a matter, lifted ones included, by id."""
    parts.records.matter(matter_id)
    return _page(parts.holds.holds(matter_id=matter_id, after=after, limit=limit + 1), limit)


@router.delete("/evidence/{evidence_id}/holds/{hold_id}")
def lift_evidence_hold(
    evidence_id: str, hold_id: str, caller: Custodian, parts: Wired, reason: Annotated[Reason, Query()]
) -> HoldView:
    """Lift a hold on a piece of evidence; the first time counts."""
    hold = parts.holds.hold(hold_id)
    if hold.evidence_id != evidence_id:
        raise NotFoundError(f"evidence {evidence_id} has no hold {hold_id} of its own")
    return HoldView.of(lift(parts, hold, actor=caller.actor, reason=reason))


@router.delete("/matters/{matter_id}/holds/{hold_id}")
def lift_matter_hold(
    matter_id: str, hold_id: str, caller: Custodian, parts: Wired, reason: Annotated[Reason, Query()]
) -> HoldView:
    """Lift a hold on a matter; the first time counts. Holds on single pieces of evidence still stand."""
    hold = parts.holds.hold(hold_id)
    if hold.matter_id != matter_id:
        raise NotFoundError(f"matter {matter_id} has no hold {hold_id}")
    return HoldView.of(lift(parts, hold, actor=caller.actor, reason=reason))


@router.get("/evidence/{evidence_id}/retention")
def show_retention(evidence_id: str, _: Reader, parts: Wired) -> RetentionView:
    """How long a piece of evidence is kept at least."""
    parts.records.evidence(evidence_id)
    found = parts.holds.retention(evidence_id)
    if found is None:
        raise NotFoundError(f"no retention was set for evidence {evidence_id}")
    return RetentionView.of(found)


@router.put("/evidence/{evidence_id}/retention")
def set_retention(evidence_id: str, order: NewRetention, caller: Custodian, parts: Wired) -> RetentionView:
    """Keep a piece of evidence until a time at least; while a hold stands it is only extended."""
    return RetentionView.of(retain(parts, evidence_id, order.keep_until, actor=caller.actor))


def _placed(parts: Parts, caller: Principal, new: NewHold, key: str | None) -> JSONResponse:
    request = ["hold", new.evidence_id, new.matter_id, new.reason]
    return once(parts, caller, key, request, 201, lambda: HoldView.of(place(parts, new)))


def _page(found: list[Hold], limit: int) -> HoldPage:
    page, more = cut(found, limit, lambda item: item.id)
    return HoldPage(items=[HoldView.of(item) for item in page], next=more)
