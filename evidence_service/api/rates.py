"""How often somebody may ask: a token bucket for each caller and for each address, in this process.

Buckets of different callers share nothing: one who asks too much waits alone. A bucket that is full again is
forgotten, which changes nothing for its owner; so memory is held only for who asked in the last seconds.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.exceptions import HTTPException
from starlette.requests import Request

_MOST = 100_000
"""Buckets of one kind; beyond that the one that was used longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, so many at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What is allowed.

    Attributes:
        caller: of each key's or token's holder.
        public: of each address on routes that need no key.
        failures: failed authentications of each address.
    """

    caller: Rate = field(default=Rate(200, 2000))
    public: Rate = field(default=Rate(20, 200))
    failures: Rate = field(default=Rate(0.2, 20))


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request.

    Attributes:
        left: how many more are allowed now.
        wait: seconds until the next one is; 0 where it was allowed.
        full: seconds until the burst is allowed again.
    """

    left: int
    wait: float
    full: float


class Buckets:
    """Token buckets of one rate.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, owner: Hashable) -> Taken:
        """Take one token of an owner's, where there is one."""
        return self._turn(owner, 1)

    def look(self, owner: Hashable) -> Taken:
        """Whether there is one, without taking it."""
        return self._turn(owner, 0)

    def _turn(self, owner: Hashable, cost: int) -> Taken:
        now, rate = self._clock(), self._rate
        then, tokens = self._kept.pop(owner, (now, float(rate.burst)))
        tokens = min(rate.burst, tokens + (now - then) * rate.per_second)
        allowed = tokens >= 1
        if allowed:
            tokens -= cost
        self._kept[owner] = (now, tokens)
        self._forget(now)
        wait = 0.0 if allowed else (1 - tokens) / rate.per_second
        return Taken(int(tokens), wait, (rate.burst - tokens) / rate.per_second)

    def _forget(self, now: float) -> None:
        """Drop what is full again, and the oldest beyond the most there may be."""
        while self._kept:
            owner = next(iter(self._kept))
            then, tokens = self._kept[owner]
            full = tokens + (now - then) * self._rate.per_second >= self._rate.burst
            if not full and len(self._kept) <= _MOST:
                return
            del self._kept[owner]

    def fields(self, name: str, taken: Taken) -> dict[str, str]:
        """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers, sections 3 and 4).

        The quota is the burst, the window the time in which it comes back.
        """
        window = math.ceil(self._rate.burst / self._rate.per_second)
        return {
            "RateLimit-Policy": f'"{name}";q={self._rate.burst};w={window}',
            "RateLimit": f'"{name}";r={taken.left};t={math.ceil(taken.full)}',
        }


class Limiter:
    """Counts the requests of an application."""

    def __init__(self, rates: Rates, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._callers = Buckets(rates.caller, clock=clock)
        self._public = Buckets(rates.public, clock=clock)
        self._failures = Buckets(rates.failures, clock=clock)
        self._proven: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def count(self, request: Request, organisation: str, actor: str) -> None:
        """One request of a caller; its answer says what is left.

        Raises:
            HTTPException: 429.
        """
        self._count(request, self._callers, "caller", (organisation, actor))

    def count_public(self, request: Request) -> None:
        """One request without a key.

        Raises:
            HTTPException: 429.
        """
        self._count(request, self._public, "address", address_of(request))

    def check_address(self, request: Request, sha256: bytes) -> None:
        """Refuse to look at a key from an address that showed too many wrong ones.

        A key that was right from there goes on opening: who shares the address with a guesser is not locked
        out.

        Raises:
            HTTPException: 429.
        """
        address = address_of(request)
        found = self._failures.look(address)
        if found.wait and (address, sha256) not in self._proven:
            raise _too_many("too many failed authentications from this address", found, {})

    def failed(self, request: Request) -> None:
        """A wrong key was shown."""
        self._failures.take(address_of(request))

    def succeeded(self, request: Request, sha256: bytes) -> None:
        """A right key was shown."""
        shown = (address_of(request), sha256)
        self._proven[shown] = None
        self._proven.move_to_end(shown)
        while len(self._proven) > _MOST:
            self._proven.popitem(last=False)

    @staticmethod
    def _count(request: Request, buckets: Buckets, name: str, owner: Hashable) -> None:
        taken = buckets.take(owner)
        fields = buckets.fields(name, taken)
        if taken.wait:
            raise _too_many("too many requests", taken, fields)
        # The envelope of all answers writes them; see problems.Envelope.
        request.state.answer_headers = fields


def _too_many(words: str, taken: Taken, fields: dict[str, str]) -> HTTPException:
    seconds = max(1, math.ceil(taken.wait))
    return HTTPException(429, f"{words}; wait {seconds} s", headers={"Retry-After": str(seconds), **fields})


def address_of(request: Request) -> str:
    """Where a request comes from; of IPv6 the network of one customer (/64), who has all its addresses."""
    return "" if request.client is None else _owner_of(request.client.host)


@lru_cache(maxsize=4096)
def _owner_of(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        return host
    if address.version == 6:
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
