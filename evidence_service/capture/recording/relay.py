"""Two directions at once: WebSockets, recorded; tunnels, passed through unseen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from evidence_service.capture.recording.channels import Channel
from evidence_service.capture.recording.ledger import Draft, Ledger
from evidence_service.capture.recording.servers import ServerConnection, Servers
from evidence_service.capture.recording.wire import Sink
from evidence_service.errors import StorageUnavailableError

Read = Callable[[], Awaitable[bytes]]
Keep = Callable[[bytes], bytes]


async def relay_websocket(
    ledger: Ledger, draft: Draft, browser: Channel, server: ServerConnection, *, first: bytes
) -> None:
    """Pass a WebSocket's frames on and keep them, with the order they came in, until one side ends it.

    Args:
        first: the server's first frames, recorded already.
    """
    draft.order = ledger.wire.create(f"{draft.id}.order")

    def keeping(side: str, sink: Sink | None) -> Keep:
        def keep(data: bytes) -> bytes:
            if sink is None or draft.order is None:
                return b""
            kept = ledger.keep(draft, sink, data)
            draft.order.write(json.dumps([ledger.time(), side, len(kept)]).encode() + b"\n")
            return kept

        return keep

    if first:
        draft.order.write(json.dumps([ledger.time(), "response", len(first)]).encode() + b"\n")
        await browser.write(first)
    await _both_ways(
        draft,
        _pass(browser.read, server.channel, keeping("request", draft.request)),
        _pass(server.read, browser, keeping("response", draft.response)),
    )


async def relay_tunnel(
    ledger: Ledger, servers: Servers, draft: Draft, browser: Channel, *, host: str, port: int
) -> None:
    """Connect, say so to the browser, and pass bytes on until one side ends; they are counted, not kept.

    Raises:
        PolicyRefusedError, UnavailableError: no connection came about; the browser was told nothing yet.
    """
    server = await servers.dial(draft, host, port)
    ledger.note_head(draft)

    def up(data: bytes) -> bytes:
        kept = ledger.count(draft, data)
        draft.sent += len(kept)
        return kept

    def down(data: bytes) -> bytes:
        kept = ledger.count(draft, data)
        draft.received += len(kept)
        return kept

    try:
        await browser.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _both_ways(draft, _pass(browser.read, server, up), _pass(server.read, browser, down))
    finally:
        server.close()


async def _pass(read: Read, onward: Channel, keep: Keep) -> None:
    while data := await read():
        kept = keep(data)
        await onward.write(kept)
        if len(kept) < len(data):
            return
    onward.end_writing()


async def _both_ways(draft: Draft, upwards: Awaitable[None], downwards: Awaitable[None]) -> None:
    """Until the server has ended, or something broke, or a limit fired."""
    up, down = asyncio.ensure_future(upwards), asyncio.ensure_future(downwards)
    try:
        # A browser that has said everything may still be told things.
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if not down.done() and up.exception() is None and not draft.problem:
            await asyncio.wait({down})
    finally:
        for task in (up, down):
            task.cancel()
        ends = await asyncio.gather(up, down, return_exceptions=True)
    for end in ends:
        if isinstance(end, StorageUnavailableError):
            raise end
        if isinstance(end, OSError):
            draft.fail(f"the connection broke: {end}")
