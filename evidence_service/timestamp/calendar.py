"""OpenTimestamps: a file's SHA-256 goes to a calendar, which has it in a Bitcoin block some hours later.

The proofs are those of the ``ots`` tool: ``ots verify FILE.ots`` beside the file works. Reading and writing
them is done by the ``opentimestamps`` library, an optional part (LGPL); asking is done under our own rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from evidence_service.egress.http import Exchange, exchange
from evidence_service.errors import ConfigurationError, MalformedError, MismatchError, UnavailableError

try:
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
    from opentimestamps.core.op import OpAppend, OpSHA256
    from opentimestamps.core.serialize import (
        BytesDeserializationContext,
        BytesSerializationContext,
        DeserializationError,
    )
    from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

_LIMIT = 10_000
"""Most bytes of a calendar's answer: what other clients of calendars take."""
_HEADERS = {"Accept": "application/vnd.opentimestamps.v1"}
_NONCE = 16


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar by configuration.

    Attributes:
        url: takes digests.
        named: further addresses it may name as the place where the rest of a proof is found. A pool gives
            the addresses of its members; any other address is never asked.
    """

    url: str
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """A detached ``.ots`` file.

    Attributes:
        blocks: heights of the Bitcoin blocks it leads to; empty while it is pending.
    """

    ots: bytes
    blocks: tuple[int, ...]


def require_library() -> None:
    """Say what is missing where calendars are configured or were.

    Raises:
        ConfigurationError: the optional library is not installed.
    """
    if not _INSTALLED:
        raise ConfigurationError(
            "the OpenTimestamps library is not installed; proofs of calendars can neither be made nor read",
            what_to_do="install evidence-service[opentimestamps]",
        )


def submit(calendar: Calendar, data: bytes, *, nonce: bytes, send: Exchange = exchange) -> Proof:
    """Have a calendar attest the SHA-256 of some bytes.

    Repeating it after a lost answer is harmless: the calendar attests another digest of the same bytes.

    Args:
        nonce: 16 random bytes; what the calendar sees says nothing about the data.

    Raises:
        UnavailableError: no usable answer; the message is the reason.
    """
    if len(nonce) != _NONCE:
        raise ValueError("a nonce has 16 bytes")
    root = Timestamp(hashlib.sha256(data).digest())
    blinded = root.ops.add(OpAppend(nonce)).ops.add(OpSHA256())
    answer = send(_join(calendar.url, "digest"), limit=_LIMIT, content=blinded.msg, headers=_HEADERS)
    found = _timestamp(answer.body, blinded.msg)
    if not any(_pending(calendar, found)) and not _blocks(found):
        raise UnavailableError("its answer promises no attestation from an address it may name")
    blinded.merge(found)
    return _proof(root)


def upgrade(calendar: Calendar, ots: bytes, *, send: Exchange = exchange) -> Proof:
    """Ask for what is still missing in a proof; the same proof when there is nothing yet.

    Args:
        ots: as ``submit`` or an earlier ``upgrade`` gave it.

    Raises:
        UnavailableError: no usable answer from an address; the message is the reason.
        MalformedError: the stored proof cannot be read.
    """
    root = _stored(ots)
    problem: UnavailableError | None = None
    for stamp, url in list(_pending(calendar, root)):
        place = _join(url, f"timestamp/{stamp.msg.hex()}")
        try:
            answer = send(place, limit=_LIMIT, headers=_HEADERS, accept=(200, 404))
            if answer.status == 200:
                stamp.merge(_timestamp(answer.body, stamp.msg))
        except UnavailableError as error:
            problem = error
    found = _proof(root)
    if problem is not None and not found.blocks:
        raise problem
    return found


def read_proof(ots: bytes, data: bytes) -> Proof:
    """A stored proof over these bytes.

    Raises:
        MalformedError: it cannot be read.
        MismatchError: it is over other data.
        ConfigurationError: the optional library is not installed.
    """
    require_library()
    root = _stored(ots)
    if root.msg != hashlib.sha256(data).digest():
        raise MismatchError("the OpenTimestamps proof is over other data")
    return Proof(ots, _blocks(root))


def _stored(ots: bytes) -> Any:
    try:
        return DetachedTimestampFile.deserialize(BytesDeserializationContext(ots)).timestamp
    except (DeserializationError, ValueError, TypeError) as error:
        raise MalformedError(f"the OpenTimestamps proof cannot be read ({str(error)[:100]})") from error


def _timestamp(body: bytes, digest: bytes) -> Any:
    """What a calendar answered, computed from our digest: every operation in it is carried out again."""
    context = BytesDeserializationContext(body)
    try:
        found = Timestamp.deserialize(context, digest)
        context.assert_eof()
    except (DeserializationError, ValueError, TypeError) as error:
        raise UnavailableError(f"its answer cannot be read ({str(error)[:100]})") from error
    return found


def _proof(root: Any) -> Proof:
    context = BytesSerializationContext()
    DetachedTimestampFile(OpSHA256(), root).serialize(context)
    return Proof(context.getbytes(), _blocks(root))


def _blocks(root: Any) -> tuple[int, ...]:
    found = {
        item.height for _, item in root.all_attestations() if isinstance(item, BitcoinBlockHeaderAttestation)
    }
    return tuple(sorted(found))


def _pending(calendar: Calendar, stamp: Any) -> Iterator[tuple[Any, str]]:
    """Places that wait for more, each with the address to ask, if it is one the calendar may name."""
    allowed = {_normal(url) for url in (calendar.url, *calendar.named)}
    for item in stamp.attestations:
        if isinstance(item, PendingAttestation) and _normal(item.uri) in allowed:
            yield stamp, item.uri
    for below in stamp.ops.values():
        yield from _pending(calendar, below)


def _normal(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower(), parts.path.rstrip("/")


def _join(url: str, path: str) -> str:
    return f"{url.rstrip('/')}/{path}"
