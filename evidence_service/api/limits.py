"""What a request may be: its header fields, the kind, size, pace and depth of its body.

5,000 rows fit, and nobody makes the service hold more than that in memory, unfold what is compressed, wait
for bytes that come one by one, or parse what is nested without end.
"""

from __future__ import annotations

import asyncio
import time

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence_service.api.nesting import check_nesting
from evidence_service.api.problems import of_status

BODY_LIMIT = 32 * 1024 * 1024
STREAMED = ("/v1/uploads", "/v1/uploads/sessions/{session_id}")
"""Routes that take a body of any kind in portions and have a limit of their own."""
MOST_HEADERS = 100
PATIENCE = 20.0
"""Seconds a body may take however small it is."""
SLOWEST = 4096
"""Bytes a second that a longer body has to keep up with."""
_SHORT = 64 * 1024
"""Bytes of a body whose nesting is found at once; a longer one would hold up everybody else's requests."""


class Bounds:
    """Refuses what a request must not be, before and while its body is received.

    Args:
        patience: seconds; time in which the service itself reads nothing is not counted.
    """

    def __init__(self, app: ASGIApp, *, patience: float = PATIENCE) -> None:
        self._app = app
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        streamed = _streamed(scope["method"], scope["path"])
        try:
            _check_headers(scope, any_kind=streamed)
        except HTTPException as error:
            await of_status(Request(scope), error)(scope, receive, send)
            return
        body = _Body(receive, patience=self._patience, limit=None if streamed else BODY_LIMIT)
        if streamed:
            await self._app(scope, body.receive, send)
            return
        try:
            whole = await body.whole()
            if len(whole) > _SHORT:
                await run_in_threadpool(check_nesting, whole)
            else:
                check_nesting(whole)
        except HTTPException as error:
            await of_status(Request(scope), error)(scope, receive, send)
            return
        except ConnectionError:
            return  # nobody is there to be answered
        await self._app(scope, _once(whole, receive), send)


def _streamed(method: str, path: str) -> bool:
    return path == STREAMED[0] or (method == "PATCH" and path.startswith("/v1/uploads/sessions/"))


def _once(body: bytes, receive: Receive) -> Receive:
    """What was received already, and then the rest of the connection."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _check_headers(scope: Scope, *, any_kind: bool) -> None:
    if len(scope["headers"]) > MOST_HEADERS:
        raise HTTPException(431, f"a request has at most {MOST_HEADERS} header fields")
    headers = Headers(scope=scope)
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        # RFC 9110, section 15.5.16: Accept-Encoding in the answer says that it was the coding.
        raise HTTPException(
            415, "send the body as it is, without a content coding", headers={"Accept-Encoding": "identity"}
        )
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if has_body and not any_kind and kind != "application/json":
        raise HTTPException(415, "send the body as application/json", headers={"Accept": "application/json"})


class _Body:
    """Counts what arrives, and how long was waited for it."""

    def __init__(self, receive: Receive, *, patience: float, limit: int | None) -> None:
        self._receive = receive
        self._patience = patience
        self._limit = limit
        self._received = 0
        self._waited = 0.0
        self._ended = False

    async def whole(self) -> bytes:
        """All of it.

        Raises:
            HTTPException: 408 or 413.
            ConnectionError: the caller has gone.
        """
        parts: list[bytes] = []
        while not self._ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            parts.append(message.get("body", b""))
        return b"".join(parts)

    async def receive(self) -> Message:
        if self._ended:
            return await self._receive()  # what is waited for now is the end of the connection
        began = time.monotonic()
        left = self._patience + self._received / SLOWEST - self._waited
        try:
            # However much has come: no single gap is longer than the patience.
            async with asyncio.timeout(max(0, min(left, self._patience))):
                message = await self._receive()
        except TimeoutError as error:
            self._ended = True
            raise HTTPException(
                408,
                f"the body came too slowly; keep to {SLOWEST} bytes a second",
                headers={"Connection": "close"},
            ) from error
        self._waited += time.monotonic() - began
        self._received += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._limit is not None and self._received > self._limit:
            raise HTTPException(413, f"the request is larger than {self._limit} bytes; order in portions")
        return message
