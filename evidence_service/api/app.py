"""The HTTP API."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from evidence_service import __version__
from evidence_service.api import problems
from evidence_service.api.figures import RequestFigures
from evidence_service.api.limits import BodyLimit
from evidence_service.api.observing import Observing
from evidence_service.api.routes import (
    anchors,
    batches,
    captures,
    certificates,
    declarations,
    evidence,
    exhibits,
    health,
    matters,
    receipts,
    register,
)
from evidence_service.service.parts import Parts
from evidence_service.service.tracing import NoTracing


def create_app(parts: Parts | None, keys: Mapping[str, str]) -> FastAPI:
    """The application.

    Args:
        parts: None only to generate the OpenAPI document.
        keys: SHA-256 of an API key (hexadecimal) → name of its holder.
    """
    app = FastAPI(
        title="Evidence service",
        version=__version__,
        description="Captures marketplace listings as evidence, anchors them, and issues certificates.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.state.keys = dict(keys)
    app.add_middleware(BodyLimit)
    problems.install(app)
    app.state.figures = RequestFigures()
    # Last, so that it is outermost and sees what the others answer.
    app.add_middleware(
        Observing, figures=app.state.figures, tracing=NoTracing() if parts is None else parts.tracing
    )
    for module in (
        matters,
        captures,
        evidence,
        receipts,
        batches,
        anchors,
        certificates,
        declarations,
        exhibits,
        register,
        health,
    ):
        app.include_router(module.router)
    return app
