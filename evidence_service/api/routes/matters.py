"""Matters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from evidence_service.api.auth import Principal, Wired, may
from evidence_service.api.idempotency import IdempotencyKey, new_id, once
from evidence_service.api.matters import MatterChange, MatterPage, MatterView, NewMatter
from evidence_service.api.paging import cut
from evidence_service.service.custody_matter import keep_out

router = APIRouter(prefix="/v1/matters", tags=["matters"])

MatterReader = Annotated[Principal, may("matters:read")]
MatterWriter = Annotated[Principal, may("matters:write")]


@router.post("", status_code=201, response_model=MatterView)
def register_matter(
    order: NewMatter, caller: MatterWriter, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Register a matter."""
    matter = order.matter(new_id("m", caller, idempotency_key), parts.now())

    def perform() -> MatterView:
        parts.records.add_matter(matter)
        return MatterView.of(parts.records.matter(matter.id))

    return once(parts, caller, idempotency_key, ["matter", order.fingerprint()], 201, perform)


@router.get("")
def list_matters(
    _: MatterReader,
    parts: Wired,
    reference: Annotated[
        str | None, Query(min_length=1, max_length=200, description="Only those with this reference")
    ] = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> MatterPage:
    """Matters, by id."""
    found = parts.records.matters(reference=reference, after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return MatterPage(items=[MatterView.of(matter) for matter in page], next=more)


@router.get("/{matter_id}")
def show_matter(matter_id: str, _: MatterReader, parts: Wired) -> MatterView:
    """A matter."""
    return MatterView.of(parts.records.matter(matter_id))


@router.patch("/{matter_id}")
def change_matter(matter_id: str, change: MatterChange, caller: MatterWriter, parts: Wired) -> MatterView:
    """Change a matter. Manifests that are sealed already go on saying what they say."""
    keep_out(caller.organisation, matter_id)
    return MatterView.of(parts.records.change_matter(matter_id, change.changes()))
