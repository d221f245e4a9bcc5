"""Orders of captures, one by one and in lists."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.idempotency import IdempotencyKey, new_id, once, remembered
from evidence_service.api.orders import (
    MAX_ROWS,
    AcceptedListView,
    CaptureListView,
    CaptureRow,
    NewCapture,
    NewCaptureList,
    OptionsOrder,
    ProblemView,
    RowOutcome,
    RowPage,
    RowView,
)
from evidence_service.api.paging import cut
from evidence_service.api.schemas import AcceptedView
from evidence_service.capture.options import CaptureOptions, parse_options
from evidence_service.core import receipt
from evidence_service.egress.policy import check_url
from evidence_service.errors import RefusedError
from evidence_service.service import login_state
from evidence_service.service.accept import Order, accept
from evidence_service.service.accept_list import ListOrder, RowOrder, accept_list
from evidence_service.service.parts import Parts

router = APIRouter(prefix="/v1", tags=["captures"])

Orderer = Annotated[Principal, may("captures:write")]


@router.post("/captures", status_code=202, response_model=AcceptedView)
def order_capture(
    order: NewCapture, caller: Orderer, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Order the capture of a listing; when this answers, the order is durable and will be carried out."""
    check_url(order.url, parts.capturing.policy)
    options = _options(parts, order.options)
    secret = _login(parts, order.login_state)
    evidence_id = new_id("ev", caller, idempotency_key)

    def perform() -> AcceptedView:
        given = accept(
            parts,
            Order(
                evidence_id=evidence_id,
                matter_id=order.matter_id,
                kind="platform_capture",
                operator=caller.actor,
                accepted={"url": order.url},
                certificate=order.certificate,
                urgent=order.urgent,
                options=options,
                login_state=order.login_state,
                role=caller.role,
            ),
        )
        return AcceptedView.with_receipt(parts.records.evidence(evidence_id), given)

    request = ["capture", order.model_dump(exclude={"options", "login_state"}), *secret]
    if order.options.given():
        request.append(order.options.given())
    return once(parts, caller, idempotency_key, request, 202, perform)


@router.post("/capture-lists", status_code=202, response_model=AcceptedListView)
def order_list(
    order: NewCaptureList, caller: Orderer, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Order the capture of up to 5,000 listings.

    Each row is accepted or refused by itself; when this answers, every accepted row is durable and has its
    receipt.
    """
    secret = _login(parts, order.login_state)
    list_id = new_id("cl", caller, idempotency_key)
    rows = [
        _row(
            parts, order, position, raw, new_id("ev", caller, _row_key(raw, idempotency_key, position), "row")
        )
        for position, raw in enumerate(order.rows, start=1)
    ]

    def perform() -> tuple[int, dict[str, Any]]:
        accept_list(
            parts,
            ListOrder(
                id=list_id,
                matter_id=order.matter_id,
                operator=caller.actor,
                certificate=order.certificate,
                rows=rows,
                login_state=order.login_state,
                role=caller.role,
            ),
        )
        return 202, {"id": list_id}

    request = [
        "capture list",
        order.matter_id,
        order.certificate,
        order.options.given(),
        list(order.rows),
        *secret,
    ]
    status, _ = remembered(parts, caller, idempotency_key, request, perform)
    # From the record, not from the memory of answers: the same after a repetition, and thousands of receipts
    # are kept once.
    return JSONResponse(
        _accepted(parts, list_id).model_dump(mode="json"),
        status_code=status,
        headers={"Location": f"/v1/capture-lists/{list_id}"},
    )


@router.get("/capture-lists/{list_id}")
def show_list(list_id: str, _: Reader, parts: Wired) -> CaptureListView:
    """Where the rows of a list stand, counted."""
    return CaptureListView.of(parts.lists.get(list_id))


@router.get("/capture-lists/{list_id}/rows")
def show_rows(
    list_id: str,
    _: Reader,
    parts: Wired,
    after: Annotated[int, Query(ge=0, description="Position to go on from")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> RowPage:
    """The rows of a list in their order, each with where it stands."""
    parts.lists.get(list_id)
    found = parts.lists.rows(list_id, after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.position)
    return RowPage(items=[RowView.of(row) for row in page], next=more)


def _options(parts: Parts, *given: OptionsOrder) -> CaptureOptions:
    """Options of an order; the later outweighs the earlier, and both the configuration."""
    chosen: dict[str, Any] = {"profile": parts.capturing.profile}
    for options in given:
        chosen |= options.given()
    return parse_options(chosen)


def _login(parts: Parts, state: dict[str, Any] | None) -> list[str]:
    """Check a login state; what an idempotency key remembers of it."""
    if state is None:
        return []
    login_state.check(state, parts.capturing.recipients)
    return [parts.sealing_key.fingerprint(state)]


def _row_key(raw: Any, list_key: str | None, position: int) -> str | None:
    key = raw.get("key") if isinstance(raw, dict) else None
    if isinstance(key, str):
        return key
    return None if list_key is None else f"{list_key} {position}"


def _row(parts: Parts, order: NewCaptureList, position: int, raw: Any, evidence_id: str) -> RowOrder:
    try:
        row = CaptureRow.model_validate(raw)
        options = _options(parts, order.options, row.options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the row"
        refused = RefusedError(f"{where}: {first['msg']}", what_to_do="correct the row and order it again")
    except RefusedError as error:
        refused = error
    else:
        return RowOrder(position, evidence_id, row.url, row.label, options)
    return RowOrder(position, evidence_id, _shown(raw, "url"), _shown(raw, "label"), refused=refused)


def _shown(raw: Any, member: str) -> str:
    """A member of a row that could not be read, for whoever looks for the row."""
    found = raw.get(member) if isinstance(raw, dict) else None
    return found[:400] if isinstance(found, str) else ""


def _accepted(parts: Parts, list_id: str) -> AcceptedListView:
    rows = parts.lists.rows(list_id, limit=MAX_ROWS)
    receipts = parts.records.receipts([row.evidence_id for row in rows if row.evidence_id is not None])
    outcomes = [
        RowOutcome(
            position=row.position,
            result="accepted" if row.problem is None else "refused",
            id=row.evidence_id,
            receipt=None if row.evidence_id is None else receipt.parse(receipts[row.evidence_id]),
            problem=None if row.problem is None else ProblemView.of(row.problem),
        )
        for row in rows
    ]
    counts = CaptureListView.of(parts.lists.get(list_id))
    return AcceptedListView(**counts.model_dump(), rows=outcomes)
