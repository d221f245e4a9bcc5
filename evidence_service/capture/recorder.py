"""The recording proxy: everything the browser asks for goes through it and is kept as it was on the wire.

It owns name resolution and connections, so that the address that was checked is the address that carried the
bytes (:mod:`evidence_service.egress.policy`). One connection to the server for each request: what a socket
carried is exactly one exchange.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from evidence_service.capture.exchange import JOURNAL, Exchange, Stored, read_journal
from evidence_service.capture.framing import RequestReader, ResponseFraming
from evidence_service.capture.interception import InterceptionAuthority
from evidence_service.core.document import format_time
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import EvidenceError, PolicyRefusedError, UnavailableError

_CHUNK = 64 * 1024
_HOP_HEADERS = re.compile(
    rb"\r\n(?:Proxy-Connection|Proxy-Authorization|Connection): [^\r\n]*", re.IGNORECASE
)


@dataclass(slots=True)
class _Draft:
    """An exchange while it goes on."""

    id: str
    url: str
    method: str
    started_at: str
    request: bytes = b""
    response: Path | None = None
    response_size: int = 0
    response_hash: Any = field(default_factory=hashlib.sha256)
    head_size: int = 0
    status: int | None = None
    content_type: str = ""
    peer: tuple[str, int] | None = None
    resolved: tuple[str, ...] = ()
    tls: dict[str, str] = field(default_factory=dict)
    chain: tuple[bytes, ...] = ()
    finished_at: str = ""
    problem: str = ""
    truncated: str = ""

    def frozen(self) -> Exchange:
        request = Stored(f"{self.id}.request", len(self.request), hashlib.sha256(self.request).hexdigest())
        response = None
        if self.response is not None:
            response = Stored(self.response.name, self.response_size, self.response_hash.hexdigest())
        return Exchange(
            id=self.id,
            url=self.url,
            method=self.method,
            started_at=self.started_at,
            # The request is sent just before the response's file is opened.
            request=request if response else None,
            request_head=self.request.find(b"\r\n\r\n") + 4 if response else 0,
            response=response,
            response_head=self.head_size,
            status=self.status,
            content_type=self.content_type,
            peer=self.peer,
            resolved=self.resolved,
            resolver="system",
            tls=self.tls,
            chain=tuple(hashlib.sha256(item).hexdigest() for item in self.chain),
            finished_at=self.finished_at,
            problem=self.problem,
            truncated=self.truncated or ("disconnect" if self.problem else ""),
        )


@dataclass(frozen=True, slots=True)
class RecorderLimits:
    """Where recording stops; each is named in the record when it fires.

    Attributes:
        body: bytes of one response; total: bytes of all; exchanges: their number.
        idle: seconds without a byte from a server.
    """

    body: int = 50 * 1024 * 1024
    total: int = 200 * 1024 * 1024
    exchanges: int = 300
    idle: float = 20.0


class Recorder:
    """A proxy on loopback while the ``with`` block lasts, in a thread of its own.

    Args:
        directory: gets one file for each response; the caller removes them.
        tls: client side towards servers; verification cannot be switched off.
    """

    def __init__(
        self,
        directory: Path,
        policy: EgressPolicy,
        *,
        now: Callable[[], datetime],
        limits: RecorderLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.limits_fired: list[str] = []
        self.port = 0
        self.authority = InterceptionAuthority(now())
        self._directory = directory
        self._policy = policy
        self._now = now
        self._limits = limits or RecorderLimits()
        self._tls = tls or ssl.create_default_context()
        self._total = 0
        self._count = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def exchanges(self) -> list[Exchange]:
        """What was recorded so far, in the order it began."""
        return read_journal(self._directory)

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, "127.0.0.1", 0), self._loop
        ).result(10)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- the browser's side ---

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, EvidenceError, asyncio.IncompleteReadError):
            # The browser hung up or spoke nonsense; what was recorded until then stays.
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests, origin = RequestReader(), ""
        while True:
            taken = requests.take()
            if taken is None:
                data = await reader.read(_CHUNK)
                if not data:
                    return
                requests.feed(data)
                continue
            request, head, body = taken
            target = request.target.decode("latin-1")
            if request.method == b"CONNECT":
                host, _, port = target.rpartition(":")
                host = host.strip("[]")
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await writer.drain()
                await writer.start_tls(self.authority.context(host))
                shown = f"[{host}]" if ":" in host else host
                origin = f"https://{shown}" + ("" if port == "443" else f":{port}")
                requests = RequestReader()
                continue
            url = origin + target if origin else target
            if not await self._exchange(url, request.method, head, body, writer):
                return

    async def _exchange(
        self, url: str, method: bytes, head: bytes, body: bytes, browser: asyncio.StreamWriter
    ) -> bool:
        """Carry out one exchange; whether the browser's connection can be used again."""
        if self._count >= self._limits.exchanges:
            self._fire(f"more than {self._limits.exchanges} exchanges")
            await _answer(browser, 503, "the recorder's limit of exchanges is reached")
            return False
        self._count += 1
        exchange = _Draft(
            f"x{self._count:04}", url, method.decode("latin-1"), started_at=format_time(self._now())
        )
        self._journal(exchange)
        try:
            if b"\r\nupgrade: websocket" in head.lower():
                raise PolicyRefusedError("WebSocket connections are not recorded and therefore refused")
            exchange.request = _for_server(url, head) + body
            return await asyncio.wait_for(self._carry(exchange, method, browser), 10 * self._limits.idle)
        except (PolicyRefusedError, UnavailableError) as error:
            exchange.problem = error.message
            await _answer(browser, 502, error.message)
        except (OSError, TimeoutError) as error:
            exchange.problem = f"{type(error).__name__}: {error}".rstrip(": ")
        finally:
            exchange.finished_at = format_time(self._now())
            self._journal(exchange)
        return False

    def _journal(self, exchange: _Draft) -> None:
        with (self._directory / JOURNAL).open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(exchange.frozen().to_json()) + "\n")

    # --- the server's side ---

    async def _carry(self, exchange: _Draft, method: bytes, browser: asyncio.StreamWriter) -> bool:
        reader, writer = await self._connect(exchange)
        try:
            writer.write(exchange.request)
            await writer.drain()
            framing = ResponseFraming(method)
            (self._directory / f"{exchange.id}.request").write_bytes(exchange.request)
            path = self._directory / f"{exchange.id}.response"
            exchange.response = path
            seen = b""
            with path.open("xb") as sink:
                while not framing.complete:
                    data = await asyncio.wait_for(reader.read(_CHUNK), self._limits.idle)
                    if exchange.head_size == 0 and len(seen) < _CHUNK * 4:
                        seen += data
                        exchange.head_size = _head_end(seen)
                    sink.write(data)
                    exchange.response_size += len(data)
                    exchange.response_hash.update(data)
                    self._total += len(data)
                    framing.feed(data)
                    browser.write(data)
                    await browser.drain()
                    if self._over_limit(exchange):
                        return False
                    if not data and not framing.complete:
                        exchange.problem = "the server closed before the response was complete"
                        return False
        finally:
            writer.close()
        if framing.head is not None:
            exchange.status = framing.head.status_code
            kinds = [value for name, value in framing.head.headers if name == b"content-type"]
            exchange.content_type = kinds[0].decode("latin-1") if kinds else ""
        return not framing.until_close and framing.surplus == 0 and _keeps_alive(seen)

    async def _connect(self, exchange: _Draft) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(exchange.url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        addresses = await self._loop.run_in_executor(None, self._policy.permit, host, port)
        exchange.resolved = tuple(addresses)
        problem: OSError | None = None
        for address in addresses:
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(
                        address,
                        port,
                        ssl=self._tls if secure else None,
                        server_hostname=host if secure else None,
                    ),
                    self._limits.idle,
                )
            except ssl.SSLCertVerificationError as error:
                exchange.tls = {"verified": error.verify_message}
                raise UnavailableError(f"{host} has no valid certificate: {error.verify_message}") from error
            except OSError as error:
                problem = error
                continue
            peer = writer.get_extra_info("peername")
            exchange.peer = (str(peer[0]), int(peer[1]))
            # The socket itself is asked: what was checked has to be what was connected to.
            self._policy.check_address(host, port, exchange.peer[0])
            _describe_tls(exchange, writer.get_extra_info("ssl_object"))
            self._keep_certificates(exchange.chain)
            return reader, writer
        raise UnavailableError(f"{host}:{port} cannot be reached: {problem}")

    def _keep_certificates(self, chain: tuple[bytes, ...]) -> None:
        directory = self._directory / "certificates"
        directory.mkdir(exist_ok=True)
        for item in chain:
            (directory / f"{hashlib.sha256(item).hexdigest()}.der").write_bytes(item)

    def _over_limit(self, exchange: _Draft) -> bool:
        if exchange.response_size > self._limits.body:
            exchange.problem = f"the response is larger than {self._limits.body} bytes"
        elif self._total > self._limits.total:
            exchange.problem = f"all responses together are larger than {self._limits.total} bytes"
        else:
            return False
        exchange.truncated = "length"
        self._fire(exchange.problem)
        return True

    def _fire(self, limit: str) -> None:
        if limit not in self.limits_fired:
            self.limits_fired.append(limit)


def _for_server(url: str, head: bytes) -> bytes:
    """The request head as a server expects it: path instead of URL, one exchange for each connection."""
    line, rest = head.split(b"\r\n", 1)
    method, _, version = line.split(b" ")
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = _HOP_HEADERS.sub(b"", b"\r\n" + rest)
    return method + b" " + target.encode("latin-1") + b" " + version + b"\r\nConnection: close" + headers


def _describe_tls(exchange: _Draft, connection: ssl.SSLObject | None) -> None:
    if connection is None:
        return
    cipher = connection.cipher()
    leaf = connection.getpeercert(binary_form=True)
    exchange.chain = () if leaf is None else (leaf,)
    exchange.tls = {
        "verified": "yes",
        "version": connection.version() or "",
        "cipher": cipher[0] if cipher else "",
    }


def _head_end(data: bytes) -> int:
    """Size of the final response's head; informational responses (1xx) before it count as part of it."""
    start = 0
    while (end := data.find(b"\r\n\r\n", start)) >= 0:
        if not re.match(rb"HTTP/1\.[01] 1\d\d", data[start:]):
            return end + 4
        start = end + 4
    return 0


def _keeps_alive(head: bytes) -> bool:
    """Whether the browser, which saw the same bytes, expects the connection to stay open."""
    end = _head_end(head)
    return re.search(rb"\r\nconnection:[^\r\n]*close", head[:end], re.IGNORECASE) is None and end > 0


async def _answer(browser: asyncio.StreamWriter, status: int, words: str) -> None:
    """An answer of the recorder's own; it is never part of the record of what servers sent."""
    body = f"Evidence recorder: {words}\n".encode()
    head = f"HTTP/1.1 {status} Recorder\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    browser.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await browser.drain()
