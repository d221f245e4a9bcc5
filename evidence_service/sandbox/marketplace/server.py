"""The sample marketplace on loopback, from plain sockets: every byte it sends is its own."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

from evidence_service.sandbox.marketplace.connection import Connection
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.log import ServedLog
from evidence_service.sandbox.marketplace.routes import answer


class Marketplace:
    """Serves the catalogue and the fixtures on ``127.0.0.1`` from threads.

    Args:
        port: 0 takes a free one; see ``port`` afterwards.

    Attributes:
        log: what was received and sent, exchange by exchange.
        closed_port: a port of its own that refuses connections.
    """

    def __init__(self, port: int = 0) -> None:
        self.log = ServedLog()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        # Bound and not listening: nobody else can take it, and whoever connects is refused.
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))
        self.closed_port = int(self._closed.getsockname()[1])
        self._lock = threading.Lock()
        self._channels: set[socket.socket] = set()
        self._stopped = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Address of its first page, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def listing_url(self, listing_id: str) -> str:
        """Address of a listing."""
        return f"{self.url}/item/{listing_id}"

    def fixture_url(self, fixture: Fixture) -> str:
        """Address of a fixture."""
        port = self.closed_port if fixture.refused else self.port
        return f"http://127.0.0.1:{port}{fixture.path}"

    def stop(self) -> None:
        """Stop serving; connections that are open are ended."""
        with self._lock:
            self._stopped = True
            channels = list(self._channels)
        # A listener that is merely closed leaves its thread waiting in accept(2).
        for channel in (self._listener, *channels):
            try:
                channel.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._listener.close()
        self._closed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=self._serve, args=(channel, number), daemon=True).start()

    def _serve(self, channel: socket.socket, number: int) -> None:
        with self._lock:
            if self._stopped:
                channel.close()
                return
            self._channels.add(channel)
        try:
            Connection(channel, number, answer, self.log).serve()
        finally:
            with self._lock:
                self._channels.discard(channel)
