"""The HTTP API."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from evidence_service import __version__
from evidence_service.api import document, problems
from evidence_service.api.direct import shortcuts
from evidence_service.api.figures import RequestFigures
from evidence_service.api.keys import KeyHolder, KnownKeys
from evidence_service.api.limits import PATIENCE, Bounds
from evidence_service.api.observing import Observing
from evidence_service.api.oidc import Identities
from evidence_service.api.rates import Limiter, Rates
from evidence_service.api.routes import (
    anchors,
    batches,
    captures,
    certificates,
    custody,
    declarations,
    events,
    evidence,
    exhibits,
    health,
    holds,
    matters,
    metrics,
    organisations,
    receipts,
    register,
    registrations,
    releases,
    requests,
    search,
    upload_sessions,
    webhooks,
)
from evidence_service.api.streams import Streams
from evidence_service.service.parts import Parts
from evidence_service.service.readiness import Examiner
from evidence_service.service.tracing import NoTracing

_ROUTES = (
    organisations,
    matters,
    registrations,
    captures,
    evidence,
    upload_sessions,
    custody,
    receipts,
    batches,
    anchors,
    certificates,
    declarations,
    exhibits,
    holds,
    requests,
    releases,
    register,
    search,
    events,
    webhooks,
    health,
    metrics,
)


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
    known = KnownKeys(keys, None if parts is None else parts.organisations)
    app = _application(parts, known, overall, identities=identities, rates=rates, patience=patience)
    if parts is not None:
        app.state.intake = registrations.intake(parts)
    app.router.routes.extend(shortcuts(registrations.direct))
    app.include_router(registrations.direct)
    for module in _ROUTES:
        app.include_router(module.router)
    return app


def create_monitoring(parts: Parts, keys: Mapping[bytes, KeyHolder]) -> FastAPI:
    """What a worker answers over HTTP: whether it is alive, what is away, and figures.

    Args:
        parts: on connections that see every organisation.
        keys: as above; members' keys never open figures of the installation, so none are looked up.
    """
    app = _application(parts, KnownKeys(keys, None), parts)
    for module in (health, metrics):
        app.include_router(module.router)
    return app


def _application(
    parts: Parts | None,
    keys: KnownKeys,
    overall: Parts | None,
    *,
    identities: Identities | None = None,
    rates: Rates | None = None,
    patience: float = PATIENCE,
) -> FastAPI:
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
    app.state.examiner = None if parts is None else Examiner(parts)
    app.state.keys = keys
    app.state.identities = identities
    app.state.limiter = Limiter(rates or Rates())
    app.state.figures = RequestFigures()
    app.state.streams = Streams(None if parts is None else parts.database)
    app.add_middleware(Bounds, patience=patience)
    problems.install(app)
    document.install(app)
    # Last, so that it is outermost and sees what the others answer.
    app.add_middleware(
        Observing, figures=app.state.figures, tracing=NoTracing() if parts is None else parts.tracing
    )
    return app
