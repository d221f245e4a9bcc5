"""Every error as problem details (RFC 9457), with a stable type and a request id; inputs are not echoed."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence_service.api.wording import in_words
from evidence_service.errors import (
    ConflictError,
    DeletedError,
    EvidenceError,
    EvidenceServiceError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

_log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
_PREFIX = "urn:evidence-service:problem:"
_RETRY_SECONDS = "5"
_SHOWN = 64
"""Characters of a member's name that are repeated; what a caller sends is not echoed beyond that."""
_KINDS: tuple[tuple[type[EvidenceServiceError], int, str], ...] = (
    (DeletedError, 410, "deleted"),
    (NotFoundError, 404, "not-found"),
    (ForbiddenError, 403, "forbidden"),
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
    408: "too-slow",
    413: "too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    422: "invalid-request",
    429: "too-many-requests",
    431: "too-many-header-fields",
    503: "unavailable",
}


class Problem(BaseModel):
    """What is wrong with a request, or with the service (RFC 9457)."""

    type: str = Field(description="Stable name of the kind of problem", examples=[f"{_PREFIX}not-found"])
    title: str = Field(description="What is wrong, in a sentence")
    status: int = Field(description="Of the answer")
    request_id: str = Field(description="To be quoted to whoever runs the service")
    what_to_do: str | None = Field(default=None, description="What to do about it, where there is something")


def problem(
    request: Request,
    status: int,
    kind: str,
    title: str,
    *,
    what_to_do: str = "",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One problem document."""
    body = {
        "type": f"{_PREFIX}{kind}",
        "title": title,
        "status": status,
        "request_id": request.state.request_id,
        **({"what_to_do": what_to_do} if what_to_do else {}),
    }
    sent = dict(headers or {})
    if status == 503:
        sent.setdefault("Retry-After", _RETRY_SECONDS)
    if status == 401:
        sent.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=sent)


def of_status(request: Request, error: HTTPException) -> JSONResponse:
    """The problem document of an error that is no more than a status of HTTP."""
    kind = _HTTP.get(error.status_code, "http")
    return problem(request, error.status_code, kind, str(error.detail), headers=error.headers)


class Envelope:
    """Gives every request an answer whatever happens, and every answer its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope["state"]  # the id is there: see observing.Observing
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = state["request_id"]
                headers.update(state.get("answer_headers", {}))
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception:
            # The cause is for the log; the caller gets the id to quote.
            _log.exception("request.failed")
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

    # A full pool, a broken connection and a server that is away are one thing to a caller: try again.
    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolExhausted)
    async def database(request: Request, _: Exception) -> JSONResponse:
        return problem(request, 503, "unavailable", "the database does not answer", what_to_do="try again")

    @app.exception_handler(DataError)
    async def unstorable(request: Request, _: DataError) -> JSONResponse:
        # PostgreSQL takes no NUL in text and no number beyond its type's range.
        return problem(
            request,
            422,
            "invalid-request",
            "a value cannot be stored: a NUL character, or a number out of range",
            what_to_do="correct the value",
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part)[:_SHOWN] for part in first["loc"])
        return problem(request, 422, "invalid-request", f"{where}: {in_words(first)}")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            # Starlette names the methods of the first route of a path alone (RFC 9110, section 10.2.1).
            allowed = ", ".join(sorted(_methods(app, request.scope)))
            error = HTTPException(405, f"this path takes {allowed}", headers={"Allow": allowed})
        elif error.status_code == 404 and "endpoint" not in request.scope:
            error = HTTPException(404, "there is nothing at this path")
        elif error.status_code == 400:
            # FastAPI's answer to bytes that are no text; to text that is no JSON it answers 422.
            error = HTTPException(422, "the body is not JSON in UTF-8")
        return of_status(request, error)


def _methods(app: FastAPI, scope: Scope) -> set[str]:
    """What may be done at a path.

    HEAD and OPTIONS are refused with it: a download is noted in a custody log, and one whose answer is thrown
    away would be noted too.
    """
    found: set[str] = set()
    for context in iter_route_contexts(app.routes):
        if context.original_route.matches(scope)[0] is not Match.NONE:
            found |= context.methods or set()
    return found
