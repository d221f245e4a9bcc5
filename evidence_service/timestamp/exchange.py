"""One bounded HTTP exchange: the rules under which authorities, publishers of CRLs and calendars are asked.

No redirects, no proxy of the environment, no decompression, a limit of bytes, and a deadline for the whole
exchange: an answer that drips one byte at a time ends with it like one that never comes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import httpx

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
        limit: int,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> Answer:
        """See :func:`exchange`."""


def exchange(
    url: str,
    *,
    limit: int,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (200,),
    seconds: float = SECONDS,
) -> Answer:
    """POST ``content``, or GET when there is none. Not to be called inside a running event loop.

    Args:
        limit: most bytes of the body.
        accept: statuses that are an answer.
        seconds: for the whole exchange.

    Raises:
        UnavailableError: no answer of an accepted status within limit and time; the message is the reason,
            without naming who was asked.
    """
    try:
        return asyncio.run(_exchange(url, limit, content, headers or {}, accept, seconds))
    except TimeoutError as error:
        raise UnavailableError(f"it did not answer completely within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError(f"it cannot be reached ({type(error).__name__}: {error})") from error


async def _exchange(
    url: str,
    limit: int,
    content: bytes | None,
    headers: Mapping[str, str],
    accept: tuple[int, ...],
    seconds: float,
) -> Answer:
    timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
    method = "GET" if content is None else "POST"
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=timeout, verify=_tls()) as client,
        client.stream(
            method, url, content=content, headers={**headers, "Accept-Encoding": "identity"}
        ) as response,
    ):
        if response.status_code not in accept:
            raise UnavailableError(f"it answered HTTP {response.status_code}")
        body = bytearray()
        # Raw: a compressed body nobody asked for must not unfold in memory.
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                raise UnavailableError(f"its answer is larger than {limit} bytes")
        kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
        return Answer(response.status_code, kind, bytes(body))


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates of the system takes longer than many an exchange."""
    return httpx.create_ssl_context(trust_env=False)
