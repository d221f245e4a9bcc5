"""Who calls: a bearer key, known by its SHA-256."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from evidence_service.service.parts import Parts

_bearer = HTTPBearer(auto_error=False)


def known_actor(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> str:
    """Name of the caller, for the custody log."""
    keys: Mapping[str, str] = request.app.state.keys
    if credentials is not None:
        given = hashlib.sha256(credentials.credentials.encode()).hexdigest()
        for known, actor in keys.items():
            if hmac.compare_digest(known, given):
                return actor
    raise HTTPException(401, "give a known API key as a bearer token")


def wired_parts(request: Request) -> Parts:
    """The service's parts."""
    parts: Parts = request.app.state.parts
    return parts


Actor = Annotated[str, Depends(known_actor)]
Wired = Annotated[Parts, Depends(wired_parts)]
