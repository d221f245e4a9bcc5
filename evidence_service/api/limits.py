"""How large a request may be: 5,000 rows fit, and nobody makes the service hold more than that in memory."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 32 * 1024 * 1024
_STREAMED = frozenset({("POST", "/v1/uploads"), ("PATCH", "/v1/uploads/sessions")})
"""Method and path, or path above it, of what takes its body in portions and has a limit of its own."""


class BodyLimit:
    """Refuses a body over the limit while it is received, whatever its length was announced as."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        if scope["type"] != "http" or _streamed(scope):
            await self._app(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_LIMIT:
                raise HTTPException(413, f"the request is larger than {BODY_LIMIT} bytes; order in portions")
            return message

        await self._app(scope, counted, send)


def _streamed(scope: Scope) -> bool:
    path: str = scope["path"]
    return not _STREAMED.isdisjoint({(scope["method"], path), (scope["method"], path.rpartition("/")[0])})
