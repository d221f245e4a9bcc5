"""The HTTP API."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from evidence_service import __version__
from evidence_service.api import document, problems
from evidence_service.api.keys import KeyHolder, KnownKeys
from evidence_service.api.limits import PATIENCE, Bounds
from evidence_service.api.oidc import Identities
from evidence_service.api.rates import Limiter, Rates
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
    organisations,
    receipts,
    register,
)
from evidence_service.service.parts import Parts


def create_app(
    parts: Parts | None,
    keys: Mapping[bytes, KeyHolder],
    *,
    overall: Parts | None = None,
    identities: Identities | None = None,
    rates: Rates | None = None,
    patience: float = PATIENCE,
) -> FastAPI:
    """The application.

    Args:
        parts: on connections that see one organisation at a time; None only to generate the OpenAPI document.
        keys: SHA-256 of an API key of the settings → its holder.
        overall: on connections that see all of them, for figures; None where no worker runs in this process.
        identities: whom tokens of OpenID providers are about; None takes no tokens.
        rates: how often somebody may ask.
        patience: seconds a body may take however small it is.
    """
    app = FastAPI(
        title="Evidence service",
        version=__version__,
        description="Captures marketplace listings as evidence, anchors them, and issues certificates.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=document.operation_id,
    )
    app.state.parts = parts
    app.state.overall = overall
    app.state.keys = KnownKeys(keys, None if parts is None else parts.organisations)
    app.state.identities = identities
    app.state.limiter = Limiter(rates or Rates())
    app.add_middleware(Bounds, patience=patience)
    problems.install(app)
    document.install(app)
    for module in (
        organisations,
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
