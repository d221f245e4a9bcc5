"""Tunnel mode: exchanges as the browser reports them, where the recorder only sees encrypted bytes pass.

The browser speaks TLS with the server itself, so what it says it sent and received takes the place of what
was on the wire, and each exchange says so (``source: browser``). A head is rebuilt from its fields in
their order; content comes without its codings, so Content-Encoding and Transfer-Encoding are left out and
Content-Length is that of the content kept. Not reported: WebSocket frames, which only the tunnel's count
of bytes covers. The address that carried the bytes is the tunnel's. Plain http goes through the recorder
as ever.
"""

from __future__ import annotations

import base64
import hashlib
import json
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Request, Response

from evidence_service.capture.exchange import JOURNAL, Exchange, Stored, read_journal
from evidence_service.capture.recorder import RecorderLimits
from evidence_service.capture.steps.visit import Visit
from evidence_service.core.document import format_time

_REFUSALS = ("net::ERR_CERT", "net::ERR_SSL", "net::ERR_BAD_SSL")
"""Words of the browser for a connection whose TLS failed."""
_DROPPED = ("content-encoding", "transfer-encoding", "content-length")


# Without slots: Playwright notes its wrapper of a listener on the object the listener belongs to.
@dataclass
class Reports:
    """Collects what the browser reports of one visit into the recorder's directory."""

    visit: Visit
    wire: Path
    limits: RecorderLimits
    now: Callable[[], datetime]
    exchanges: list[Exchange] = field(default_factory=list)
    total: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _tls: dict[str, dict[str, str]] = field(default_factory=dict)

    def listen(self) -> None:
        """Begin to collect."""
        self.visit.context.on("requestfinished", self._finished)
        self.visit.context.on("requestfailed", self._failed)
        self.visit.cdp.on("Network.responseReceived", self._secured)
        self.visit.cdp.send("Network.enable")
        self.visit.log.add("mode", "exchanges over TLS are kept as the browser reports them")

    def close(self) -> None:
        """Write the journal's lines, after the recorder has written its own."""
        tunnels = _tunnels(self.wire)
        with (self.wire / JOURNAL).open("a", encoding="utf-8") as journal:
            for item in sorted(self.exchanges, key=lambda item: item.id):
                placed = _placed(item, tunnels.get(urlsplit(item.url).netloc, []))
                journal.write(json.dumps(placed.to_json()) + "\n")

    def keep_chain(self) -> None:
        """The certificates of the page's own origin; the browser tells no other's."""
        parts = urlsplit(self.visit.page.url)
        if parts.scheme != "https":
            return
        origin = f"https://{parts.netloc}"
        try:
            names = self.visit.cdp.send("Network.getCertificate", {"origin": origin})["tableNames"]
        except PlaywrightError:
            names = []
        certificates = [base64.b64decode(name) for name in names]
        directory = self.wire / "certificates"
        directory.mkdir(exist_ok=True)
        for item in certificates:
            (directory / f"{hashlib.sha256(item).hexdigest()}.der").write_bytes(item)
        chain = tuple(hashlib.sha256(item).hexdigest() for item in certificates)
        self.exchanges = [
            replace(item, chain=chain) if item.url.startswith((f"{origin}/", origin + "?")) else item
            for item in self.exchanges
        ]
        self.visit.log.add("certificates", f"{len(chain)} of {origin}, as the browser verified them")

    def _secured(self, event: dict[str, Any]) -> None:
        answer = event["response"]
        details = answer.get("securityDetails")
        if details:
            self._tls[urlsplit(answer["url"]).netloc] = {
                "verified": "yes",
                "version": details["protocol"],
                "cipher": details["cipher"],
                "verified_by": "browser",
            }

    def _finished(self, request: Request) -> None:
        if not request.url.startswith("https:") or self._is_full():
            return
        exchange = self._began(request)
        try:
            response = request.response()
            if response is not None:
                exchange = self._received(exchange, request, response)
        except PlaywrightError as error:
            words = error.message.splitlines()[0]
            exchange = replace(exchange, problem=f"the browser did not report it whole: {words}"[:400])
        self.exchanges.append(exchange)

    def _failed(self, request: Request) -> None:
        if request.url.startswith("https:") and not self._is_full():
            why = request.failure or "the request failed"
            refused = why.startswith(_REFUSALS)
            tls = {"verified": why, "verified_by": "browser"} if refused else {}
            self.exchanges.append(replace(self._began(request), problem=why, truncated="disconnect", tls=tls))

    def _is_full(self) -> bool:
        if len(self.exchanges) >= self.limits.exchanges:
            self.visit.fire(f"more than {self.limits.exchanges} exchanges")
        elif self.total > self.limits.total:
            self.visit.fire(f"all responses together are larger than {self.limits.total} bytes")
        else:
            return False
        return True

    def _began(self, request: Request) -> Exchange:
        # Other requests end while one of them waits for its body.
        identifier = f"b{next(self._numbers):04}"
        parts = urlsplit(request.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = _head(f"{request.method} {target} HTTP/1.1", _fields(request))
        started = request.timing.get("startTime", 0) / 1000
        return Exchange(
            id=identifier,
            url=request.url,
            method=request.method,
            started_at=format_time(datetime.fromtimestamp(started, UTC) if started > 0 else self.now()),
            source="browser",
            request=self._store(f"{identifier}.request", head + (request.post_data_buffer or b"")),
            request_head=len(head),
            finished_at=format_time(self.now()),
        )

    def _received(self, exchange: Exchange, request: Request, response: Response) -> Exchange:
        # The body of a redirect is never shown to anyone, and the browser does not keep it.
        redirect = request.redirected_to is not None
        body = b"" if redirect else response.body()
        kept = body[: self.limits.body]
        self.total += len(kept)
        fields = [item for item in response.headers_array() if item["name"].lower() not in _DROPPED]
        fields.append({"name": "Content-Length", "value": str(len(kept))})
        head = _head(f"HTTP/1.1 {response.status} {response.status_text}".rstrip(), fields)
        truncated = "length" if len(kept) < len(body) else ""
        if truncated:
            self.visit.fire(f"the response is larger than {self.limits.body} bytes")
        return replace(
            exchange,
            tls=self._secured_by(response),
            response=self._store(f"{exchange.id}.response", head + kept),
            response_head=len(head),
            status=response.status,
            content_type=response.headers.get("content-type", ""),
            truncated=truncated,
            problem=f"the response is larger than {self.limits.body} bytes" if truncated else "",
        )

    def _secured_by(self, response: Response) -> dict[str, str]:
        """What the browser says of the connection; nothing is said of one it tells nothing about."""
        details = response.security_details()
        if not details or not details.get("protocol"):
            return {}
        told = {"verified": "yes", "version": str(details["protocol"]), "verified_by": "browser"}
        return self._tls.get(urlsplit(response.url).netloc, told)

    def _store(self, name: str, data: bytes) -> Stored:
        (self.wire / name).write_bytes(data)
        return Stored(name, len(data), hashlib.sha256(data).hexdigest())


def _fields(request: Request) -> list[Any]:
    try:
        return list(request.headers_array())
    except (PlaywrightError, CancelledError):
        # The page was closed before the browser told them all: what it told when the request began.
        return [{"name": name, "value": value} for name, value in request.headers.items()]


def _head(line: str, fields: list[Any]) -> bytes:
    """A head as HTTP/1.1 writes it (RFC 9112); HTTP/2's pseudo-fields are in the first line already."""
    lines = [line]
    for item in fields:
        if not item["name"].startswith(":"):
            # The browser joins repeated fields with line feeds.
            lines += [f"{item['name']}: {value}" for value in item["value"].split("\n")]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


def _tunnels(wire: Path) -> dict[str, list[Exchange]]:
    """The tunnels by the host and port they lead to, as URLs write them."""
    found: dict[str, list[Exchange]] = {}
    for item in read_journal(wire):
        if item.kind == "tunnel":
            found.setdefault(urlsplit(item.url).netloc.removesuffix(":443"), []).append(item)
    return found


def _placed(exchange: Exchange, tunnels: list[Exchange]) -> Exchange:
    """With the peer of its tunnel, where all tunnels to that host led to the same one."""
    if len({item.peer for item in tunnels}) != 1:
        return exchange
    tunnel = tunnels[0]
    return replace(exchange, peer=tunnel.peer, resolved=tunnel.resolved, resolver=tunnel.resolver)
