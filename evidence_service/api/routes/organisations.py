"""Organisations, their members, their API keys, and the log of what administrators did."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from evidence_service.api.auth import Overseer, Principal, Wired, may
from evidence_service.api.idempotency import IdempotencyKey, new_id, once, remembered
from evidence_service.api.keys import KnownKeys
from evidence_service.api.organisations import (
    EventPage,
    EventView,
    IssuedKeyView,
    KeyPage,
    KeyView,
    MemberPage,
    MemberView,
    NewKey,
    NewMember,
    NewOrganisation,
    NewRoles,
    OrganisationPage,
    OrganisationView,
    RegisteredView,
)
from evidence_service.api.paging import cut
from evidence_service.errors import NotFoundError
from evidence_service.service import add_member as adding
from evidence_service.service import issue_key as issuing
from evidence_service.service import register_organisation as registering
from evidence_service.service.change_roles import change_roles
from evidence_service.service.end_member import end_member
from evidence_service.service.parts import Parts
from evidence_service.service.revoke_key import revoke_key
from evidence_service.store.members import ADMINISTRATOR

router = APIRouter(prefix="/v1", tags=["organisations"])

Installer = Annotated[Principal, may("installation:manage")]
Member = Annotated[Principal, may("organisation:read")]
Administrator = Annotated[Principal, may("organisation:manage")]
Auditor = Annotated[Principal, may("audit:read")]
Limit = Annotated[int, Query(ge=1, le=200)]

_FIRST_KEY = "first key of the administrator"
_SHOWN = (
    "the key was shown in the first answer to this request and is kept nowhere; "
    "if it was lost, revoke it and make another one"
)


# --- of the installation ---


def overall(request: Request) -> Parts:
    """The parts that see every organisation, which only a process with a worker has.

    Raises:
        NotFoundError: this process has none.
    """
    parts: Parts | None = request.app.state.overall
    if parts is None:
        raise NotFoundError(
            "this process sees one organisation at a time",
            what_to_do="ask a process that runs a worker",
        )
    return parts


Overall = Annotated[Parts, Depends(overall)]


@router.post("/organisations", status_code=201, response_model=RegisteredView)
def register_organisation(
    order: NewOrganisation, caller: Installer, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Register an organisation; with its first administrator if one is named, whose key is shown once."""
    new = registering.NewOrganisation(new_id("o", caller, idempotency_key), order.name, order.code)
    shown: list[str] = []

    def perform() -> tuple[int, dict[str, Any]]:
        found = registering.register_organisation(parts, new, actor=caller.actor)
        administrator, first = None, order.administrator
        if first is not None:
            identity = None if first.identity is None else (first.identity.issuer, first.identity.subject)
            own = parts.within(new.id)
            added = adding.add_member(
                own,
                adding.NewMember(
                    new_id("mb", caller, idempotency_key, new.id), first.name, [ADMINISTRATOR], identity
                ),
                actor=caller.actor,
            )
            administrator = MemberView.of(added)
            key = issuing.NewKey(new_id("k", caller, idempotency_key, new.id), added.id, _FIRST_KEY)
            shown.extend(filter(None, [issuing.issue_key(own, key, actor=caller.actor)[1]]))
        view = RegisteredView(
            **OrganisationView.of(found).model_dump(), administrator=administrator, key=None
        )
        return 201, view.model_dump(mode="json")

    request = ["organisation", order.model_dump()]
    status, body = remembered(parts, caller, idempotency_key, request, perform)
    has_key = order.administrator is not None
    return JSONResponse(_with_key(body, shown) if has_key else body, status_code=status)


@router.get("/organisations")
def list_organisations(
    _: Overseer, every: Overall, after: str | None = None, limit: Limit = 50
) -> OrganisationPage:
    """The organisations of the installation, by id."""
    found = every.organisations.all(after=after or "", limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return OrganisationPage(items=[OrganisationView.of(item) for item in page], next=more)


# --- of the caller's own ---


@router.get("/organisation")
def show_organisation(caller: Member, parts: Wired) -> OrganisationView:
    """The caller's organisation."""
    return OrganisationView.of(parts.organisations.organisation(caller.organisation))


@router.get("/organisation/log")
def list_administration(
    _: Auditor,
    parts: Wired,
    after: Annotated[int, Query(ge=0, le=2**53 - 1, description="Sequence to go on from")] = 0,
    limit: Limit = 50,
) -> EventPage:
    """What administrators did, oldest first; nobody can edit it."""
    found = parts.administration.page(after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.sequence)
    return EventPage(items=[EventView.of(item) for item in page], next=more)


@router.post("/organisation/members", status_code=201, response_model=MemberView)
def add_member(
    order: NewMember,
    request: Request,
    caller: Administrator,
    parts: Wired,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Add somebody to the organisation."""
    identity = None if order.identity is None else (order.identity.issuer, order.identity.subject)
    new = adding.NewMember(new_id("mb", caller, idempotency_key), order.name, order.roles, identity)
    taken = _keys(request).names(caller.organisation)

    def perform() -> MemberView:
        return MemberView.of(adding.add_member(parts, new, actor=caller.actor, taken=taken))

    return once(parts, caller, idempotency_key, ["member", order.model_dump()], 201, perform)


@router.get("/organisation/members")
def list_members(_: Member, parts: Wired, after: str | None = None, limit: Limit = 50) -> MemberPage:
    """Members, by id; those who have left included."""
    found = parts.members.page(after=after or "", limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return MemberPage(items=[MemberView.of(item) for item in page], next=more)


@router.get("/organisation/members/{member_id}")
def show_member(member_id: str, _: Member, parts: Wired) -> MemberView:
    """One member."""
    return MemberView.of(parts.members.get(member_id))


@router.patch("/organisation/members/{member_id}")
def change_member(
    member_id: str, order: NewRoles, request: Request, caller: Administrator, parts: Wired
) -> MemberView:
    """Give a member other roles. The last administrator stays one."""
    found = change_roles(parts, member_id, order.roles, actor=caller.actor)
    _keys(request).forget(caller.organisation)
    return MemberView.of(found)


@router.delete("/organisation/members/{member_id}", status_code=204)
def remove_member(member_id: str, request: Request, caller: Administrator, parts: Wired) -> None:
    """End a membership: keys and tokens of the member open nothing any more. His name stays his."""
    end_member(parts, member_id, actor=caller.actor)
    _keys(request).forget(caller.organisation)


@router.post("/organisation/members/{member_id}/keys", status_code=201, response_model=IssuedKeyView)
def issue_key(
    member_id: str,
    order: NewKey,
    caller: Administrator,
    parts: Wired,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Make an API key for a member; it is shown in this answer, and not when the request is repeated."""
    new = issuing.NewKey(
        new_id("k", caller, idempotency_key), member_id, order.label, order.scopes, order.expires_at
    )
    shown: list[str] = []

    def perform() -> tuple[int, dict[str, Any]]:
        key, secret = issuing.issue_key(parts, new, actor=caller.actor)
        shown.extend(filter(None, [secret]))
        return 201, IssuedKeyView(**KeyView.of(key).model_dump(), key=None).model_dump(mode="json")

    request = ["key", member_id, order.model_dump(mode="json")]
    status, body = remembered(parts, caller, idempotency_key, request, perform)
    return JSONResponse(_with_key(body, shown), status_code=status)


@router.get("/organisation/members/{member_id}/keys")
def list_keys(
    member_id: str, _: Member, parts: Wired, after: str | None = None, limit: Limit = 50
) -> KeyPage:
    """Keys of a member, by id; revoked ones included, and none of them shown."""
    found = parts.members.keys(member_id, after=after or "", limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return KeyPage(items=[KeyView.of(item) for item in page], next=more)


@router.get("/organisation/members/{member_id}/keys/{key_id}")
def show_key(member_id: str, key_id: str, _: Member, parts: Wired) -> KeyView:
    """One key of a member, without the key."""
    return KeyView.of(parts.members.key(member_id, key_id))


@router.delete("/organisation/members/{member_id}/keys/{key_id}", status_code=204)
def remove_key(member_id: str, key_id: str, request: Request, caller: Administrator, parts: Wired) -> None:
    """Revoke a key."""
    revoke_key(parts, member_id, key_id, actor=caller.actor)
    _keys(request).forget(caller.organisation)


def _with_key(body: dict[str, Any], shown: list[str]) -> dict[str, Any]:
    """The answer with the key, which the memory of answers never holds."""
    return body | ({"key": shown[0]} if shown else {"note": _SHOWN})


def _keys(request: Request) -> KnownKeys:
    keys: KnownKeys = request.app.state.keys
    return keys
