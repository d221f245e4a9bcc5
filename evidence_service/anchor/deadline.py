"""HTTP with a limit for a whole exchange.

httpx limits each read by itself: an answer, or its headers, a byte at a time would last for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx


class DeadlineTransport(httpx.HTTPTransport):
    """Gives up an exchange, from connecting to the last byte of its answer, when its time is over.

    An exchange belongs to the thread that began it; the error is that of httpx for a read, write or connect
    that took too long.

    Args:
        seconds: for each exchange.
    """

    def __init__(self, seconds: float) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context)
        self._seconds = seconds
        self._exchange = threading.local()
        # httpx lets nobody choose the sockets: its pool is replaced by one that does.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_Backend(self._left),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See :meth:`httpx.BaseTransport.handle_request`."""
        self._exchange.ends = time.monotonic() + self._seconds
        return super().handle_request(request)

    def _left(self) -> float:
        return float(self._exchange.ends) - time.monotonic()


class _Backend(httpcore.NetworkBackend):
    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(
            host, port, _sooner(timeout, self._left(), httpcore.ConnectTimeout), local_address, socket_options
        )
        return _Stream(stream, self._left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._inner = inner
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _sooner(timeout, self._left(), httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _sooner(timeout, self._left(), httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        patience = _sooner(timeout, self._left(), httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, patience), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _sooner(timeout: float | None, left: float, over: type[Exception]) -> float:
    """The shorter patience; raises when none is left."""
    if left <= 0:
        raise over("the exchange took too long")
    return left if timeout is None else min(timeout, left)
