"""The browser's side of the recorder: a proxy on loopback (RFC 9110, 7.6 and 9.3.6)."""

from __future__ import annotations

import asyncio
import re

from evidence_service.capture.framing import HeadReader, Request, parse_request, request_body
from evidence_service.capture.interception import InterceptionAuthority
from evidence_service.capture.recording.answers import answer
from evidence_service.capture.recording.channels import Channel, PlainChannel, TlsChannel
from evidence_service.capture.recording.ledger import Deadline, Ledger
from evidence_service.capture.recording.relay import relay_tunnel
from evidence_service.capture.recording.servers import Origin, Servers
from evidence_service.capture.recording.settings import Settings
from evidence_service.capture.recording.transfer import Transfer
from evidence_service.errors import (
    EvidenceError,
    LimitExceededError,
    MalformedError,
    PolicyRefusedError,
    RefusedError,
    StorageUnavailableError,
    UnavailableError,
)

_ABSOLUTE = re.compile(rb"http://([^/?#@]+)((?:[/?][^#]*)?)")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/?#@]+)(?::([0-9]{1,5}))?")
# RFC 9110, 11.7.2; the other is what browsers say to proxies alone.
_FOR_PROXIES = re.compile(rb"^proxy-(?:connection|authorization):[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_TLS_HANDSHAKE = 0x16
_WEBSOCKETS_REFUSED = "WebSocket connections are refused by the recorder's settings"


class Proxy:
    """Accepts the browser's connections and carries out what they ask for."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        servers: Servers,
        authority: InterceptionAuthority,
        deadline: Deadline,
    ) -> None:
        self._settings, self._ledger, self._servers = settings, ledger, servers
        self._authority, self._deadline = authority, deadline

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the browser, until it or we end it."""
        browser: Channel = PlainChannel(reader, writer)
        task = asyncio.current_task()
        try:
            if self._deadline.running >= self._settings.limits.connections:
                self._ledger.fire(f"more than {self._settings.limits.connections} connections at one time")
                await answer(browser, 503, "the recorder's limit of connections is reached")
                return
            if task is not None:
                self._deadline.watch(task)
            await _Conversation(self._settings, self._ledger, self._servers, self._authority).hold(browser)
        except OSError:
            # The browser hung up, or broke off TLS; its exchanges have said so themselves.
            pass
        finally:
            browser.close()


class _Conversation:
    """What one connection of the browser says."""

    def __init__(
        self, settings: Settings, ledger: Ledger, servers: Servers, authority: InterceptionAuthority
    ) -> None:
        self._settings, self._ledger, self._servers, self._authority = settings, ledger, servers, authority
        self._origin: Origin | None = None

    async def hold(self, browser: Channel) -> None:
        """Answer requests until one of them is the last."""
        try:
            while (request := await self._next(browser)) is not None:
                if request.method != b"CONNECT" or self._origin is not None:
                    if not await self._exchange(browser, request):
                        return
                elif self._settings.mode == "tunnel":
                    await self._tunnel(browser, request)
                    return
                else:
                    browser = await self._step_inside(browser, request)
        except MalformedError as error:
            await answer(browser, 400, error.message)
        except LimitExceededError as error:
            await answer(browser, 503, error.message)
        finally:
            browser.close()

    async def _next(self, browser: Channel) -> Request | None:
        """The next request's head; None when the browser has ended."""
        heads = HeadReader(self._settings.limits.head)
        while (raw := heads.take()) is None:
            data = await browser.read()
            if not data:
                return None
            # Empty lines before a request are no part of it (RFC 9112, 2.2).
            heads.feed(data.lstrip(b"\r\n") if heads.empty else data)
        browser.put_back(heads.rest())
        return parse_request(raw)

    async def _step_inside(self, browser: Channel, request: Request) -> Channel:
        """Be the server of a CONNECT: with TLS, or without where the browser speaks none (``ws://``)."""
        host, port = _host_and_port(request.target, None)
        await browser.write(b"HTTP/1.1 200 OK\r\n\r\n")
        first = await browser.read()
        browser.put_back(first)
        if first[:1] != bytes([_TLS_HANDSHAKE]) or not isinstance(browser, PlainChannel):
            self._origin = Origin("http", host, port)
            return browser
        inside = TlsChannel(browser, self._authority.connection(host))
        await inside.handshake()
        self._origin = Origin("https", host, port)
        return inside

    async def _exchange(self, browser: Channel, request: Request) -> bool:
        """Carry out one exchange; whether the connection can be used again."""
        origin, target, head = self._origin, request.target, request.head.raw
        if origin is None:
            origin, target, head = _for_server(request)
        kind = "websocket" if request.upgrades_to_websocket else "http"
        scheme = origin.scheme.replace("http", "ws") if kind == "websocket" else origin.scheme
        url = f"{scheme}://{origin.authority}{target.decode('latin-1')}"
        draft = self._ledger.begin(url, request.method.decode("ascii"), kind)
        try:
            if kind == "websocket" and not self._settings.websockets:
                raise PolicyRefusedError(_WEBSOCKETS_REFUSED)
            body = request_body(request)
        except (PolicyRefusedError, EvidenceError) as error:
            draft.fail(f"the request was refused: {error.message}")
            self._ledger.end(draft)
            await answer(browser, 400 if isinstance(error, EvidenceError) else 502, draft.problem)
            return False
        return await Transfer(
            draft,
            self._ledger,
            self._servers,
            browser=browser,
            origin=origin,
            request=request,
            head=head,
            body=body,
        ).run()

    async def _tunnel(self, browser: Channel, request: Request) -> None:
        host, port = _host_and_port(request.target, None)
        authority = Origin("https", host, port).authority
        draft = self._ledger.begin(f"https://{authority}", "CONNECT", "tunnel")
        try:
            await relay_tunnel(self._ledger, self._servers, draft, browser, host=host, port=port)
        except (RefusedError, UnavailableError) as error:
            draft.fail(error.message)
            if draft.sent == draft.received == 0 and not isinstance(error, StorageUnavailableError):
                self._ledger.end(draft)
                await answer(browser, 502, error.message)
        except Exception as error:
            draft.fail(f"the tunnel failed: {type(error).__name__}")
            raise
        finally:
            self._ledger.end(draft)


def _host_and_port(authority: bytes, usual: int | None) -> tuple[str, int]:
    """Host, without brackets, and port of an authority (RFC 3986, 3.2, without user information)."""
    found = _AUTHORITY.fullmatch(authority.decode("latin-1"))
    port = usual if found is None or found[2] is None else int(found[2])
    if found is None or port is None or not 0 < port < 65536:
        raise MalformedError(f"the request names no host and port: {authority[:80]!r}")
    return found[1].strip("[]"), port


def _for_server(request: Request) -> tuple[Origin, bytes, bytes]:
    """A request to a proxy as its server expects it: origin, target, head.

    Only what RFC 9112, 3.2.1 and RFC 9110, 7.6.1 ask of a proxy is changed: the form of the target, and
    fields that were meant for the proxy.
    """
    found = _ABSOLUTE.fullmatch(request.target)
    if found is None:
        raise MalformedError("a request to the recorder needs an http URL, or CONNECT")
    host, port = _host_and_port(found[1], 80)
    rest = found[2]
    target = rest if rest.startswith(b"/") else b"/" + rest
    if request.method == b"OPTIONS" and not rest:
        target = b"*"  # RFC 9112, 3.2.4
    _, _, fields = request.head.raw.partition(b"\n")
    line = request.method + b" " + target + b" " + request.version + b"\r\n"
    return Origin("http", host, port), target, line + _FOR_PROXIES.sub(b"", fields)
