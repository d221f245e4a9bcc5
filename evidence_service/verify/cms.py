"""Strict reading of CMS SignedData (RFC 5652) with one signer.

The aim is that any changed byte is refused without knowing whom to trust: what the signature does not cover
(certificates, unsigned attributes, algorithm identifiers) has to be exactly what the rest implies. The
structure is taken apart by hand because that leaves no byte unread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_service.errors import LimitExceededError, MalformedError, MismatchError
from evidence_service.verify import der, signatures

LIMIT = 256 * 1024
"""Largest SignedData, in bytes."""
_MAX_CERTIFICATES = 10

ID_DATA = bytes.fromhex("06092a864886f70d010701")
ID_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
ID_TIME_STAMP_TOKEN = bytes.fromhex("060b2a864886f70d010910020e")
"""id-aa-timeStampToken (RFC 3161 appendix A)."""
_ID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_ID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_ID_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_ID_SIGNING_CERTIFICATE = bytes.fromhex("060b2a864886f70d010910020c")
_ID_SIGNING_CERTIFICATE_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_DIGESTS = {
    bytes.fromhex("0609608648016503040201"): "sha256",
    bytes.fromhex("0609608648016503040202"): "sha384",
    bytes.fromhex("0609608648016503040203"): "sha512",
}
_NULL = b"\x05\x00"
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1


@dataclass(frozen=True, slots=True)
class SignedData:
    """What a signature that holds says.

    Attributes:
        content_type: DER of the content's object identifier.
        content: encapsulated content, None when detached.
        path: signer's certificate first, each issued by the next.
        signature: signature value, what a signature time stamp is over.
        unsigned: DER of the value of each unsigned attribute, by the DER of its object identifier.
        unbound_top: the last certificate of the path is not self-signed, so that its own signature bytes are
            bound only once a trusted root is known.
    """

    content_type: bytes
    content: bytes | None
    path: tuple[x509.Certificate, ...]
    signature: bytes
    unsigned: dict[bytes, bytes]
    unbound_top: bool

    @property
    def signer(self) -> x509.Certificate:
        """The certificate whose key signed."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class _Parts:
    """A SignedData (RFC 5652 section 5.1) and its one SignerInfo (section 5.3), taken apart."""

    content_type: bytes
    content: bytes | None
    certificates: Sequence[bytes]
    issuer: bytes
    serial: bytes
    digest: str
    signed_attributes: bytes
    signature_algorithm: bytes
    signature: bytes
    unsigned_attributes: bytes | None


def read_signed_data(
    data: bytes,
    *,
    detached: Callable[[str], bytes] | None = None,
    unsigned_allowed: frozenset[bytes] = frozenset(),
) -> SignedData:
    """Read a SignedData and check everything in it that needs no trust.

    Args:
        data: DER of a ContentInfo.
        detached: digest of the detached content by the name of the hash; None when the content is inside.
        unsigned_allowed: unsigned attributes, by the DER of their identifiers, that the caller checks itself.

    Raises:
        MalformedError, LimitExceededError: not DER, or not of the one shape that is read.
        MismatchError: a signature or digest does not hold.
    """
    if len(data) > LIMIT:
        raise LimitExceededError(f"a signature of {len(data)} bytes; the limit is {LIMIT}")
    der.check(data)
    parts = _take_apart(data)
    if (parts.content is None) != (detached is not None):
        raise MalformedError("the signed content is inside where it should be outside, or the reverse")
    if detached is not None:
        content_digest = detached(parts.digest)
    else:
        content_digest = hashlib.new(parts.digest, parts.content or b"").digest()
    attributes = _attributes(der.children(parts.signed_attributes, _CONTEXT_0))
    if attributes.get(_ID_CONTENT_TYPE) != parts.content_type:
        raise MismatchError("the signature is over another type of content")
    if attributes.get(_ID_MESSAGE_DIGEST, b"")[2:] != content_digest:
        raise MismatchError("the signed content was changed: its digest is not the signed one")
    try:
        path = _path(parts)
        _check_binding(attributes, path[0])
        _verify(path[0], parts)
    except InvalidSignature as error:
        raise MismatchError("the signature does not verify") from error
    except signatures.DAMAGED as error:
        raise MalformedError(f"a certificate of the signature cannot be read: {str(error)[:200]}") from error
    return SignedData(
        content_type=parts.content_type,
        content=parts.content,
        path=path,
        signature=parts.signature,
        unsigned=_unsigned(parts, unsigned_allowed),
        unbound_top=path[-1].issuer != path[-1].subject,
    )


def _take_apart(data: bytes) -> _Parts:
    kind, wrapped = _exactly(der.children(data, der.SEQUENCE), 2, "content info")
    if kind != _ID_SIGNED_DATA:
        raise MalformedError("the signature is not a CMS SignedData")
    (inner,) = _exactly(der.children(wrapped, _CONTEXT_0), 1, "content info")
    # Five parts: a sixth would be revocation lists, which nobody here asked for.
    version, algorithms, encapsulated, certificates, signers = _exactly(
        der.children(inner, der.SEQUENCE), 5, "signed data"
    )
    content_type, *content = der.children(encapsulated, der.SEQUENCE)
    expected = b"\x01" if content_type == ID_DATA else b"\x03"
    if der.content(version, der.INTEGER) != expected:
        raise MalformedError("the signature's version is not the one its content implies (RFC 5652, 5.1)")
    (signer,) = _exactly(der.children(signers, der.SET), 1, "set of signers")
    fields = der.children(signer, der.SEQUENCE)
    signer_version, identifier, digest, attributes, scheme, value = _exactly(fields[:6], 6, "signer")
    issuer, serial = _exactly(der.children(identifier, der.SEQUENCE), 2, "signer's name")
    if der.content(signer_version, der.INTEGER) != b"\x01" or len(fields) > 7:
        raise MalformedError("the signer's version is not 1, or there is something after it")
    if der.children(algorithms, der.SET) != [digest]:
        raise MalformedError("the announced digest algorithm is not the one used")
    return _Parts(
        content_type=content_type,
        content=_encapsulated(content),
        certificates=der.children(certificates, _CONTEXT_0),
        issuer=issuer,
        serial=serial,
        digest=_digest_name(digest),
        signed_attributes=attributes,
        signature_algorithm=scheme,
        signature=der.content(value, der.OCTETS),
        unsigned_attributes=fields[6] if len(fields) == 7 else None,
    )


def _exactly(elements: list[bytes], count: int, what: str) -> list[bytes]:
    if len(elements) != count:
        raise MalformedError(f"the signature's {what} has {len(elements)} parts, not {count}")
    return elements


def _encapsulated(content: list[bytes]) -> bytes | None:
    if not content:
        return None
    (wrapped,) = _exactly(content, 1, "content")
    (octets,) = _exactly(der.children(wrapped, _CONTEXT_0), 1, "content")
    return der.content(octets, der.OCTETS)


def _digest_name(algorithm: bytes) -> str:
    name, *parameters = der.children(algorithm, der.SEQUENCE)
    # RFC 5754 section 2: parameters absent, or NULL as older software writes it.
    if name not in _DIGESTS or parameters not in ([], [_NULL]):
        raise MalformedError("the digest algorithm is not SHA-256, SHA-384 or SHA-512")
    return _DIGESTS[name]


def _attributes(elements: list[bytes]) -> dict[bytes, bytes]:
    result: dict[bytes, bytes] = {}
    for element in elements:
        identifier, values = _exactly(der.children(element, der.SEQUENCE), 2, "attribute")
        (value,) = _exactly(der.children(values, der.SET), 1, "attribute's set of values")
        if identifier in result:
            raise MalformedError("the signature has an attribute twice")
        result[identifier] = value
    return result


def _unsigned(parts: _Parts, allowed: frozenset[bytes]) -> dict[bytes, bytes]:
    if parts.unsigned_attributes is None:
        return {}
    result = _attributes(der.children(parts.unsigned_attributes, _CONTEXT_1))
    if not result or not result.keys() <= allowed:
        raise MalformedError("the signature has unsigned attributes that are not expected here")
    return result


def _path(parts: _Parts) -> tuple[x509.Certificate, ...]:
    """Every embedded certificate, in the order signer to top; a surplus one is refused."""
    if not 1 <= len(parts.certificates) <= _MAX_CERTIFICATES:
        raise MalformedError(f"the signature carries {len(parts.certificates)} certificates")
    rest = [x509.load_der_x509_certificate(item) for item in parts.certificates]
    for certificate in rest:
        signatures.check_key(certificate)
    serial = int.from_bytes(der.content(parts.serial, der.INTEGER), "big", signed=True)
    signers = [
        item for item in rest if item.serial_number == serial and item.issuer.public_bytes() == parts.issuer
    ]
    if len(signers) != 1:
        raise MalformedError("the signer's certificate is not in the signature")
    path = signers
    rest.remove(path[0])
    while rest:
        issuers = [item for item in rest if item.subject == path[-1].issuer]
        if len(issuers) != 1:
            raise MalformedError("the signature carries a certificate that is not on the signer's path")
        path[-1].verify_directly_issued_by(issuers[0])
        path.append(issuers[0])
        rest.remove(issuers[0])
    if path[-1].issuer == path[-1].subject:
        path[-1].verify_directly_issued_by(path[-1])
    return tuple(path)


def _check_binding(attributes: dict[bytes, bytes], signer: x509.Certificate) -> None:
    """The signed attributes name the signer's certificate by hash (RFC 5035), so it cannot be exchanged."""
    if _ID_SIGNING_CERTIFICATE_V2 in attributes:
        value, default = attributes[_ID_SIGNING_CERTIFICATE_V2], "sha256"
    elif _ID_SIGNING_CERTIFICATE in attributes:
        # RFC 2634: this older attribute knows no other hash; it only adds to the signature itself.
        value, default = attributes[_ID_SIGNING_CERTIFICATE], "sha1"
    else:
        raise MalformedError("the signature does not bind its certificate (no signing-certificate attribute)")
    first = der.children(der.children(der.children(value, der.SEQUENCE)[0], der.SEQUENCE)[0], der.SEQUENCE)
    if first[0][0] == der.SEQUENCE:
        default = _digest_name(first.pop(0))
    found = hashlib.new(default, signer.public_bytes(Encoding.DER), usedforsecurity=False).digest()
    if not first or der.content(first[0], der.OCTETS) != found:
        raise MismatchError("the signature was made with another certificate")


def _verify(signer: x509.Certificate, parts: _Parts) -> None:
    """Verify the signature over the SET OF the signed attributes (RFC 5652 section 5.4)."""
    data = bytes([der.SET]) + parts.signed_attributes[1:]
    signatures.verify(signer, parts.signature_algorithm, parts.digest, data, parts.signature)
