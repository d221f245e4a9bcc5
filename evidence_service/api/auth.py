"""Who calls, for which organisation, and whether he may: a bearer key, known by its SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.concurrency import run_in_threadpool

from evidence_service.api.keys import KnownKeys
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
    """The caller."""
    if credentials is not None:
        keys: KnownKeys = request.app.state.keys
        sha256 = hashlib.sha256(credentials.credentials.encode()).digest()
        holder = keys.remembered(sha256)
        if holder is None:
            holder = await run_in_threadpool(keys.look_up, sha256)
        if holder is not None:
            return Principal(holder.organisation_id, holder.name, holder.scopes)
    raise HTTPException(401, "give a known API key as a bearer token")


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


async def admitted(request: Request, scope: str) -> Principal:
    """The caller of a route whose parameters are read directly (:mod:`evidence_service.api.direct`)."""
    return await _permitted(SecurityScopes([scope]), await authenticated(request, await _bearer(request)))


def installed(request: Request) -> Parts:
    """The service's parts, bound to no organisation: for what is asked without a key."""
    parts: Parts = request.app.state.parts
    return parts


async def wired_parts(
    parts: Annotated[Parts, Depends(installed)], caller: Annotated[Principal, Depends(authenticated)]
) -> Parts:
    """The service's parts, bound to the caller's organisation."""
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
