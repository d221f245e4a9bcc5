"""The HTTP server: streams end with it at once."""

from __future__ import annotations

import socket

import uvicorn

from evidence_service.api.streams import Streams


class Server(uvicorn.Server):
    """uvicorn, which waits for responses to end before the application hears of its end."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._streams.end()
        await super().shutdown(sockets)
