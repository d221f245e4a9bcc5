"""One bounded HTTP exchange: the rules under which the service asks others by itself.

No redirects, no proxy of the environment, no decompression, a limit of bytes, and a deadline for the whole
exchange: an answer that drips one byte at a time ends with it like one that never comes. Authorities and
calendars are named by the operator and may be anywhere; an address that is somebody else's word (a listing, a
webhook, where a certificate says its revocation list is) is asked under the egress policy.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Protocol

import httpcore
import httpx

from evidence_service.egress.dial import DEADLINES, check_peer, look_up
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import UnavailableError

SECONDS = 15.0
"""Longest exchange, from the connection to the last byte."""
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        status: of HTTP, one of those that were accepted.
        kind: media type, lower case, without parameters.
    """

    status: int
    kind: str
    body: bytes


class Exchange(Protocol):
    """Sends a request and returns its answer; :func:`exchange` is the one over HTTP."""

    def __call__(
        self,
        url: str,
        *,
        limit: int | None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> Answer:
        """See :func:`exchange`."""


def exchange(
    url: str,
    *,
    limit: int | None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (200,),
    seconds: float = SECONDS,
    policy: EgressPolicy | None = None,
    roots: Path | None = None,
) -> Answer:
    """POST ``content``, or GET when there is none. Not to be called inside a running event loop.

    Args:
        limit: most bytes of the body; None: it is not read, whatever it is.
        accept: statuses that are an answer.
        seconds: for the whole exchange.
        policy: where it may connect to; None for an address the operator named.
        roots: PEM file of further root certificates beside the system's.

    Raises:
        PolicyRefusedError: the policy does not permit the address; nothing was sent.
        UnavailableError: no answer of an accepted status within limit and time; the message is the reason,
            without naming who was asked.
    """
    try:
        return asyncio.run(
            _exchange(url, limit, content, headers or {}, accept, seconds, policy, _tls(roots))
        )
    except TimeoutError as error:
        raise UnavailableError(f"it did not answer completely within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, *_TRANSPORT_ERRORS) as error:
        raise UnavailableError(f"it cannot be reached ({type(error).__name__}: {error})") from error


async def _exchange(
    url: str,
    limit: int | None,
    content: bytes | None,
    headers: Mapping[str, str],
    accept: tuple[int, ...],
    seconds: float,
    policy: EgressPolicy | None,
    tls: ssl.SSLContext,
) -> Answer:
    timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
    method = "GET" if content is None else "POST"
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=timeout,
            verify=tls,
            transport=None if policy is None else GuardedTransport(policy, tls),
        ) as client,
        client.stream(
            method, url, content=content, headers={**headers, "Accept-Encoding": "identity"}
        ) as response,
    ):
        if response.status_code not in accept:
            raise UnavailableError(f"it answered HTTP {response.status_code}")
        kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if limit is None:
            return Answer(response.status_code, kind, b"")
        body = bytearray()
        # Raw: a compressed body nobody asked for must not unfold in memory.
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                raise UnavailableError(f"its answer is larger than {limit} bytes")
        return Answer(response.status_code, kind, bytes(body))


def guarded(policy: EgressPolicy) -> Exchange:
    """:func:`exchange` under a policy."""
    return partial(exchange, policy=policy)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Transport of an httpx client that connects only where a policy permits it; never through a proxy."""

    def __init__(self, policy: EgressPolicy, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=_GuardedBackend(policy))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry out one request; httpx asks again for each redirect that is followed."""
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("the request's body cannot be sent by an asynchronous client")
        response = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close its connections."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves and checks by the policy, and lets the library connect to a checked address only."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self._policy.check_port(host, port)
        found = await look_up(self._policy, host, port)
        self._policy.check_addresses(host, port, found.addresses)
        problem: Exception = httpcore.ConnectError("no address")
        for address in found.addresses:
            try:
                stream = await self._inner.connect_tcp(
                    address, port, timeout or DEADLINES.connect, local_address, socket_options
                )
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                problem = error
                continue
            try:
                check_peer(self._policy, host, port, address, stream.get_extra_info("server_addr")[0])
            except BaseException:
                await stream.aclose()
                raise
            return stream
        raise problem

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("a policy permits no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


# What httpcore raises where it is used without httpx's own transport.
_TRANSPORT_ERRORS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


@cache
def _tls(roots: Path | None = None) -> ssl.SSLContext:
    """Made once: reading the certificates of the system takes longer than many an exchange."""
    # The system's store and not a package's: the recorder trusts the same, and the two are compared.
    context = ssl.create_default_context()
    if roots is not None:
        context.load_verify_locations(roots)
    return context
