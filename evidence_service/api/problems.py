"""Every error as problem details (RFC 9457), with a stable type and a request id; inputs are not echoed."""

from __future__ import annotations

import secrets

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence_service.errors import (
    ConflictError,
    EvidenceError,
    EvidenceServiceError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

_log = structlog.get_logger(__name__)
_RETRY_SECONDS = "5"
_KINDS: tuple[tuple[type[EvidenceServiceError], int, str], ...] = (
    (NotFoundError, 404, "not-found"),
    (ConflictError, 409, "conflict"),
    (RefusedError, 422, "refused"),
    (UnavailableError, 503, "unavailable"),
    (EvidenceError, 500, "evidence-does-not-hold"),
)
_HTTP = {401: "unauthorised", 403: "forbidden", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}


def problem(request: Request, status: int, kind: str, title: str, *, what_to_do: str = "") -> JSONResponse:
    """One problem document."""
    body = {
        "type": f"urn:evidence-service:problem:{kind}",
        "title": title,
        "status": status,
        "request_id": request.state.request_id,
        **({"what_to_do": what_to_do} if what_to_do else {}),
    }
    headers = {"Retry-After": _RETRY_SECONDS} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


class Envelope:
    """Gives every request its id, and an answer whatever happens; the outermost of our middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception:
            # The cause is for the log; the caller gets the id to quote.
            _log.exception("request.failed", request_id=request_id)
            if started:
                raise  # the connection has to break: half an answer must not look like a whole one
            answer = problem(Request(scope), 500, "internal", "an internal error; quote the request id")
            await answer(scope, receive, named)


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""

    app.add_middleware(Envelope)

    @app.exception_handler(EvidenceServiceError)
    async def ours(request: Request, error: EvidenceServiceError) -> JSONResponse:
        status, kind = next(
            ((status, kind) for family, status, kind in _KINDS if isinstance(error, family)),
            (500, "internal"),
        )
        return problem(request, status, kind, error.message, what_to_do=error.what_to_do)

    @app.exception_handler(OperationalError)
    async def database(request: Request, _: OperationalError) -> JSONResponse:
        return problem(request, 503, "unavailable", "the database does not answer", what_to_do="try again")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(request, 422, "invalid-request", f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        kind = _HTTP.get(error.status_code, "http")
        return problem(request, error.status_code, kind, str(error.detail))
