"""Routes that are asked thousands of times a second: their parameters are read directly.

What such a route takes is declared as anywhere else, so it is in the OpenAPI document, and scope, limits and
problem documents are those of every route. FastAPI's solving of dependencies, which takes longer than all the
rest of a small request, is left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Security
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from evidence_service.api.auth import admitted
from evidence_service.api.idempotency import IdempotencyKey

_KEYS: TypeAdapter[str | None] = TypeAdapter(IdempotencyKey)


class DirectRoute(APIRoute):
    """A route with the parameters ``request, order, caller, idempotency_key``, in this order.

    ``order`` is the JSON body, ``caller`` is marked by :func:`evidence_service.api.auth.may`; the endpoint is
    a coroutine that gives a whole response. A model may read its body in a way of its own, ``of_json``.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI, “Custom Request and APIRoute class”."""
        endpoint: Callable[..., Awaitable[Response]] = self.endpoint
        _, order, caller, _ = inspect.signature(endpoint).parameters
        hints = get_type_hints(endpoint, include_extras=True)
        read_body = getattr(hints[order], "of_json", None) or TypeAdapter(hints[order]).validate_json
        marked = next(item for item in hints[caller].__metadata__ if isinstance(item, Security))
        [scope] = marked.scopes or ()

        async def handle(request: Request) -> Response:
            known = await admitted(request, scope)
            key = request.headers.get("idempotency-key")
            if key is not None:
                _read(_KEYS.validate_python, key, "header", "idempotency-key")
            data = await _body(request)
            return await endpoint(request, _read(read_body, data, "body"), known, key)

        return handle


class Shortcut(BaseRoute):
    """Finds a direct route by its path alone, before the router looks through all of them.

    Args:
        route: as it is declared, which stays where it is: for the document, and for every other method.
        path: the whole of it.
    """

    def __init__(self, route: DirectRoute, path: str) -> None:
        self.path = path
        self._methods = route.methods or set()
        self._endpoint = route.endpoint
        self._handle = route.get_route_handler()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette."""
        if scope["type"] != "http" or scope["path"] != self.path or scope["method"] not in self._methods:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self._endpoint, "route": self}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette."""
        answer = await self._handle(Request(scope, receive, send))
        await answer(scope, receive, send)


def shortcuts(router: APIRouter) -> list[Shortcut]:
    """One for each direct route of a router."""
    return [Shortcut(route, route.path) for route in router.routes if isinstance(route, DirectRoute)]


def _read(validate: Callable[[Any], Any], value: Any, *where: str) -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        # Without the input: problem documents do not echo what was sent.
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**item, "loc": (*where, *item["loc"])} for item in found]) from None


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestValidationError(
            [{"loc": ("body",), "msg": "send it as application/json", "type": "type"}]
        )
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400, "the body ended before it was complete") from None
