"""Certificate revocation lists (RFC 5280 section 5), read strictly and whole, and what they say of a path.

Verification specification, checks 4.4 and 7.4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from evidence_service.core.stamp import CRL_LIMIT
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError, MismatchError
from evidence_service.verify import der, signatures

_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_BITS, _ENUMERATED = 0x03, 0x0A
_CONTEXT_0 = 0xA0
_CRL_REASON = bytes.fromhex("0603551d15")
_INVALIDITY_DATE = bytes.fromhex("0603551d18")
_ISSUING_POINT = bytes.fromhex("0603551d1c")
# A list for only some reasons [3], an indirect one [4] or one of attribute certificates [5] has other rules.
_POINT_PARTS = (0xA0, 0x81, 0x82)

BEFORE_ONLY = frozenset({0, 3, 4, 5})
"""Reasons after which what was signed before stays good (RFC 3161 section 4): unspecified, affiliation
changed, superseded, cessation of operation."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One revoked certificate.

    Attributes:
        reason: number of RFC 5280 section 5.3.1, None when none is given.
        invalidity: DER of the date since when the key may be in other hands (5.3.2), not looked at yet.
    """

    serial: int
    revoked_at: datetime
    reason: int | None
    invalidity: bytes | None = None

    def revokes(self, moment: datetime) -> bool:
        """Whether what was signed at this moment is not to be trusted any more."""
        return self.reason not in BEFORE_ONLY or self.revoked_at <= moment

    def since(self) -> datetime:
        """From when on the certificate is not to be relied on: its revocation, or before that its invalidity.

        Raises:
            MalformedError: the invalidity date is not a date.
        """
        if self.invalidity is None:
            return self.revoked_at
        der.check(self.invalidity)
        if self.invalidity[0] != _GENERALIZED_TIME:
            raise MalformedError("an invalidity date of a revocation list is not a GeneralizedTime")
        return min(self.revoked_at, _moment(self.invalidity))


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list whose form is right; nothing is known yet about who made it.

    Attributes:
        issuer: DER of the issuer's name.
        this_update: when it was issued, UTC.
        next_update: when the next one is due, None when not said.
    """

    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    entries: tuple[Entry, ...]
    algorithm: bytes
    digest: str
    signed: bytes
    signature: bytes

    def is_signed_by(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate's key made it, and may make it."""
        try:
            signatures.check_key(certificate)
            usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
            if not usage.crl_sign:
                return False
        except x509.ExtensionNotFound:
            pass
        except (EvidenceError, *signatures.DAMAGED):
            return False
        try:
            signatures.verify(certificate, self.algorithm, self.digest, self.signed, self.signature)
        except (InvalidSignature, EvidenceError):
            return False
        return True


def read(data: bytes) -> RevocationList:
    """Parse the DER of a CertificateList; every byte has its place.

    Raises:
        MalformedError, LimitExceededError: not one, or one of a kind that has other rules.
    """
    if len(data) > CRL_LIMIT:
        raise LimitExceededError(f"a revocation list of {len(data)} bytes; the limit is {CRL_LIMIT}")
    try:
        der.check(data)
        return _take_apart(data)
    except MalformedError as error:
        raise MalformedError(f"a revocation list cannot be read: {error.message}") from error


def _take_apart(data: bytes) -> RevocationList:
    parts = der.children(data, der.SEQUENCE)
    if len(parts) != 3:
        raise MalformedError(f"it has {len(parts)} parts, not 3")
    signed, algorithm, value = parts
    bits = der.content(value, _BITS)
    if not bits or bits[0]:
        raise MalformedError("its signature is not a whole number of bytes")
    fields = der.children(signed, der.SEQUENCE)
    if len(fields) < 4 or der.content(fields[0], der.INTEGER) != b"\x01":
        raise MalformedError("it is not of version 2")
    if fields[1] != algorithm:
        raise MalformedError("its two signature algorithms differ")
    der.children(fields[2], der.SEQUENCE)
    rest = fields[4:]
    next_update = _moment(rest.pop(0)) if rest and rest[0][0] in (_UTC_TIME, _GENERALIZED_TIME) else None
    entries = _entries(rest.pop(0)) if rest and rest[0][0] == der.SEQUENCE else ()
    if rest and rest[0][0] == _CONTEXT_0:
        wrapped = der.children(rest.pop(0), _CONTEXT_0)
        if len(wrapped) != 1:
            raise MalformedError("its extensions are not one list")
        _check_issuing_point(_extensions(wrapped[0], understood=(_ISSUING_POINT,)))
    if rest:
        raise MalformedError("it has a part that RFC 5280 does not know")
    return RevocationList(
        issuer=fields[2],
        this_update=_moment(fields[3]),
        next_update=next_update,
        entries=entries,
        algorithm=algorithm,
        digest=signatures.digest_named_by(algorithm),
        signed=signed,
        signature=bits[1:],
    )


def _entries(element: bytes) -> tuple[Entry, ...]:
    found = tuple(_entry(item) for item in der.children(element, der.SEQUENCE))
    if not found:
        raise MalformedError("its list of revoked certificates is there and empty")
    return found


def _entry(element: bytes) -> Entry:
    parts = der.children(element, der.SEQUENCE)
    if not 2 <= len(parts) <= 3:
        raise MalformedError(f"one of its entries has {len(parts)} parts")
    extensions = _extensions(parts[2], understood=(_CRL_REASON, _INVALIDITY_DATE)) if len(parts) == 3 else {}
    reason = None
    if _CRL_REASON in extensions:
        der.check(extensions[_CRL_REASON])
        value = der.content(extensions[_CRL_REASON], _ENUMERATED)
        if len(value) != 1 or value[0] > 10 or value[0] == 7:
            raise MalformedError("one of its entries gives a reason that does not exist")
        reason = value[0]
    serial = int.from_bytes(der.content(parts[0], der.INTEGER), "big", signed=True)
    return Entry(serial, _moment(parts[1]), reason, extensions.get(_INVALIDITY_DATE))


def _extensions(element: bytes, *, understood: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """Values by the DER of their identifiers; one that is critical and not understood is refused."""
    result: dict[bytes, bytes] = {}
    for item in der.children(element, der.SEQUENCE):
        name, *rest = der.children(item, der.SEQUENCE)
        critical = len(rest) == 2 and rest[0][0] == der.BOOLEAN
        if name[0] != der.OID or len(rest) != 1 + critical or name in result:
            raise MalformedError("one of its extensions is twice there or not of the form of one")
        if critical and name not in understood:
            raise MalformedError("it has a critical extension that is not understood")
        result[name] = der.content(rest[-1], der.OCTETS)
    if not result:
        raise MalformedError("a list of its extensions is there and empty")
    return result


def _check_issuing_point(extensions: dict[bytes, bytes]) -> None:
    if _ISSUING_POINT not in extensions:
        return
    der.check(extensions[_ISSUING_POINT])
    tags = [part[0] for part in der.children(extensions[_ISSUING_POINT], der.SEQUENCE)]
    if tags != [tag for tag in _POINT_PARTS if tag in tags]:
        raise MalformedError("it is indirect, or for some reasons or attribute certificates only")


def _moment(element: bytes) -> datetime:
    if element[0] == _UTC_TIME:
        digits = der.content(element, _UTC_TIME)
        # RFC 5280 section 4.1.2.5.1: two digits stand for 1950 to 2049.
        text = (b"20" if digits[:2] < b"50" else b"19") + digits
    else:
        text = der.content(element, _GENERALIZED_TIME)
    try:
        if re.fullmatch(rb"\d{14}Z", text) is None:
            raise ValueError
        return datetime.strptime(text.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise MalformedError("one of its times is not a UTC time that exists") from error


def revoked(
    found: RevocationList, path: Sequence[x509.Certificate], *, at: datetime
) -> list[x509.Certificate] | None:
    """Certificates of a path that a list revokes for what was signed at a moment.

    Args:
        path: signer first, each signed by the next; with the trusted root at its end where one is known.

    Returns:
        Those it revokes, none for an empty list; None when nobody here can tell who signed the list, because
        the certificate above the path's last one is not known.

    Raises:
        MismatchError: it is about none of these certificates, or not signed by their issuer.
    """
    about = issued_under(found, path)
    if not about:
        raise MismatchError("a revocation list is by an issuer of none of the token's certificates")
    if any(above is None for _, above in about):
        return None
    if not any(above is not None and found.is_signed_by(above) for _, above in about):
        raise MismatchError("a revocation list is not signed by the issuer it names")
    return [
        item
        for item, _ in about
        if any(entry.serial == item.serial_number and entry.revokes(at) for entry in found.entries)
    ]


def issued_under(
    found: RevocationList, path: Sequence[x509.Certificate]
) -> list[tuple[x509.Certificate, x509.Certificate | None]]:
    """The certificates of a path that a list is about, each with the one that issued it where that is known.

    Args:
        path: signer first, each signed by the next.
    """
    return [
        (item, above)
        for item, above in zip(path, _issuers(path), strict=True)
        if _issuer_name(item) == found.issuer
    ]


def _issuers(path: Sequence[x509.Certificate]) -> list[x509.Certificate | None]:
    """The certificate that issued each one; the last one's is itself, or not known."""
    top = path[-1]
    return [*path[1:], top if top.issuer == top.subject else None]


def _issuer_name(certificate: x509.Certificate) -> bytes:
    """DER of the issuer's name, as it stands in the certificate (RFC 5280 section 4.1)."""
    fields = der.children(certificate.tbs_certificate_bytes, der.SEQUENCE)
    return fields[3 if fields[0][0] == _CONTEXT_0 else 2]
