"""The load of ``make bench-api``: a process of its own that keeps connections busy and prints what it saw.

Plain sockets and as little as possible around them: what is measured is the server.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_LISTS_A_SECOND = 20
_HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Seen:
    """What became of the requests.

    Attributes:
        acknowledged: answered with 202; seconds: of each of them.
    """

    acknowledged: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered, until the time is over."""

    def __init__(self, make: Callable[[], bytes], until: float, seen: Seen) -> None:
        self._make, self._until, self._seen = make, until, seen
        self._received = bytearray()
        self._sent = 0.0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        if time.perf_counter() >= self._until:
            self._transport.close()
            return
        request = self._make()
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(_HEAD_END)
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        at = head.index(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._received) < end + len(_HEAD_END) + length:
            return
        if head.startswith(b"http/1.1 202"):
            self._seen.acknowledged += 1
            self._seen.seconds.append(time.perf_counter() - self._sent)
        else:
            self._seen.refused += 1
        self._received.clear()
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


def row(number: int, run: str) -> dict[str, object]:
    """A file that nobody has stated before."""
    content = f"{run} {number}".encode()
    return {
        "name": f"photos/{number}.jpg",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "sha3_512": hashlib.sha3_512(content).hexdigest(),
        "media_type": "image/jpeg",
    }


def maker(path: str, key: str, matter: str, rows: int, *, lists_made: int) -> Callable[[], bytes]:
    """Makes requests, each under an idempotency key of its own.

    Args:
        rows: of each list; 0 makes single ones.
        lists_made: how many lists are made before the time begins, to be sent in turn: writing a thousand
            rows would otherwise be most of this process's work.
    """
    run, number = secrets.token_hex(8), 0
    lists = [
        json.dumps(
            {"matter_id": matter, "rows": [row(each, f"{run} {item}") for each in range(rows)]}
        ).encode()
        for item in range(lists_made if rows else 0)
    ]

    def make() -> bytes:
        nonlocal number
        number += 1
        body = (
            lists[number % lists_made]
            if rows
            else json.dumps({"matter_id": matter, **row(number, run)}).encode()
        )
        return (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            f"Idempotency-Key: {run} {number}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    return make


async def press(
    port: int, path: str, key: str, matter: str, *, connections: int, seconds: float, rows: int
) -> Seen:
    """Keep so many connections busy for some time."""
    seen, make = Seen(), maker(path, key, matter, rows, lists_made=1 + int(_LISTS_A_SECOND * seconds))
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Connection(make, until, seen), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.over for _, protocol in opened))
    return seen


def main() -> None:
    """Press as the one argument says, as JSON; print what was seen, as JSON."""
    wanted = json.loads(sys.argv[1])
    started = time.perf_counter()
    seen = asyncio.run(press(**wanted))
    json.dump(
        {
            "acknowledged": seen.acknowledged,
            "refused": seen.refused,
            "seconds": seen.seconds,
            "elapsed": time.perf_counter() - started,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
