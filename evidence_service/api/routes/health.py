"""Is it alive, is it ready: asked without a key, answered with names only."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from evidence_service.api.auth import Installed
from evidence_service.service.readiness import Examiner

router = APIRouter(tags=["health"])


class ReadinessView(BaseModel):
    """Whether orders are accepted, and what is away."""

    status: Literal["ready", "degraded", "not ready"] = Field(
        description="`degraded`: orders are accepted, and wait for what is away"
    )
    failing: list[str] = Field(description="`database`, `schema`, `objects`, `receipt_key`")
    degraded: list[str] = Field(description="`time_stamps`, `chain ID`")
    database_schema: str = Field(
        description="`current`, `older` or `newer` than this release; empty when the database is away"
    )


@router.get("/livez")
# In the event loop: it answers also when every thread that serves requests is busy.
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    response_model=ReadinessView,
    responses={503: {"model": ReadinessView, "description": "Not ready"}},
)
async def ready(request: Request, _: Installed) -> JSONResponse:
    """Orders can be accepted; else each failing dependency is named."""
    examiner: Examiner = request.app.state.examiner
    found = await examiner.readiness()
    view = ReadinessView(
        status="not ready" if found.failing else "degraded" if found.degraded else "ready",
        failing=list(found.failing),
        degraded=list(found.degraded),
        database_schema=found.schema,
    )
    return JSONResponse(view.model_dump(), status_code=200 if found.ready else 503)
