"""TSTInfo, the content of a time-stamp token (RFC 3161 section 2.4.2), read strictly and whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from evidence_service.errors import MalformedError
from evidence_service.verify import der

_GENERALIZED_TIME = 0x18
_MILLIS, _MICROS = 0x80, 0x81
_TSA, _EXTENSIONS = 0xA0, 0xA1
_SHA512 = bytes.fromhex("0609608648016503040203")
_SHA3_512 = bytes.fromhex("060960864801650304020a")
_NULL = b"\x05\x00"
# X.690 section 11.7: UTC, seconds always there, no trailing zeros in the fraction.
_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z")


@dataclass(frozen=True, slots=True)
class TstInfo:
    """What a token says.

    Attributes:
        policy: dotted object identifier.
        sha512: the stamped digest, None when it is of another algorithm.
        sha3_512: the same for the algorithm of hash-tree renewals.
        gen_time: UTC; parts finer than a microsecond are cut off.
        accuracy_ms: stated accuracy, rounded up; None when none is stated.
    """

    policy: str
    sha512: bytes | None
    sha3_512: bytes | None
    serial: int
    gen_time: datetime
    accuracy_ms: int | None
    nonce: int | None


def read(data: bytes) -> TstInfo:
    """Parse the DER of a TSTInfo; every byte has its place.

    Raises:
        MalformedError, LimitExceededError: not one.
    """
    der.check(data)
    fields = der.children(data, der.SEQUENCE)
    if len(fields) < 5:
        raise MalformedError("the time stamp is incomplete")
    version, policy, imprint, serial, gen_time, *rest = fields
    if der.content(version, der.INTEGER) != b"\x01":
        raise MalformedError("the time stamp is not of version 1")
    accuracy = _take(rest, der.SEQUENCE)
    ordering = _take(rest, der.BOOLEAN)
    nonce = _take(rest, der.INTEGER)
    _take(rest, _TSA)
    _take(rest, _EXTENSIONS)
    if rest:
        raise MalformedError("the time stamp has a part that RFC 3161 does not know")
    del ordering  # whether the authority's stamps are in order says nothing about this one
    algorithm, stamped = _imprint(imprint)
    return TstInfo(
        policy=_dotted(der.content(policy, der.OID)),
        sha512=stamped if algorithm == _SHA512 else None,
        sha3_512=stamped if algorithm == _SHA3_512 else None,
        serial=_integer(serial),
        gen_time=_time(der.content(gen_time, _GENERALIZED_TIME)),
        accuracy_ms=None if accuracy is None else _milliseconds(accuracy),
        nonce=None if nonce is None else _integer(nonce),
    )


def _take(rest: list[bytes], tag: int) -> bytes | None:
    """The next optional part, when it is the one with this tag."""
    return rest.pop(0) if rest and rest[0][0] == tag else None


def _imprint(element: bytes) -> tuple[bytes, bytes]:
    """DER of the algorithm's identifier, empty when it has parameters; and the digest."""
    parts = der.children(element, der.SEQUENCE)
    if len(parts) != 2:
        raise MalformedError("the time stamp's message imprint has not two parts")
    name, *parameters = der.children(parts[0], der.SEQUENCE)
    return name if parameters in ([], [_NULL]) else b"", der.content(parts[1], der.OCTETS)


def _integer(element: bytes) -> int:
    return int.from_bytes(der.content(element, der.INTEGER), "big", signed=True)


def _time(text: bytes) -> datetime:
    match = _TIME.fullmatch(text)
    if match is None:
        raise MalformedError("the time stamp's time is not a UTC time in DER")
    micros = (match[2] or b"0").ljust(6, b"0")[:6]
    try:
        moment = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S")
    except ValueError as error:
        raise MalformedError("the time stamp's time is not a date that exists") from error
    return moment.replace(microsecond=int(micros), tzinfo=UTC)


def _dotted(content: bytes) -> str:
    """An object identifier in dotted notation (X.690 section 8.19)."""
    arcs, value = [], 0
    for byte in content:
        if value == 0 and byte == 0x80:
            raise MalformedError("the time stamp's policy is not a minimal object identifier")
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    if not arcs or content[-1] & 0x80:
        raise MalformedError("the time stamp's policy is not an object identifier")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def _milliseconds(accuracy: bytes) -> int:
    rest = der.children(accuracy, der.SEQUENCE)
    seconds, millis, micros = _take(rest, der.INTEGER), _take(rest, _MILLIS), _take(rest, _MICROS)
    total = 0 if seconds is None else 1000 * _integer(seconds)
    total += _small(millis, _MILLIS) + -(-_small(micros, _MICROS) // 1000)
    if rest or not 0 <= total <= 10**12:
        raise MalformedError("the time stamp's accuracy is not one of RFC 3161")
    return total


def _small(element: bytes | None, tag: int) -> int:
    """Thousandths, 1 to 999 (RFC 3161 section 2.4.2), or 0 where they are left out."""
    if element is None:
        return 0
    value = int.from_bytes(der.content(element, tag), "big", signed=True)
    if not 1 <= value <= 999:
        raise MalformedError("the time stamp's accuracy is not one of RFC 3161")
    return value
