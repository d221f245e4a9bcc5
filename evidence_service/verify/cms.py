"""Strict reading of CMS SignedData (RFC 5652) with one signer.

The aim is that any changed byte is refused without knowing whom to trust: what the signature does not cover
(certificates, unsigned attributes, algorithm identifiers) has to be exactly what the rest implies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_service.errors import LimitExceededError, MalformedError, MismatchError

LIMIT = 256 * 1024
"""Largest SignedData, in bytes."""
_MAX_CERTIFICATES = 10
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_DAMAGED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    AttributeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""asn1crypto and cryptography answer damaged input with all of these."""
_CERTIFICATE_BINDINGS = ("signing_certificate_v2", "signing_certificate")


@dataclass(frozen=True, slots=True)
class SignedData:
    """What a signature that holds says.

    Attributes:
        content_type: dotted name by asn1crypto, e.g. ``tst_info``.
        content: encapsulated content, None when detached.
        path: signer's certificate first, each issued by the next.
        signature: signature value, what a signature time stamp is over.
        unsigned: DER of the first value of each unsigned attribute, by dotted OID.
        unbound_top: the last certificate of the path is not self-signed, so that its own signature bytes are
            bound only once a trusted root is known.
    """

    content_type: str
    content: bytes | None
    path: tuple[x509.Certificate, ...]
    signature: bytes
    digest_algorithm: str
    signing_time: datetime | None
    unsigned: dict[str, bytes]
    unbound_top: bool

    @property
    def signer(self) -> x509.Certificate:
        """The certificate whose key signed."""
        return self.path[0]


def read_signed_data(
    der: bytes,
    *,
    detached: Callable[[str], bytes] | None = None,
    unsigned_allowed: frozenset[str] = frozenset(),
) -> SignedData:
    """Read a SignedData and check everything in it that needs no trust.

    Args:
        der: a ContentInfo.
        detached: digest of the detached content by the name of the hash; None when the content is inside.
        unsigned_allowed: dotted OIDs of unsigned attributes the caller will check itself.

    Raises:
        MalformedError, LimitExceededError: not DER, or not of the one shape that is read.
        MismatchError: a signature or digest does not hold.
    """
    if len(der) > LIMIT:
        raise LimitExceededError(f"a signature of {len(der)} bytes; the limit is {LIMIT}")
    try:
        signed = _parse(der)
        return _read(signed, detached, unsigned_allowed)
    except InvalidSignature as error:
        raise MismatchError("the signature does not verify") from error
    except _DAMAGED as error:
        raise MalformedError(f"the signature is not in its format: {str(error)[:200]}") from error


def _parse(der: bytes) -> Any:
    info = cms.ContentInfo.load(der, strict=True)
    if info["content_type"].native != "signed_data":
        raise MalformedError("the signature is not a CMS SignedData")
    signed = info["content"]
    _ = signed.native  # forces every field to be parsed before the comparison below
    if info.dump(force=True) != der:
        raise MalformedError("the signature is not in DER: its bytes differ from its re-encoding")
    return signed


def _read(
    signed: Any, detached: Callable[[str], bytes] | None, unsigned_allowed: frozenset[str]
) -> SignedData:
    if len(signed["signer_infos"]) != 1:
        raise MalformedError("a signature has exactly one signer")
    info = signed["signer_infos"][0]
    algorithm = str(info["digest_algorithm"]["algorithm"].native)
    if algorithm not in _HASHES:
        raise MalformedError(f"digest {algorithm} is not accepted")
    _check_framing(signed, info)
    content_type = signed["encap_content_info"]["content_type"]
    encapsulated = signed["encap_content_info"]["content"]
    content = None if encapsulated.native is None else bytes(encapsulated.contents)
    if (content is None) != (detached is not None):
        raise MalformedError("the signed content is inside where it should be outside, or the reverse")
    if detached is not None:
        content_digest = detached(algorithm)
    else:
        content_digest = hashlib.new(algorithm, content or b"").digest()
    attributes = _signed_attributes(info)
    if attributes["content_type"].native != content_type.native:
        raise MismatchError("the signature is over another type of content")
    if attributes["message_digest"].native != content_digest:
        raise MismatchError("the signed content was changed: its digest is not the signed one")
    path = _path(signed)
    _check_binding(attributes, path[0])
    _check_signer_id(info, path[0])
    _verify(path[0], info, algorithm)
    signing_time = attributes.get("signing_time")
    return SignedData(
        content_type=str(content_type.native),
        content=content,
        path=path,
        signature=bytes(info["signature"].native),
        digest_algorithm=algorithm,
        signing_time=None if signing_time is None else signing_time.native,
        unsigned=_unsigned(info, unsigned_allowed),
        unbound_top=path[-1].issuer != path[-1].subject,
    )


def _check_framing(signed: Any, info: Any) -> None:
    """Fields that no signature covers have to be exactly what the covered ones imply."""
    expected = "v1" if signed["encap_content_info"]["content_type"].native == "data" else "v3"
    if signed["version"].native != expected or info["version"].native != "v1":
        raise MalformedError("the signature's version is not the one its content implies (RFC 5652, 5.1)")
    algorithms = signed["digest_algorithms"]
    if len(algorithms) != 1 or algorithms[0].dump() != info["digest_algorithm"].dump():
        raise MalformedError("the announced digest algorithm is not the one used")
    parameters = info["digest_algorithm"]["parameters"].native
    if parameters is not None:
        raise MalformedError("the digest algorithm has parameters")
    if signed["crls"].native:
        raise MalformedError("the signature carries revocation lists nobody asked for")


def _signed_attributes(info: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for attribute in info["signed_attrs"]:
        name = str(attribute["type"].native)
        if name in result or len(attribute["values"]) != 1:
            raise MalformedError(f"signed attribute {name} does not have exactly one value")
        result[name] = attribute["values"][0]
    missing = {"content_type", "message_digest"} - result.keys()
    if missing:
        raise MalformedError(f"the signature lacks the signed attribute {', '.join(sorted(missing))}")
    return result


def _unsigned(info: Any, allowed: frozenset[str]) -> dict[str, bytes]:
    result: dict[str, bytes] = {}
    attributes = info["unsigned_attrs"]
    for attribute in attributes if attributes.native is not None else ():
        oid = str(attribute["type"].dotted)
        if oid not in allowed or oid in result or len(attribute["values"]) != 1:
            raise MalformedError(f"unsigned attribute {oid} is not expected here")
        result[oid] = attribute["values"][0].dump()
    if attributes.native is not None and not result:
        raise MalformedError("the signature has an empty set of unsigned attributes")
    return result


def _path(signed: Any) -> tuple[x509.Certificate, ...]:
    """Every embedded certificate, in the order signer to top; a surplus one is refused."""
    embedded = [x509.load_der_x509_certificate(choice.chosen.dump()) for choice in signed["certificates"]]
    if not 1 <= len(embedded) <= _MAX_CERTIFICATES:
        raise MalformedError(f"the signature carries {len(embedded)} certificates")
    info = signed["signer_infos"][0]
    serial = int(info["sid"].chosen["serial_number"].native)
    first = [item for item in embedded if item.serial_number == serial]
    if len(first) != 1:
        raise MalformedError("the signer's certificate is not in the signature")
    path, rest = first, [item for item in embedded if item is not first[0]]
    while rest:
        issuers = [item for item in rest if item.subject == path[-1].issuer]
        if len(issuers) != 1:
            raise MalformedError("the signature carries a certificate that is not on the signer's path")
        path[-1].verify_directly_issued_by(issuers[0])
        path.append(issuers[0])
        rest = [item for item in rest if item is not issuers[0]]
    if path[-1].issuer == path[-1].subject:
        path[-1].verify_directly_issued_by(path[-1])
    return tuple(path)


def _check_binding(attributes: dict[str, Any], signer: x509.Certificate) -> None:
    """The signed attributes name the signer's certificate by hash (RFC 5035), so it cannot be exchanged."""
    for name in _CERTIFICATE_BINDINGS:
        if name in attributes:
            first = attributes[name]["certs"][0]
            if name == "signing_certificate":
                algorithm = "sha1"  # RFC 2634: this attribute knows no other; it only adds to the signature
            else:
                algorithm = str(first["hash_algorithm"]["algorithm"].native)
            der = signer.public_bytes(Encoding.DER)
            if hashlib.new(algorithm, der, usedforsecurity=False).digest() != first["cert_hash"].native:
                raise MismatchError("the signature was made with another certificate")
            return
    raise MalformedError("the signature does not bind its certificate (no signing-certificate attribute)")


def _check_signer_id(info: Any, signer: x509.Certificate) -> None:
    if info["sid"].name != "issuer_and_serial_number":
        raise MalformedError("the signer is not named by issuer and serial number")
    if info["sid"].chosen["issuer"].dump() != signer.issuer.public_bytes():
        raise MismatchError("the signer named is not the one of the certificate")


def _verify(signer: x509.Certificate, info: Any, algorithm: str) -> None:
    """Verify the signature over the DER SET OF the signed attributes (RFC 5652 section 5.4)."""
    data = info["signed_attrs"].untag().dump(force=True)
    chosen = _HASHES[algorithm]()
    signature = bytes(info["signature"].native)
    scheme = info["signature_algorithm"]
    name = str(scheme["algorithm"].native)
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey) and name in ("rsassa_pkcs1v15", f"{algorithm}_rsa"):
        # RFC 3370 section 3.2: parameters are NULL; both spellings of the algorithm occur.
        if scheme["parameters"].dump() != b"\x05\x00":
            raise MalformedError("the RSA signature algorithm has parameters")
        key.verify(signature, data, padding.PKCS1v15(), chosen)
    elif isinstance(key, ec.EllipticCurvePublicKey) and name == f"{algorithm}_ecdsa":
        if scheme["parameters"].native is not None:
            raise MalformedError("the ECDSA signature algorithm has parameters")
        key.verify(signature, data, ec.ECDSA(chosen))
    else:
        raise MalformedError(f"signature algorithm {name} is not accepted with this key")
