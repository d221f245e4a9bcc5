"""Is it alive, is it ready."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError

from evidence_service.api.auth import Installed

router = APIRouter(tags=["health"])


@router.get("/livez")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", response_model=dict[str, str])
def ready(parts: Installed) -> JSONResponse:
    """Orders can be accepted; else the failing dependency is named."""
    try:
        parts.records.list_evidence(limit=1)
    except OperationalError:
        return JSONResponse({"status": "not ready", "failing": "database"}, status_code=503)
    return JSONResponse({"status": "ready"})
