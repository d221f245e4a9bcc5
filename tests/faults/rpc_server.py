"""The HTTP side of the fault proxy: answers that arrive, drip, break off or never come."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
import threading
import time
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.faults.rpc_exchange import Ending, Reply, Upstream

DRIP_SECONDS = 0.1
"""Between two bytes of an answer that drips."""
ELSEWHERE = "/elsewhere"
"""Path that only a redirect names."""


class Replies(Protocol):
    """Who knows what to answer."""

    followed: int
    broken: list[BaseException]

    def reply(self, body: bytes, upstream: Upstream) -> Reply:
        """What goes back for a request's bytes."""


class Server(ThreadingHTTPServer):
    """Listens from its making; ``serve_forever`` answers.

    Args:
        address: host and port, 0 for any.
        replies: makes the answers.
        upstream: address of the real node; each connection from a client has one of its own to it.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], replies: Replies, upstream: str) -> None:
        self.replies = replies
        self.upstream = upstream
        self.ended = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        # A client that left in the middle of its answer is what some faults are for.
        if error is not None and not isinstance(error, OSError):
            self.replies.broken.append(error)

    def end(self) -> None:
        """Stop listening, then break the open connections off."""
        self.ended.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server: Server

    def setup(self) -> None:
        super().setup()
        self._upstream = Upstream(self.server.upstream)

    def finish(self) -> None:
        self._upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        """The proxy keeps its own log."""

    def do_GET(self) -> None:
        """Only a client that follows a redirect asks."""
        self.do_POST()

    def do_POST(self) -> None:
        """One request."""
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # the client has gone in the middle of it
            self.close_connection = True
            return
        if self.path == ELSEWHERE:
            self.server.replies.followed += 1
            self._send(Reply.of({"jsonrpc": "2.0", "id": 1, "result": "0x1"}))
            return
        try:
            self._send(self.server.replies.reply(body, self._upstream))
        except (OSError, HTTPException):
            # The node is down, or the client has gone: either way this connection is of no more use.
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        if reply.ending is Ending.WHOLE:
            self._head(reply)
            self.wfile.write(reply.body)
            self.wfile.flush()
            return
        self.close_connection = True
        if reply.ending is Ending.RESET:
            # SO_LINGER with zero seconds: closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif reply.ending is Ending.SILENT:
            self._wait_for_the_client_to_leave()
        elif reply.ending is Ending.DRIPPING_HEAD:
            self._drip_head()
        elif reply.ending is Ending.CUT:
            self._head(reply)
            self.wfile.write(reply.body[: len(reply.body) // 2])
        elif reply.ending is Ending.DRIP:
            self._head(reply)
            for position in range(len(reply.body)):
                self.wfile.write(reply.body[position : position + 1])
                self.wfile.flush()
                time.sleep(DRIP_SECONDS)

    def _drip_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.server.ended.is_set():
            self.wfile.write(b"z")
            self.wfile.flush()
            time.sleep(DRIP_SECONDS)

    def _head(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()

    def _wait_for_the_client_to_leave(self) -> None:
        while not self.server.ended.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable:
                return
