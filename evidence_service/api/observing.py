"""What is seen of every request: one line of log, figures, a span. Never its query, its body or its path.

A path holds ids and a query may hold a listing's address; the route's template says what was asked for.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from evidence_service.api.figures import RequestFigures
from evidence_service.service.tracing import Passed, Tracing, noticing_orders

_log = structlog.get_logger(__name__)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_EVIDENCE_ID = re.compile(r"ev-[0-9a-f]{16,40}")
_ABORTED = 499
"""Status of a request whose caller left before there was an answer, as nginx counts it."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a request ended.

    Attributes:
        began: nanoseconds since 1970.
        ordered: evidence it ordered.
    """

    request_id: str
    status: int
    began: int
    seconds: float
    ordered: Sequence[str]


class Observing:
    """The outermost layer of the application: gives each request its id and tells what became of it."""

    def __init__(self, app: ASGIApp, *, figures: RequestFigures, tracing: Tracing) -> None:
        self._app = app
        self._figures = figures
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began, started, status = time.time_ns(), time.perf_counter(), _ABORTED

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with bound_contextvars(request_id=request_id), noticing_orders() as ordered:
            try:
                await self._app(scope, receive, noted)
            finally:
                seconds = time.perf_counter() - started
                self._tell(scope, Told(request_id, status, began, seconds, ordered))

    def _tell(self, scope: Scope, told: Told) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        # Starlette leaves the route that matched in the scope; what matched none has no template.
        route = getattr(scope.get("route"), "path", "unmatched")
        self._figures.count(method, route, told.status, told.seconds)
        about = _about(scope, told.ordered)
        _log.info(
            "request",
            method=method,
            route=route,
            status=told.status,
            ms=round(told.seconds * 1000, 1),
            **({"evidence_id": about} if about else {}),
        )
        self._tracing.passed(
            Passed(
                method=method,
                route=route,
                status=told.status,
                request_id=told.request_id,
                began=told.began,
                ended=told.began + round(told.seconds * 1e9),
                ordered=told.ordered,
                traceparent=_header(scope, b"traceparent"),
            )
        )


def _about(scope: Scope, ordered: Sequence[str]) -> str:
    """The one piece of evidence a request is about, if there is one; only ids that the service gave."""
    if len(ordered) == 1:
        return ordered[0]
    named = str(scope.get("path_params", {}).get("evidence_id", ""))
    return named if _EVIDENCE_ID.fullmatch(named) else ""


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
