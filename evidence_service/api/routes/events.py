"""Events as they happen: server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from evidence_service.api.auth import Reader, Wired
from evidence_service.api.streams import MOST, Follower, Streams
from evidence_service.errors import ConflictError
from evidence_service.service.parts import Parts
from evidence_service.store.events import Event

router = APIRouter(prefix="/v1", tags=["events"])

_PORTION = 100
"""Events in memory for each stream, at most: the next ones are fetched when these are on their way."""
_HEARTBEAT_SECONDS = 15.0
"""Proxies close what is silent; and how late a lost notification is noticed."""
_LIFE_SECONDS = 900.0
"""After it a stream ends and its client comes again: a key that was revoked opens none any more."""
_AGAIN = "15"
"""Seconds until a stream whose client is gone is noticed, at most."""
_RETRY = 2000
"""Milliseconds a client waits before it comes again."""

_SEVERAL = {"matter_id": "matter_ids", "evidence_id": "evidence_ids"}
"""An exhibit is about several."""

_LAST = 2**53 - 1
"""Largest position that a double holds, as many programs read numbers."""
Position = Annotated[int | None, Query(ge=0, le=_LAST, description="Begin just after the event with this id")]
Only = Annotated[str | None, Query(max_length=200)]


class EventStream(StreamingResponse):
    """A stream that gives its place back however it ends."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], streams: Streams, follower: Follower) -> None:
        # Buffered by a proxy, events would come when it pleases (nginx takes the header).
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams
        self._follower = follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3.0."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(self._follower)


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def follow_events(
    request: Request,
    caller: Reader,
    parts: Wired,
    after: Position = None,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=_LAST, description="As browsers send it when they come again; outweighs “after”"),
    ] = None,
    matter_id: Only = None,
    evidence_id: Only = None,
) -> EventStream:
    """What happens to evidence, certificates and exhibits, as it happens; without “after” from now on.

    Ids count up by one: none is left out, none comes twice. A stream ends after 15 minutes, and with the
    service; a client that comes again with the last id goes on where it was.
    """
    newest = await run_in_threadpool(parts.events.newest, caller.organisation)
    begin = last_event_id if last_event_id is not None else newest if after is None else after
    if begin > newest:
        raise ConflictError(
            f"there is no event {begin} yet, the newest is {newest}",
            what_to_do="begin without an id: this is another record, or an older state of it",
        )
    streams: Streams = request.app.state.streams
    follower = streams.enter(caller.organisation, caller.actor)
    if follower is None:
        raise HTTPException(
            429,
            f"{MOST} streams of this caller are open; close one, or use one for several",
            headers={"Retry-After": _AGAIN},
        )
    wanted = (("matter_id", matter_id), ("evidence_id", evidence_id))
    return EventStream(_tell(parts, streams, follower, begin, wanted), streams, follower)


async def _tell(
    parts: Parts,
    streams: Streams,
    follower: Follower,
    position: int,
    wanted: tuple[tuple[str, str | None], ...],
) -> AsyncIterator[str]:
    ends = time.monotonic() + _LIFE_SECONDS
    # An id without data is no event, but it is remembered.
    yield f"retry: {_RETRY}\nid: {position}\n\n"
    while not streams.ended and time.monotonic() < ends:
        follower.woken.clear()
        try:
            events = await run_in_threadpool(
                parts.events.after, follower.organisation_id, position, limit=_PORTION
            )
        except OperationalError:
            events = []  # the database may be away for a while; nothing is lost
        for event in events:
            position = event.position
            if _fits(event, wanted):
                yield f"id: {position}\nevent: {event.type}\ndata: {event.told}\n\n"
        if len(events) == _PORTION:
            continue
        try:
            await asyncio.wait_for(follower.woken.wait(), _HEARTBEAT_SECONDS)
        except TimeoutError:
            yield f": nothing new\nid: {position}\n\n"


def _fits(event: Event, wanted: tuple[tuple[str, str | None], ...]) -> bool:
    """Whether an event is about the matter and the evidence that are asked for."""
    return all(value is None or value in _named(event, name) for name, value in wanted)


def _named(event: Event, name: str) -> list[Any]:
    found = [event.data.get(name), *(event.data.get(_SEVERAL[name]) or ())]
    if name == "evidence_id" and event.type.startswith("evidence."):
        found.append(event.subject_id)
    return found
