"""Who calls, for which organisation, and whether he may: a bearer key, known by its SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.concurrency import run_in_threadpool

from evidence_service.api.keys import KeyHolder, KnownKeys
from evidence_service.api.rates import Limiter
from evidence_service.errors import NotFoundError
from evidence_service.service.parts import Parts

_bearer = HTTPBearer(auto_error=False, description="An API key")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who calls.

    Attributes:
        organisation: whose evidence he works with.
        actor: his name in custody logs.
        scopes: what he may do; see :mod:`evidence_service.service.permissions`.
    """

    organisation: str
    actor: str
    scopes: frozenset[str]


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """The caller; found and counted once for each request."""
    known: Principal | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    limiter: Limiter = request.app.state.limiter
    if credentials is None:
        raise HTTPException(401, "give a known API key as a bearer token")
    sha256 = hashlib.sha256(credentials.credentials.encode()).digest()
    limiter.check_address(request, sha256)
    holder = await _holder(request.app.state.keys, sha256)
    if holder is None:
        limiter.failed(request)
        raise HTTPException(401, "give a known API key as a bearer token")
    limiter.succeeded(request, sha256)
    limiter.count(request, holder.organisation_id, holder.name)
    caller = Principal(holder.organisation_id, holder.name, holder.scopes)
    request.state.caller = caller
    return caller


async def _holder(keys: KnownKeys, sha256: bytes) -> KeyHolder | None:
    return keys.remembered(sha256) or await run_in_threadpool(keys.look_up, sha256)


async def _permitted(
    needed: SecurityScopes, caller: Annotated[Principal, Depends(authenticated)]
) -> Principal:
    missing = [scope for scope in needed.scopes if scope not in caller.scopes]
    if missing:
        raise HTTPException(403, f"this needs {missing[0]}, which this key does not have")
    return caller


def may(scope: str) -> Any:
    """Marks the caller of a route, who has to have this scope; it is named in the OpenAPI document."""
    return Security(_permitted, scopes=[scope])


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


def overall(request: Request) -> Parts:
    """The parts that see every organisation, which only a process with a worker has.

    Raises:
        NotFoundError: this process has none.
    """
    parts: Parts | None = request.app.state.overall
    if parts is None:
        raise NotFoundError(
            "this process serves one organisation at a time and has no figures of all",
            what_to_do="ask a process that runs a worker",
        )
    return parts


Installed = Annotated[Parts, Depends(installed)]
Overall = Annotated[Parts, Depends(overall)]
Wired = Annotated[Parts, Depends(wired_parts)]

# The callers most routes have.
Reader = Annotated[Principal, may("evidence:read")]
CertificateReader = Annotated[Principal, may("certificates:read")]
