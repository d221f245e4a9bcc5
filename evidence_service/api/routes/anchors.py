"""Anchors and chains: where batches stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from evidence_service.api.auth import Overseer, Reader, Wired
from evidence_service.api.schemas import AnchorPage, AnchorView, ChainView
from evidence_service.service.expectation import expected_at
from evidence_service.service.parts import Parts
from evidence_service.store.anchors import Anchor

router = APIRouter(tags=["anchors"])


@router.get("/v1/anchors")
def list_anchors(
    _: Reader,
    parts: Wired,
    open_only: Annotated[bool, Query(description="Without those whose proof is sealed")] = False,
    before: Annotated[int | None, Query(ge=1, description="Only batches with a lower sequence")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many batches")] = 50,
) -> AnchorPage:
    """Batches on their chains, newest first."""
    found, following = parts.anchors.page(before=before, limit=limit, open_only=open_only)
    return AnchorPage(items=_views(parts, found), next=following)


@router.get("/v1/anchors/{batch_id}")
def show_anchors(batch_id: str, _: Reader, parts: Wired) -> list[AnchorView]:
    """One batch on its chains."""
    parts.batches.batch(batch_id)
    return _views(parts, parts.anchors.of_batch(batch_id))


@router.get("/v1/evidence/{evidence_id}/anchors")
def show_anchors_of_evidence(evidence_id: str, _: Reader, parts: Wired) -> list[AnchorView]:
    """The batch of a piece of evidence on its chains; nothing as long as it is in no batch."""
    batch_id = parts.records.evidence(evidence_id).batch_id
    return [] if batch_id is None else _views(parts, parts.anchors.of_batch(batch_id))


@router.get("/v1/chains")
def list_chains(_: Overseer, parts: Wired) -> list[ChainView]:
    """What the last look at each chain showed, for each key."""
    names = {chain.chain_id: chain.name for chain in parts.chains}
    return [ChainView.of(status, names.get(status.chain_id, "")) for status in parts.chain_status.all()]


def _views(parts: Parts, found: list[Anchor]) -> list[AnchorView]:
    statuses, now = parts.chain_status.all(), parts.now()
    return [AnchorView.of(item, expected_at(item, statuses, now)) for item in found]
