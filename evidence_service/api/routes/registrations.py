"""Digests, registered one by one and in lists, and the proofs that a digest leads to."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.direct import DirectRoute
from evidence_service.api.idempotency import IdempotencyKey, new_id
from evidence_service.api.orders import ProblemView
from evidence_service.api.paging import cut
from evidence_service.api.registrations import (
    ANY_TYPE,
    AcceptedRegistration,
    AcceptedRegistrationList,
    ListedRow,
    NewRegistration,
    NewRegistrationList,
    ProofPage,
    ProofView,
    RegistrationListView,
    RegistrationRows,
    RegistrationView,
    RightList,
    StatedRow,
)
from evidence_service.core import document, manifest, receipt
from evidence_service.errors import MalformedError, RefusedError
from evidence_service.service.custody_matter import keep_out
from evidence_service.service.group_commit import GroupCommit
from evidence_service.service.intake import Wanted, WantedList, row_id, take, take_list
from evidence_service.service.parts import Parts
from evidence_service.store.registrations import NewRegistration as Recorded
from evidence_service.store.registrations import RegistrationList, Stated

router = APIRouter(prefix="/v1", tags=["registrations"])
direct = APIRouter(prefix="/v1", tags=["registrations"], route_class=DirectRoute)
"""Included first: what is asked most is found first."""

Orderer = Annotated[Principal, may("captures:write")]
_ROWS: TypeAdapter[list[StatedRow]] = TypeAdapter(list[StatedRow])
_ROW: TypeAdapter[StatedRow] = TypeAdapter(StatedRow)
_PAGE = 50


def intake(parts: Parts) -> GroupCommit[Wanted, Recorded]:
    """What one process's single registrations are collected in.

    Args:
        parts: bound to no organisation.
    """
    return GroupCommit(partial(take, parts))


@direct.post("/registrations", status_code=202, response_model=AcceptedRegistration)
async def register(
    request: Request, order: NewRegistration, caller: Orderer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Register the digest of a file that stays with you.

    When this answers, the registration is durable; soon after it is evidence of kind `digest`.
    """
    try:
        stated = _stated(order.name, order.media_type, order.size, order.sha256, order.sha3_512)
    except MalformedError as error:
        raise RefusedError(error.message, what_to_do="name the file in the form of a path") from error
    # Before it waits with others: one that is refused in their transaction would make each of them a new one.
    keep_out(caller.organisation, order.matter_id)
    evidence_id = new_id("ev", caller, idempotency_key, "registration")
    found: Recorded = await request.app.state.intake.add(
        Wanted(caller.organisation, evidence_id, order.matter_id, caller.actor, stated, caller.role)
    )
    return _answer(
        b'{"id":"%s","matter_id":%s,"sha256":"%s","accepted_at":"%s","batch_by":"%s","receipt":%s}'
        % (
            found.id.encode(),
            json.dumps(found.matter_id).encode(),
            found.stated.sha256.hex().encode(),
            document.format_time(found.accepted_at).encode(),
            document.format_time(found.batch_by).encode(),
            found.receipt,
        ),
        f"/v1/registrations/{found.id}",
    )


@direct.post("/registration-lists", status_code=202, response_model=AcceptedRegistrationList)
async def register_list(
    request: Request, order: NewRegistrationList, caller: Orderer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Register up to 10,000 digests of files that stay with you.

    Each row is accepted or refused by itself; when this answers, every accepted row is durable, and one
    receipt promises a batch for all of them. A repetition under the same key has to have the same bytes.
    """
    body = await request.body()
    parts: Parts = request.app.state.parts
    return await run_in_threadpool(_register_list, parts, order, body, caller, idempotency_key)


def _register_list(
    parts: Parts, order: NewRegistrationList, body: bytes, caller: Principal, key: str | None
) -> Response:
    accepted, refused = _judged(order)
    found = take_list(
        parts,
        WantedList(
            organisation_id=caller.organisation,
            id=new_id("rl", caller, key),
            matter_id=order.matter_id,
            operator=caller.actor,
            size=len(order.rows),
            rows=accepted,
            refused=refused,
            request_sha256=hashlib.sha256(body).digest(),
            role=caller.role,
        ),
    )
    return _answer(_accepted(found), f"/v1/registration-lists/{found.id}")


@router.get("/registrations/{registration_id}")
def show_registration(registration_id: str, _: Reader, parts: Wired) -> RegistrationView:
    """A registered digest, and where its evidence stands."""
    return RegistrationView.of(parts.registrations.get(registration_id))


@router.get("/registration-lists/{registration_list_id}")
def show_registration_list(registration_list_id: str, _: Reader, parts: Wired) -> RegistrationListView:
    """A list, and where its rows stand, counted."""
    found = parts.registrations.list(registration_list_id)
    given = None if found.receipt is None else receipt.parse(found.receipt)
    return RegistrationListView.of(found, parts.registrations.statuses(registration_list_id), given)


@router.get("/registration-lists/{registration_list_id}/rows")
def show_registration_rows(
    registration_list_id: str,
    _: Reader,
    parts: Wired,
    after: Annotated[int, Query(ge=0, description="Position to go on from")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> RegistrationRows:
    """The rows of a list in their order, each with where it stands."""
    found = parts.registrations.list(registration_list_id)
    positions = range(after + 1, min(after + limit, found.size) + 1)
    rows = parts.registrations.some([row_id(registration_list_id, position) for position in positions])
    more = positions[-1] if positions and positions[-1] < found.size else None
    return RegistrationRows(
        items=[
            _listed(
                position, found.refused.get(str(position)), rows.get(row_id(registration_list_id, position))
            )
            for position in positions
        ],
        next=more,
    )


@router.get("/proofs")
def find_proofs(
    caller: Reader,
    parts: Wired,
    sha256: Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="Of a content or a manifest")],
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=200)] = _PAGE,
) -> ProofPage:
    """Everything of yours that a digest leads to, and where each is in its batch.

    The digest is that of a registered file, of a captured or uploaded one, or of a manifest.
    """
    found = parts.proofs.of_digest(caller.organisation, bytes.fromhex(sha256), after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return ProofPage(items=[ProofView.of(item) for item in page], next=more)


def _stated(name: str, media_type: str, size: int, sha256: str, sha3_512: str) -> Stated:
    """What somebody states.

    Raises:
        MalformedError: its name is not in the form of a path.
    """
    manifest.check_path(name)
    return Stated(name, media_type, size, bytes.fromhex(sha256), bytes.fromhex(sha3_512))


def _judged(order: NewRegistrationList) -> tuple[dict[int, Stated], dict[int, dict[str, str]]]:
    """The rows that can be registered, and the problems of the others, by position."""
    read, refused = _read(order)
    accepted: dict[int, Stated] = {}
    for position, row in read.items():
        try:
            accepted[position] = _stated(
                row["name"], row.get("media_type", ANY_TYPE), row["size"], row["sha256"], row["sha3_512"]
            )
        except MalformedError as error:
            refused[position] = _problem(row["name"], error.message)
    return accepted, refused


def _read(order: NewRegistrationList) -> tuple[dict[int, StatedRow], dict[int, dict[str, str]]]:
    """Rows in the form of a file, and the problems of the others, by position."""
    rows: list[Any] = order.rows
    if isinstance(order, RightList):
        return dict(enumerate(rows, start=1)), {}
    refused: dict[int, dict[str, str]] = {}
    try:
        return dict(enumerate(_ROWS.validate_python(rows), start=1)), {}
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            at, *inside = item["loc"]
            where = ".".join(str(part) for part in inside) or "the row"
            raw = rows[int(at)]
            name = raw.get("name") if isinstance(raw, dict) else None
            refused.setdefault(int(at) + 1, _problem(name, f"{where}: {item['msg']}"))
    right = {
        position: _ROW.validate_python(row)
        for position, row in enumerate(rows, start=1)
        if position not in refused
    }
    return right, refused


def _problem(name: Any, title: str) -> dict[str, str]:
    shown = name[:400] if isinstance(name, str) else ""
    return {
        # What was refused may hold anything; the record takes no NUL.
        "name": "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown),
        "kind": "refused",
        "title": "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in title),
        "what_to_do": "correct the row and register it again",
    }


def _listed(position: int, refused: Any, found: Any) -> ListedRow:
    return ListedRow(
        position=position,
        registration=None if found is None else RegistrationView.of(found),
        name="" if refused is None else refused["name"],
        problem=None if refused is None else ProblemView.of(refused),
    )


def _accepted(found: RegistrationList) -> bytes:
    """The answer to a list, from the record alone: the same after a repetition."""
    refused = {int(position): problem for position, problem in found.refused.items()}
    rows = [
        f'{{"position":{position},"id":"{row_id(found.id, position)}","problem":null}}'
        if position not in refused
        else json.dumps(
            {
                "position": position,
                "id": None,
                "problem": ProblemView.of(refused[position]).model_dump(mode="json"),
            }
        )
        for position in range(1, found.size + 1)
    ]
    head = json.dumps(
        {
            "id": found.id,
            "matter_id": found.matter_id,
            "accepted_at": document.format_time(found.accepted_at),
            "batch_by": document.format_time(found.batch_by),
            "accepted": found.size - len(refused),
            "refused": len(refused),
        }
    )
    return b'%s,"receipt":%s,"rows":[%s]}' % (
        head[:-1].encode(),
        found.receipt or b"null",
        ",".join(rows).encode(),
    )


def _answer(body: bytes, location: str) -> Response:
    return Response(body, 202, {"Location": location}, "application/json")
