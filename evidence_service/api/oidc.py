"""Bearer tokens of OpenID providers: whom a signed token is about (RFC 9068, RFC 8725, OpenID Connect Core).

Only algorithms with a public key are known, and of them only those the settings name for an issuer. Keys come
from the issuer's own published set, through the egress policy, and never from the token.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from evidence_service.core.canonical import check_nesting
from evidence_service.egress.http import Exchange
from evidence_service.errors import EvidenceServiceError, MalformedError, RefusedError, UnavailableError

MOST = 16 * 1024
"""Characters of a token; groups of a large directory fit."""
LEEWAY = 30
"""Seconds the clocks of issuer and service may differ."""
FRESH = 300.0
"""Seconds for which a set of keys is believed; so long a key that was withdrawn may still open."""
AGAIN = 30.0
"""Seconds between two looks at one issuer's keys, whatever unknown keys tokens name."""
_LIMIT = 256 * 1024
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_SMALLEST_RSA = 2048
_REQUIRED = ["iss", "sub", "aud", "exp", "iat"]


class TokenRefusedError(RefusedError):
    """A token that proves nothing."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider whose tokens are taken.

    Attributes:
        audience: what its tokens for this service name.
        jwks_url: of its keys; None: found by discovery.
        parties: clients (``azp`` or ``client_id``) its tokens may be made for; empty: any.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    jwks_url: str | None = None
    parties: frozenset[str] = frozenset()


class Identities:
    """Finds out whom tokens are about.

    Args:
        exchange: asks issuers, under the egress policy.
        clock: monotonic seconds, for the age of keys. Tokens are judged by the time of the system.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        exchange: Exchange,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = {item.issuer: (item, _Keys(item, exchange, clock)) for item in providers}

    def verify(self, token: str) -> tuple[str, str]:
        """Issuer and subject of a token. Not to be called inside a running event loop.

        Raises:
            TokenRefusedError: it proves nothing; says why.
            UnavailableError: the issuer's keys cannot be had now.
        """
        header, claims = _unverified(token)
        found = self._providers.get(str(claims.get("iss")))
        if found is None:
            raise TokenRefusedError("the token is of an issuer this service does not know")
        provider, keys = found
        algorithm = header.get("alg")
        if algorithm not in provider.algorithms:
            raise TokenRefusedError("the token is signed with an algorithm that is not allowed")
        problem: jwt.PyJWTError | None = None
        for key in keys.fitting(header.get("kid"), str(algorithm)):
            try:
                return _judge(token, key, provider, str(algorithm))
            except jwt.InvalidSignatureError as error:
                problem = error
        raise TokenRefusedError("the token's signature is not its issuer's") from problem


def is_token(credentials: str) -> bool:
    """Whether credentials are a signed token (RFC 7519) and not an API key."""
    return credentials.startswith("eyJ") and credentials.count(".") == 2


def _judge(token: str, key: jwt.PyJWK, provider: Provider, algorithm: str) -> tuple[str, str]:
    try:
        claims = jwt.decode(
            token,
            key=key,
            algorithms=[algorithm],
            audience=provider.audience,
            issuer=provider.issuer,
            leeway=LEEWAY,
            options={"require": _REQUIRED},
        )
    except jwt.InvalidSignatureError:
        raise
    except jwt.PyJWTError as error:
        # Its words name a claim and what is wrong with it, and nothing of the token.
        raise TokenRefusedError(f"the token is not accepted: {error}") from error
    party = claims.get("azp", claims.get("client_id"))
    if provider.parties and party not in provider.parties:
        raise TokenRefusedError("the token was made for a client that is not allowed (azp)")
    if not claims["sub"]:
        raise TokenRefusedError("the token names nobody (sub)")
    return provider.issuer, claims["sub"]


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as they stand there, to find the key with."""
    if len(token) > MOST:
        raise TokenRefusedError(f"the token is longer than {MOST} characters")
    header, claims = (_object(part) for part in token.split(".")[:2])
    if "crit" in header or "b64" in header:
        raise TokenRefusedError("the token has extensions this service does not know (crit)")
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise TokenRefusedError("the token is of another kind (typ)")
    return header, claims


def _object(part: str) -> dict[str, Any]:
    """A part of a token. What is there twice would be read otherwise by other readers (RFC 8725, 2.4)."""
    try:
        data = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        check_nesting(data, what="token")
        found = json.loads(data, object_pairs_hook=_once)
    except (binascii.Error, ValueError, EvidenceServiceError) as error:
        raise TokenRefusedError("the token cannot be read") from error
    if not isinstance(found, dict):
        raise TokenRefusedError("the token cannot be read")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("a member is there twice")
    return found


class _Keys:
    """The published keys of one issuer, remembered."""

    def __init__(self, provider: Provider, exchange: Exchange, clock: Callable[[], float]) -> None:
        self._provider = provider
        self._exchange = exchange
        self._clock = clock
        self._asking = threading.Lock()
        self._set: list[Mapping[str, Any]] = []
        self._fetched: float | None = None
        self._asked: float | None = None
        self._problem: UnavailableError | None = None

    def fitting(self, kid: object, algorithm: str) -> Iterator[jwt.PyJWK]:
        """Keys of the set that may have signed: of the name the token gives, of the kind the algorithm needs.

        Raises:
            UnavailableError: the key is not among those that are known, and the issuer does not answer.
        """
        fresh = self._fetched is not None and self._clock() - self._fetched <= FRESH
        found = self._choose(kid, algorithm)
        if not found or not fresh:
            self._refresh(needed=not found)
            found = self._choose(kid, algorithm)
        for item in found:
            try:
                key = jwt.PyJWK(dict(item), algorithm=algorithm)
            except (jwt.PyJWTError, ValueError, TypeError):
                continue  # a key of a form that is none opens nothing, and stops no other
            if item["kty"] != "RSA" or key.key.key_size >= _SMALLEST_RSA:
                yield key

    def _choose(self, kid: object, algorithm: str) -> list[Mapping[str, Any]]:
        return [
            item
            for item in self._set
            if item.get("kty") == _KEY_TYPES.get(algorithm[:2])
            and item.get("use", "sig") == "sig"
            and item.get("alg", algorithm) == algorithm
            and (kid is None or item.get("kid") == kid)
        ]

    def _refresh(self, *, needed: bool) -> None:
        """Ask the issuer, one request at a time and not more often than :data:`AGAIN` allows.

        Args:
            needed: without an answer nothing can be said; else the remembered keys go on until there is one.
        """
        if not self._asking.acquire(blocking=False):
            if needed:
                # The key may be among them: the token is neither right nor wrong before.
                raise UnavailableError(
                    "the keys of the token's issuer are being fetched", what_to_do="try again"
                )
            return
        try:
            if self._asked is None or self._clock() - self._asked > AGAIN:
                self._asked = self._clock()
                self._fetch()
            if needed and self._problem is not None:
                raise self._problem
        finally:
            self._asking.release()

    def _fetch(self) -> None:
        try:
            url = self._provider.jwks_url or self._discover()
            keys = self._ask(url).get("keys")
            if not isinstance(keys, list):
                raise UnavailableError("its set of keys is none")
        except (UnavailableError, RefusedError) as error:
            self._problem = UnavailableError(
                f"the keys of the token's issuer cannot be had: {error.message}", what_to_do="try again"
            )
            return
        self._set = [item for item in keys if isinstance(item, dict)]
        self._fetched, self._problem = self._clock(), None

    def _discover(self) -> str:
        """The address of the keys (OpenID Connect Discovery, section 4)."""
        issuer = self._provider.issuer
        found = self._ask(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise UnavailableError("its configuration is of another issuer")
        url = found.get("jwks_uri")
        if not isinstance(url, str):
            raise UnavailableError("its configuration names no keys")
        return url

    def _ask(self, url: str) -> dict[str, Any]:
        answer = self._exchange(url, limit=_LIMIT, headers={"Accept": "application/json"})
        try:
            check_nesting(answer.body, what="answer")
            found = json.loads(answer.body)
        except (ValueError, EvidenceServiceError) as error:
            raise UnavailableError("its answer is no JSON") from error
        if not isinstance(found, dict):
            raise UnavailableError("its answer is no JSON object")
        return found
