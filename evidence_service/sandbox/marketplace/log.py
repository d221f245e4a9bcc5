"""What the sample marketplace received and sent, exchange by exchange, to compare a record with."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

_KEPT = 8_000_000


@dataclass(slots=True)
class ServedExchange:
    """One request and what was sent for it.

    Attributes:
        connection: number of the connection; ``number`` counts the exchanges on it.
        request, response: bytes in order, of each side's the first 8 MB.
        request_size, response_size: of all of them.
    """

    connection: int
    number: int
    target: str = ""
    request: bytearray = field(default_factory=bytearray)
    response: bytearray = field(default_factory=bytearray)
    request_size: int = 0
    response_size: int = 0
    _hashes: dict[str, Any] = field(
        default_factory=lambda: {"request": hashlib.sha256(), "response": hashlib.sha256()}, repr=False
    )

    def received(self, data: bytes) -> None:
        """Take note of bytes from the client."""
        self.request += data[: _KEPT - len(self.request)]
        self.request_size += len(data)
        self._hashes["request"].update(data)

    def sent(self, data: bytes) -> None:
        """Take note of bytes given to the socket."""
        self.response += data[: _KEPT - len(self.response)]
        self.response_size += len(data)
        self._hashes["response"].update(data)

    def sha256(self, side: str) -> str:
        """Of all bytes of a side, ``request`` or ``response``."""
        return str(self._hashes[side].hexdigest())


class ServedLog:
    """Exchanges in the order their requests came in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[ServedExchange] = []

    def begin(self, connection: int, number: int, target: str) -> ServedExchange:
        """Note a new exchange."""
        entry = ServedExchange(connection, number, target)
        with self._lock:
            self._entries.append(entry)
        return entry

    def entries(self) -> list[ServedExchange]:
        """What was noted so far."""
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        """Forget everything, before the next capture."""
        with self._lock:
            self._entries.clear()
