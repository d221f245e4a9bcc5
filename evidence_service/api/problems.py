"""Every error as problem details (RFC 9457), with a stable type and a request id; inputs are not echoed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

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
_HTTP = {
    401: "unauthorised",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    429: "too-many-requests",
}


def problem(request: Request, status: int, kind: str, title: str, *, what_to_do: str = "") -> JSONResponse:
    """One problem document."""
    body = {
        "type": f"urn:evidence-service:problem:{kind}",
        "title": title,
        "status": status,
        "request_id": request.state.request_id,
        **({"what_to_do": what_to_do} if what_to_do else {}),
    }
    headers = {"Retry-After": _RETRY_SECONDS} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""

    @app.middleware("http")
    async def last_resort(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            response = await proceed(request)
        except Exception:  # noqa: BLE001 - the last resort: no traceback reaches a caller
            # The cause is for the log; the caller gets the id to quote.
            _log.exception("request.failed")
            response = problem(request, 500, "internal", "an internal error; quote the request id")
        response.headers["X-Request-Id"] = request.state.request_id
        return response

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
