"""Who calls, for which organisation, and whether he may: by a key, known by its SHA-256, or by a token."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from evidence_service.api.keys import KnownKeys
from evidence_service.api.oidc import Identities, TokenRefusedError, is_token
from evidence_service.api.rates import Limiter
from evidence_service.errors import ForbiddenError, RefusedError, UnavailableError
from evidence_service.service.confirm_membership import confirm_membership
from evidence_service.service.parts import Parts
from evidence_service.service.permissions import role_with, roles_with, scopes_of
from evidence_service.store.organisations import Holder

_bearer = HTTPBearer(auto_error=False, description="An API key, or a token of a known OpenID provider")
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, section 3.1
ORGANISATION_HEADER = "Evidence-Organisation"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who calls.

    Attributes:
        organisation: whose evidence he works with.
        actor: his name in custody logs.
        scopes: what he may do; see :mod:`evidence_service.service.permissions`.
        roles: his roles, in their order.
        role: the one by which he may do what the route does; empty outside of one.
    """

    organisation: str
    actor: str
    scopes: frozenset[str]
    roles: tuple[str, ...]
    role: str = ""


async def recognised(request: Request) -> bool:
    """Whether it is known who calls: found out before anything of a body is read.

    What else became of it, a refusal or something that is away, is raised where the route asks who calls.
    """
    try:
        request.state.caller = await _recognise(
            request, await _bearer(request), request.headers.get(ORGANISATION_HEADER)
        )
    except Exception as error:  # noqa: BLE001 - raised again, see above
        request.state.refusal = error
        return False
    return True


async def authenticated(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    organisation: Annotated[
        str | None,
        Header(
            alias=ORGANISATION_HEADER,
            max_length=64,
            description="For which organisation; needed by members of several who show a token, "
            "and the first time by everybody who shows one",
        ),
    ] = None,
) -> Principal:
    """The caller; found and counted once for each request."""
    known: Principal | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    refusal: Exception | None = getattr(request.state, "refusal", None)
    if refusal is not None:
        raise refusal
    caller = await _recognise(request, credentials, organisation)
    request.state.caller = caller
    return caller


async def _recognise(
    request: Request, credentials: HTTPAuthorizationCredentials | None, organisation: str | None
) -> Principal:
    """Find out who calls, and count the request in one bucket, whatever becomes of it then."""
    limiter: Limiter = request.app.state.limiter
    if credentials is None:
        raise HTTPException(401, "give a known API key as a bearer token")
    shown = credentials.credentials
    sha256 = hashlib.sha256(shown.encode()).digest()
    limiter.check_address(request, sha256)
    keys: KnownKeys = request.app.state.keys
    identities: Identities | None = request.app.state.identities
    holder = keys.remembered(sha256)
    try:
        if holder is None and identities is not None and is_token(shown):
            issuer, subject = await run_in_threadpool(identities.verify, shown)
            return await _member(request, sha256, issuer, subject, organisation)
        if holder is None:
            holder = await run_in_threadpool(keys.look_up, sha256)
        if holder is None:
            raise TokenRefusedError("give a known API key as a bearer token")
    except TokenRefusedError as error:
        limiter.failed(request)
        raise HTTPException(401, error.message, headers=_INVALID) from error
    except (UnavailableError, SQLAlchemyError):
        # Nobody can be named: the issuer, or the database, is away.
        limiter.count_public(request)
        raise
    limiter.succeeded(request, sha256)
    limiter.count(request, holder.organisation_id, holder.name)
    if organisation not in (None, holder.organisation_id):
        raise HTTPException(403, "this key is not of that organisation")
    return Principal(holder.organisation_id, holder.name, holder.scopes, holder.roles)


async def _member(
    request: Request, sha256: bytes, issuer: str, subject: str, organisation: str | None
) -> Principal:
    """The membership somebody with a token wants to use; without one he has a bucket of his own."""
    limiter: Limiter = request.app.state.limiter
    parts: Parts = request.app.state.parts
    found = await run_in_threadpool(parts.organisations.holders_of_identity, issuer, subject)
    limiter.succeeded(request, sha256)
    try:
        member = _implied(found) if organisation is None else _named(found, organisation)
    except (HTTPException, RefusedError):
        limiter.count(request, issuer, subject)
        raise
    limiter.count(request, member.organisation_id, member.name)
    if not member.confirmed:
        await run_in_threadpool(confirm_membership, parts, member, issuer, subject)
    scopes = scopes_of(member.roles, member.scopes)
    return Principal(member.organisation_id, member.name, scopes, tuple(member.roles))


def _named(found: Sequence[Holder], organisation: str) -> Holder:
    for item in found:
        if item.organisation_id == organisation:
            return item
    # The same words whether there is such an organisation or not.
    raise HTTPException(403, "you are no member there")


def _implied(found: Sequence[Holder]) -> Holder:
    """The one organisation of somebody who names none.

    Whoever administers an organisation may add anybody's identity: nobody works for one that he never named.
    """
    if not found:
        raise HTTPException(403, "you are no member")
    confirmed = [item for item in found if item.confirmed]
    names = ", ".join(sorted(item.organisation_id for item in confirmed or found))
    if not confirmed:
        raise HTTPException(
            403,
            "you have not worked for an organisation yet: name yours once in the header "
            f"{ORGANISATION_HEADER}, which confirms that you are a member; you were added to {names}",
        )
    if len(confirmed) > 1:
        raise RefusedError(
            "you are a member of several organisations",
            what_to_do=f"name one in the header {ORGANISATION_HEADER}: {names}",
        )
    return confirmed[0]


async def _permitted(
    needed: SecurityScopes, caller: Annotated[Principal, Depends(authenticated)]
) -> Principal:
    missing = [scope for scope in needed.scopes if scope not in caller.scopes]
    if missing:
        holders = ", ".join(roles_with(missing[0]))
        raise ForbiddenError(
            f"this needs {missing[0]}, which this key does not have",
            what_to_do="ask an administrator of your organisation for a role or a key that has it; "
            f"roles that have it: {holders}",
        )
    [scope] = needed.scopes
    return replace(caller, role=role_with(caller.roles, scope))


def may(scope: str) -> Any:
    """Marks the caller of a route, who has to have this scope; it is named in the OpenAPI document."""
    return Security(_permitted, scopes=[scope])


async def admitted(request: Request, scope: str) -> Principal:
    """The caller of a route whose parameters are read directly (:mod:`evidence_service.api.direct`).

    Such a route takes a body: who calls was found out before it was read, unless there was none.
    """
    caller = getattr(request.state, "caller", None)
    if caller is None:
        shown, organisation = await _bearer(request), request.headers.get(ORGANISATION_HEADER)
        caller = await authenticated(request, shown, organisation)
    return await _permitted(SecurityScopes([scope]), caller)


async def installed(request: Request) -> Parts:
    """The service's parts, bound to no organisation: for what is asked without a key."""
    limiter: Limiter = request.app.state.limiter
    limiter.count_public(request)
    parts: Parts = request.app.state.parts
    return parts


async def wired_parts(request: Request, caller: Annotated[Principal, Depends(authenticated)]) -> Parts:
    """The service's parts, bound to the caller's organisation."""
    parts: Parts = request.app.state.parts
    return parts.within(caller.organisation)


Installed = Annotated[Parts, Depends(installed)]
Wired = Annotated[Parts, Depends(wired_parts)]

# The callers most routes have.
Reader = Annotated[Principal, may("evidence:read")]
CertificateReader = Annotated[Principal, may("certificates:read")]
Overseer = Annotated[Principal, may("installation:read")]
