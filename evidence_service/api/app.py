"""The HTTP API."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from evidence_service import __version__
from evidence_service.api import problems
from evidence_service.api.keys import KeyHolder, KnownKeys
from evidence_service.api.limits import BodyLimit
from evidence_service.api.routes import (
    anchors,
    batches,
    captures,
    certificates,
    custody,
    declarations,
    evidence,
    exhibits,
    health,
    matters,
    receipts,
    register,
    registrations,
)
from evidence_service.service.parts import Parts


def create_app(
    parts: Parts | None, keys: Mapping[bytes, KeyHolder], *, overall: Parts | None = None
) -> FastAPI:
    """The application.

    Args:
        parts: on connections that see one organisation at a time; None only to generate the OpenAPI document.
        keys: SHA-256 of an API key of the settings → its holder.
        overall: on connections that see all of them, for figures; None where no worker runs in this process.
    """
    app = FastAPI(
        title="Evidence service",
        version=__version__,
        description="Captures marketplace listings as evidence, anchors them, and issues certificates.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.state.overall = overall
    app.state.keys = KnownKeys(keys, None if parts is None else parts.organisations)
    if parts is not None:
        app.state.intake = registrations.intake(parts)
    app.add_middleware(BodyLimit)
    problems.install(app)
    app.include_router(registrations.direct)
    for module in (
        registrations,
        matters,
        captures,
        evidence,
        custody,
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
