"""One connection to the sample marketplace: requests read, answers sent part by part, all of it logged."""

from __future__ import annotations

import base64
import hashlib
import select
import socket
import struct
from collections.abc import Callable

from evidence_service.sandbox.marketplace.answer import Answer, Asked, Frames, Pause, Reset
from evidence_service.sandbox.marketplace.log import ServedExchange, ServedLog

_MAX_HEAD = 65_536
_IDLE = 20.0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Router = Callable[[Asked], Answer]


class Connection:
    """Serves requests until either side ends it.

    Args:
        number: of the connection, for the log.
        route: gives the answer to a request.
    """

    def __init__(self, channel: socket.socket, number: int, route: Router, log: ServedLog) -> None:
        self._channel = channel
        self._number = number
        self._route = route
        self._log = log
        self._buffer = b""

    def serve(self) -> None:
        """Serve; what the network does ends it quietly."""
        with self._channel:
            try:
                self._channel.settimeout(_IDLE)
                count = 0
                while self._one(count):
                    count += 1
            except OSError:
                return

    def _one(self, number: int) -> bool:
        while b"\r\n\r\n" not in self._buffer:
            data = self._channel.recv(65_536)
            if not data or len(self._buffer) > _MAX_HEAD:
                return False
            self._buffer += data
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        target = lines[0].split(" ")[1] if lines[0].count(" ") == 2 else "/"
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])
        }
        entry = self._log.begin(self._number, number, target)
        entry.received(raw + b"\r\n\r\n")
        self._read_body(int(headers.get("content-length", "0")), entry)
        answer = self._route(Asked(f"http://{headers.get('host', '')}", target, headers))
        finished = self._send(answer, headers, entry)
        return finished and not answer.close and headers.get("connection", "").lower() != "close"

    def _read_body(self, size: int, entry: ServedExchange) -> None:
        while len(self._buffer) < size and (data := self._channel.recv(65_536)):
            self._buffer += data
        entry.received(self._buffer[:size])
        self._buffer = self._buffer[size:]

    def _send(self, answer: Answer, headers: dict[str, str], entry: ServedExchange) -> bool:
        for part in answer.parts():
            if isinstance(part, bytes):
                # Noted before it is sent: the log then never has less than a client can have received.
                entry.sent(part)
                self._channel.sendall(part)
            elif isinstance(part, Pause):
                if self._left(part.seconds):
                    return False
            elif isinstance(part, Reset):
                # Zero linger turns the close into a reset (SO_LINGER, socket(7)).
                self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            else:
                self._speak(part, headers, entry)
                return False
        return True

    def _left(self, seconds: float) -> bool:
        """Wait; whether the client has left meanwhile."""
        ready, _, _ = select.select([self._channel], [], [], seconds)
        return bool(ready) and self._channel.recv(1, socket.MSG_PEEK) == b""

    # --- WebSocket, RFC 6455 ---

    def _speak(self, frames: Frames, headers: dict[str, str], entry: ServedExchange) -> None:
        key = headers.get("sec-websocket-key", "").encode()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        opening = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        for data in (opening, *(_frame(0x1, text.encode()) for text in frames.texts)):
            entry.sent(data)
            self._channel.sendall(data)
        while data := self._channel.recv(65_536):
            entry.received(data)
            if data[0] & 0x0F == 0x8:
                farewell = _frame(0x8, struct.pack("!H", 1000))
                entry.sent(farewell)
                self._channel.sendall(farewell)
                return


def _frame(kind: int, payload: bytes) -> bytes:
    """One unmasked frame of at most 65,535 bytes (section 5.2)."""
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
    return bytes([0x80 | kind]) + size + payload
