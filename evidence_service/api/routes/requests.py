"""Deletions, and what two persons decide about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.idempotency import IdempotencyKey, new_id, once
from evidence_service.api.keeping import Because, RequestPage, RequestView, State
from evidence_service.api.paging import cut
from evidence_service.errors import ForbiddenError
from evidence_service.service import delete
from evidence_service.service.parts import Parts

router = APIRouter(prefix="/v1", tags=["requests"])

Custodian = Annotated[Principal, may("custody:manage")]
Approver = Annotated[Principal, may("custody:approve")]


@router.post("/evidence/{evidence_id}/deletion", status_code=202, response_model=RequestView)
def ask_for_deletion(
    evidence_id: str,
    because: Because,
    caller: Custodian,
    parts: Wired,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Ask for the deletion of a piece of evidence's files; another person has to approve it."""
    request_id = new_id("rq", caller, idempotency_key, evidence_id)

    def perform() -> RequestView:
        asked = delete.ask(parts, request_id, evidence_id, actor=caller.actor, reason=because.reason)
        return RequestView.of(asked)

    request = ["deletion", evidence_id, because.reason]
    return once(parts, caller, idempotency_key, request, 202, perform)


@router.get("/requests")
def list_requests(
    _: Reader,
    parts: Wired,
    state: State | None = None,
    evidence_id: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RequestPage:
    """Requests by id, all or those in a state or about a piece of evidence."""
    found = parts.requests.requests(state=state, evidence_id=evidence_id, after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return RequestPage(items=[RequestView.of(item) for item in page], next=more)


@router.get("/requests/{request_id}")
def show_request(request_id: str, _: Reader, parts: Wired) -> RequestView:
    """A request."""
    return RequestView.of(parts.requests.request(request_id))


@router.post("/requests/{request_id}/approve")
def approve_request(request_id: str, because: Because, caller: Approver, parts: Wired) -> RequestView:
    """Approve what another person asked for. A deletion is then carried out, unless a hold comes first."""
    return _decided(parts, request_id, because, caller, approve=True)


@router.post("/requests/{request_id}/refuse")
def refuse_request(request_id: str, because: Because, caller: Approver, parts: Wired) -> RequestView:
    """Refuse what another person asked for."""
    return _decided(parts, request_id, because, caller, approve=False)


def _decided(
    parts: Parts, request_id: str, because: Because, caller: Principal, *, approve: bool
) -> RequestView:
    if parts.requests.request(request_id).requested_by == caller.actor:
        raise ForbiddenError(
            "nobody decides about what he has asked for himself",
            what_to_do="ask another person with custody:approve",
        )
    return RequestView.of(
        delete.decide(parts, request_id, approve=approve, actor=caller.actor, reason=because.reason)
    )
