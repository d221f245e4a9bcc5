"""Figures for monitoring, for who runs the installation."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from evidence_service.api.auth import Overseer
from evidence_service.service.metrics import metrics
from evidence_service.service.parts import Parts

router = APIRouter(tags=["anchors"])


@router.get("/metrics", response_class=Response)
def show_metrics(_: Overseer, request: Request) -> Response:
    """Figures in the text format of Prometheus.

    Every process tells of the requests it answered; one that runs a worker, of the whole installation too.
    """
    overall: Parts | None = request.app.state.overall
    figures = b"" if overall is None else metrics(overall)
    return Response(figures + request.app.state.figures.text(), media_type=CONTENT_TYPE_LATEST)
