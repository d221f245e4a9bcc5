"""RFC 3161 clients: a digest goes to k of n authorities; what comes back is verified before it is kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from asn1crypto import algos, cms, core, tsp

from evidence_service.core.stamp import TOKEN_LIMIT
from evidence_service.egress.http import Exchange, exchange
from evidence_service.errors import AuthorityUnavailableError, EvidenceError, UnavailableError
from evidence_service.timestamp.health import Health
from evidence_service.timestamp.revocation import RevocationLists
from evidence_service.verify.policy import Voucher
from evidence_service.verify.timestamp import TimestampFacts, judge_token, read_token

SKEW = timedelta(minutes=10)
"""How far an authority's time may be from ours; beyond it one of the two clocks is wrong."""

Now = Callable[[], datetime]


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
class Token:
    """A verified token.

    Attributes:
        authority: name by configuration.
        der: the TimeStampToken.
        revocation: as a bundle keeps it: ``collected`` with CRLs, or ``absent`` with the reason.
        ends_at: end of the first certificate of its path that ends, the root's included.
    """

    authority: str
    der: bytes
    revocation: Mapping[str, Any]
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Stamped:
    """Tokens in the order of configuration, and ``(authority, reason)`` of those that gave none."""

    tokens: tuple[Token, ...]
    failures: tuple[tuple[str, str], ...]


class Authorities:
    """The configured authorities, asked k of n.

    They are asked in order, as many at once as tokens are still missing; where one fails the next is asked.
    One that failed rests for a while: it is asked last until it is over.

    Args:
        minimum: tokens needed.
        clock: monotonic seconds.
        send: asks the authorities.
        publishers: asks for revocation lists where certificates say they are: an exchange under the egress
            policy; ``send`` when left out.

    Attributes:
        lists: the lists that were fetched, for others who need those of the same certificates.
    """

    def __init__(
        self,
        members: Sequence[Authority],
        *,
        minimum: int,
        clock: Callable[[], float] = time.monotonic,
        send: Exchange = exchange,
        publishers: Exchange | None = None,
    ) -> None:
        self.members = tuple(members)
        self.minimum = minimum
        self._send = send
        self._health = Health(clock)
        self.lists = RevocationLists(publishers or send)

    def stamp(
        self,
        digest: bytes,
        *,
        nonce: Callable[[], int],
        now: Now,
        minimum: int | None = None,
        algorithm: str = "sha512",
        ends_after: datetime | None = None,
    ) -> Stamped:
        """Get enough tokens over a digest, each of another authority.

        Args:
            digest: of the data, 64 bytes.
            nonce: a fresh random number of at most 64 bits for each request.
            minimum: tokens needed; those of configuration when left out.
            algorithm: ``sha512`` or ``sha3_512``, what the digest is.
            ends_after: a token whose certificates end at this moment or earlier is refused.

        Raises:
            AuthorityUnavailableError: fewer than ``minimum`` tokens; names each authority and its reason.
        """
        wanted = self.minimum if minimum is None else minimum

        def ask(authority: Authority) -> Token:
            return self.request(authority, digest, nonce=nonce(), now=now, algorithm=algorithm)

        tokens, failures = self._ask(ask, wanted, ends_after)
        if len(tokens) < wanted:
            reasons = "; ".join(failures.values()) or "none is configured"
            raise AuthorityUnavailableError(
                f"{len(tokens)} of {wanted} required time stamps could be had: {reasons}",
                what_to_do="it is tried again; check the authorities' addresses if this stays",
            )
        return Stamped(
            tuple(tokens[item.name] for item in self.members if item.name in tokens),
            tuple((item.name, failures[item.name]) for item in self.members if item.name in failures),
        )

    def request(
        self, authority: Authority, digest: bytes, *, nonce: int, now: Now, algorithm: str = "sha512"
    ) -> Token:
        """One token, verified before it is returned: nonce, imprint, signature, root, time, revocation.

        Raises:
            AuthorityUnavailableError: no token that can be accepted; the message names the reason.
        """
        token, facts = self._answer(authority, digest, nonce, algorithm)
        judged = judge_token(facts, [Voucher(authority.name, authority.roots, demonstration=False)])
        if judged.voucher is None:
            raise _refused(authority, judged.why)
        moment = now()
        if abs(facts.gen_time - moment) > SKEW:
            raise _refused(
                authority, f"its time {facts.gen_time:%Y-%m-%d %H:%M:%S} UTC is far from this clock"
            )
        try:
            revocation = self.lists.collect(judged.path, now=moment)
        except EvidenceError as error:
            raise _refused(authority, error.message) from error
        return Token(authority.name, token, revocation, judged.ends)

    def clocks(self, nonce: Callable[[], int]) -> dict[str, Callable[[], datetime]]:
        """The authorities as clocks: name → the time (UTC) of a fresh token, whatever it is.

        Each raises AuthorityUnavailableError when it gives no token that holds. How far the time is from this
        clock is not judged: that is what is being asked.
        """

        def ask(authority: Authority) -> datetime:
            _, facts = self._answer(authority, hashlib.sha512(b"").digest(), nonce(), "sha512")
            judged = judge_token(facts, [Voucher(authority.name, authority.roots, demonstration=False)])
            if judged.voucher is None:
                raise _refused(authority, judged.why)
            return facts.gen_time

        return {item.name: partial(ask, item) for item in self.members}

    def _answer(
        self, authority: Authority, digest: bytes, nonce: int, algorithm: str
    ) -> tuple[bytes, TimestampFacts]:
        """A token that answers this very request, and what it says; not judged yet."""
        token = _token(authority, _post(authority, _query(digest, nonce, algorithm), self._send))
        facts = _read(authority, token, digest, algorithm)
        if facts.info.nonce != nonce:
            raise _refused(authority, "the answer is to another request (its nonce differs)")
        return token, facts

    def _ask(
        self, ask: Callable[[Authority], Token], wanted: int, ends_after: datetime | None
    ) -> tuple[dict[str, Token], dict[str, str]]:
        """Tokens and reasons of refusal by authority."""
        waiting = self._health.sorted(self.members, key=lambda item: item.name)
        running: dict[Future[Token], Authority] = {}
        tokens: dict[str, Token] = {}
        failures: dict[str, str] = {}
        with ThreadPoolExecutor(max_workers=max(wanted, 1), thread_name_prefix="tsa") as pool:
            while True:
                while waiting and len(tokens) + len(running) < wanted:
                    authority = waiting.pop(0)
                    running[pool.submit(ask, authority)] = authority
                if not running:
                    return tokens, failures
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future).name
                    try:
                        token = future.result()
                    except AuthorityUnavailableError as error:
                        failures[name] = error.message
                        self._health.failed(name)
                        continue
                    self._health.worked(name)
                    if ends_after is not None and token.ends_at <= ends_after:
                        failures[name] = (
                            f"the certificates of {name} end at {token.ends_at:%Y-%m-%d}, too early"
                        )
                    else:
                        tokens[name] = token


class _Reply(core.Sequence):  # type: ignore[misc]
    """TimeStampResp (RFC 3161 section 2.4.2); asn1crypto's own cannot read one without a token."""

    _fields = [  # noqa: RUF012 - as asn1crypto wants it
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def _query(digest: bytes, nonce: int, algorithm: str) -> bytes:
    return bytes(
        tsp.TimeStampReq(
            {
                "version": 1,
                "message_imprint": {
                    "hash_algorithm": algos.DigestAlgorithm({"algorithm": algorithm}),
                    "hashed_message": digest,
                },
                "nonce": nonce,
                "cert_req": True,
            }
        ).dump()
    )


def _post(authority: Authority, query: bytes, send: Exchange) -> bytes:
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    try:
        answer = send(authority.url, limit=TOKEN_LIMIT, content=query, headers=headers)
    except UnavailableError as error:
        raise _refused(authority, error.message) from error
    if answer.kind != "application/timestamp-reply":
        raise _refused(authority, f"it answered {answer.kind or 'nothing'}, not a time-stamp reply")
    return answer.body


def _token(authority: Authority, answer: bytes) -> bytes:
    try:
        reply = _Reply.load(answer, strict=True)
        status, failures = reply["status"]["status"].native, reply["status"]["fail_info"].native
        token = reply["time_stamp_token"]
        if status not in ("granted", "granted_with_mods") or token.native is None:
            reasons = f" ({', '.join(sorted(failures))})" if failures else ""
            raise _refused(authority, f"it refused with status {status}{reasons}")
        return bytes(token.dump())
    except (ValueError, TypeError, KeyError) as error:
        raise _refused(authority, f"its answer cannot be read ({str(error)[:100]})") from error


def _read(authority: Authority, token: bytes, digest: bytes, algorithm: str) -> TimestampFacts:
    try:
        return read_token(token, imprint=digest, sha3=algorithm == "sha3_512")
    except EvidenceError as error:
        raise _refused(authority, error.message) from error


def _refused(authority: Authority, reason: str) -> AuthorityUnavailableError:
    return AuthorityUnavailableError(
        f"time-stamping authority {authority.name}: {reason}",
        what_to_do="another authority is used where one is configured",
    )
