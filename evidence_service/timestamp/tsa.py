"""RFC 3161 clients: a digest goes to several authorities; what comes back is verified before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from asn1crypto import algos, tsp

from evidence_service.core.stamp import TOKEN_LIMIT
from evidence_service.errors import AuthorityUnavailableError, EvidenceError
from evidence_service.verify.policy import Voucher
from evidence_service.verify.timestamp import read_token, trust_token

SKEW = timedelta(minutes=10)
"""How far an authority's time may be from ours; beyond it one of the two clocks is wrong."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority by configuration.

    Attributes:
        url: takes requests by HTTP POST.
        roots: DER certificates its path must end in.
    """

    name: str
    url: str
    roots: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Stamped:
    """Tokens by authority, and the authorities that gave none with the reason."""

    tokens: tuple[tuple[str, bytes], ...]
    failures: tuple[tuple[str, str], ...]


def new_client() -> httpx.Client:
    """An HTTP client for authorities: no redirects, no proxy of the environment, bounded time."""
    return httpx.Client(follow_redirects=False, trust_env=False, timeout=httpx.Timeout(15.0, connect=5.0))


def stamp(
    authorities: Sequence[Authority],
    digest: bytes,
    *,
    minimum: int,
    nonce: Callable[[], int],
    client: httpx.Client,
    now: Callable[[], datetime],
) -> Stamped:
    """Ask every authority; enough of them have to answer with a good token.

    Args:
        digest: SHA-512 of the data, 64 bytes.
        minimum: tokens needed.
        nonce: a fresh random number of at most 64 bits for each request.

    Raises:
        AuthorityUnavailableError: fewer than ``minimum`` tokens; names each authority and its reason.
    """
    tokens, failures = [], []
    for authority in authorities:
        try:
            token = request_token(authority, digest, nonce=nonce(), client=client, now=now)
        except AuthorityUnavailableError as error:
            failures.append((authority.name, error.message))
        else:
            tokens.append((authority.name, token))
    if len(tokens) < minimum:
        reasons = "; ".join(reason for _, reason in failures) or "none is configured"
        raise AuthorityUnavailableError(
            f"{len(tokens)} of {minimum} required time stamps could be had: {reasons}",
            what_to_do="nothing is lost: it is tried again; check the authorities' addresses if this stays",
        )
    return Stamped(tuple(tokens), tuple(failures))


def request_token(
    authority: Authority,
    digest: bytes,
    *,
    nonce: int,
    client: httpx.Client,
    now: Callable[[], datetime],
) -> bytes:
    """One token (DER), verified before it is returned: nonce, imprint, signature, root, time.

    Raises:
        AuthorityUnavailableError: no token that can be accepted; the message names the reason.
    """
    request = tsp.TimeStampReq(
        {
            "version": 1,
            "message_imprint": {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha512"}),
                "hashed_message": digest,
            },
            "nonce": nonce,
            "cert_req": True,
        }
    ).dump()
    answer = _post(authority, request, client)
    token = _token(authority, answer)
    try:
        facts = read_token(token, imprint=digest)
    except EvidenceError as error:
        raise _refused(authority, error.message) from error
    if facts.info.nonce != nonce:
        raise _refused(authority, "the answer is to another request (its nonce differs)")
    voucher, why = trust_token(facts, [Voucher(authority.name, authority.roots, demonstration=False)])
    if voucher is None:
        raise _refused(authority, why)
    if abs(facts.gen_time - now()) > SKEW:
        raise _refused(authority, f"its time {facts.gen_time:%Y-%m-%d %H:%M:%S} UTC is far from this clock")
    return token


def _post(authority: Authority, request: bytes, client: httpx.Client) -> bytes:
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    body = b""
    try:
        with client.stream("POST", authority.url, content=request, headers=headers) as response:
            if response.status_code != 200:
                raise _refused(authority, f"it answered HTTP {response.status_code}")
            kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
            if kind != "application/timestamp-reply":
                raise _refused(authority, f"it answered {kind or 'nothing'}, not a time-stamp reply")
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > TOKEN_LIMIT:
                    raise _refused(authority, f"its answer is larger than {TOKEN_LIMIT} bytes")
    except httpx.HTTPError as error:
        raise _refused(authority, f"it cannot be reached ({type(error).__name__}: {error})") from error
    return body


def _token(authority: Authority, answer: bytes) -> bytes:
    try:
        response = tsp.TimeStampResp.load(answer, strict=True)
        status = response["status"]["status"].native
        token = response["time_stamp_token"]
        if status not in ("granted", "granted_with_mods") or token.native is None:
            raise _refused(authority, f"it refused with status {status}")
        return bytes(token.dump())
    except (ValueError, TypeError, KeyError) as error:
        raise _refused(authority, f"its answer cannot be read ({str(error)[:100]})") from error


def _refused(authority: Authority, reason: str) -> AuthorityUnavailableError:
    return AuthorityUnavailableError(
        f"time-stamping authority {authority.name}: {reason}",
        what_to_do="another authority is used where one is configured",
    )
