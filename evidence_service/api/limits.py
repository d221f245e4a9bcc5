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

from evidence_service.api.auth import recognised
from evidence_service.api.nesting import check_nesting
from evidence_service.api.problems import of_status

BODY_LIMIT = 1024 * 1024
_LARGE = {
    # 5,000 captures with their steps, 10,000 digests.
    "/v1/capture-lists": 32 * 1024 * 1024,
    "/v1/registration-lists": 32 * 1024 * 1024,
    # A login state alone may have 1 MiB, and escapes make it longer.
    "/v1/captures": 4 * 1024 * 1024,
    # A plan of what is masked names up to a thousand texts of a thousand characters.
    "/v1/exhibits": 8 * 1024 * 1024,
}
"""Paths whose bodies may be larger."""
_EXHIBIT = "/exhibit"
"""With it the path of an order of an exhibit of one piece of evidence ends."""
AT_ONCE = 1024
"""Requests under way in one process."""
ALIVE = "/livez"
"""Answered however many are under way: who asks it would restart a process that is only busy."""
STREAMED = ("/v1/uploads", "/v1/uploads/sessions/{session_id}")
"""Routes that take a body in portions, and say themselves of which kind and how large."""
MOST_HEADERS = 100
PATIENCE = 20.0
"""Seconds a body may take however small it is."""
SLOWEST = 4096
"""Bytes a second that a longer body has to keep up with."""
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_SHORT = 64 * 1024
"""Bytes of a body whose nesting is found at once; a longer one would hold up everybody else's requests."""


class Bounds:
    """Refuses what a request must not be, before and while its body is received.

    Args:
        patience: seconds; time in which the service itself reads nothing is not counted.
        at_once: requests under way. This is not left to the server below: uvicorn's ``limit_concurrency``
            refuses :data:`ALIVE` as well, and not with problem details.
    """

    def __init__(self, app: ASGIApp, *, patience: float = PATIENCE, at_once: int = AT_ONCE) -> None:
        self._app = app
        self._patience = patience
        self._at_once = at_once
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._bounded(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        streamed = _streamed(scope["method"], scope["path"])
        try:
            if self._under_way > self._at_once and scope["path"] != ALIVE:
                raise HTTPException(503, "too many requests are under way; try again")
            has_body = _check_headers(scope, any_kind=streamed)
            given: Receive
            if streamed:
                given = _Body(receive, patience=self._patience, limit=None).receive
            elif has_body and not await _wanted(scope):
                given = _once(b"", receive)
            else:
                given = _once(await self._whole(scope, receive), receive)
        except HTTPException as error:
            await of_status(Request(scope), error)(scope, receive, send)
            return
        except ConnectionError:
            return  # nobody is there to be answered
        await self._app(scope, given, send)

    async def _whole(self, scope: Scope, receive: Receive) -> bytes:
        body = await _Body(receive, patience=self._patience, limit=_limit(scope["path"])).whole()
        if len(body) > _SHORT:
            await run_in_threadpool(check_nesting, body)
        else:
            check_nesting(body)
        return body


async def _wanted(scope: Scope) -> bool:
    """Whether a body is read at all: of a caller who is known, for a method that has one.

    Everybody else is answered by the route, as if there were none.
    """
    return scope["method"] not in _WITHOUT_BODY and await recognised(Request(scope))


def _limit(path: str) -> int:
    if path.startswith("/v1/evidence/") and path.endswith(_EXHIBIT):
        return _LARGE["/v1/exhibits"]
    return _LARGE.get(path, BODY_LIMIT)


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


def _check_headers(scope: Scope, *, any_kind: bool) -> bool:
    """Refuse what can be seen without the body; whether there is one."""
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
    return has_body


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
