"""Signatures of certificates, tokens and revocation lists: the few algorithms and keys that are accepted.

Verification specification, section 5 points 3, 5 and 6.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from evidence_service.errors import LimitExceededError, MalformedError
from evidence_service.verify import der

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_RSA = bytes.fromhex("06092a864886f70d010101")
_SHA_WITH_RSA = {
    "sha256": bytes.fromhex("06092a864886f70d01010b"),
    "sha384": bytes.fromhex("06092a864886f70d01010c"),
    "sha512": bytes.fromhex("06092a864886f70d01010d"),
}
_ECDSA = {
    "sha256": bytes.fromhex("06082a8648ce3d040302"),
    "sha384": bytes.fromhex("06082a8648ce3d040303"),
    "sha512": bytes.fromhex("06082a8648ce3d040304"),
}
_DIGEST_OF = {name: digest for table in (_SHA_WITH_RSA, _ECDSA) for digest, name in table.items()}
_NULL = b"\x05\x00"
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_CERTIFICATE_ALGORITHMS = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)

DAMAGED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography answers damaged certificates with."""


def check_key(certificate: x509.Certificate) -> None:
    """Refuse keys and algorithms that are not read.

    Raises:
        MalformedError, LimitExceededError: as named.
    """
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        # A hostile key must not cost the verifier minutes: verifying is linear in the exponent's length.
        if not 2048 <= key.key_size <= 8192 or key.public_numbers().e.bit_length() > 33:
            raise LimitExceededError("a certificate has an RSA key of an unusual size or exponent")
    elif not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise MalformedError("a certificate has a key that is neither RSA nor on a curve of NIST")
    if certificate.signature_algorithm_oid not in _CERTIFICATE_ALGORITHMS:
        raise MalformedError("a certificate is signed with an algorithm that is not accepted")


def digest_named_by(algorithm: bytes) -> str:
    """Name of the digest in the identifier of a signature algorithm, DER, as X.509 writes it.

    Raises:
        MalformedError: another algorithm, or parameters that do not belong to it.
    """
    name, *parameters = der.children(algorithm, der.SEQUENCE)
    expected = [_NULL] if name in _SHA_WITH_RSA.values() else []
    if name not in _DIGEST_OF or parameters != expected:
        raise MalformedError("the signature algorithm is not RSA or ECDSA with SHA-256, SHA-384 or SHA-512")
    return _DIGEST_OF[name]


def verify(certificate: x509.Certificate, algorithm: bytes, digest: str, data: bytes, value: bytes) -> None:
    """Verify a signature by a certificate's key.

    Args:
        algorithm: DER of its identifier.
        digest: name of the digest it has to be over.

    Raises:
        InvalidSignature: it does not hold.
        MalformedError: the algorithm does not fit the key or the digest.
    """
    chosen = _HASHES[digest]()
    name, *parameters = der.children(algorithm, der.SEQUENCE)
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and name in (_RSA, _SHA_WITH_RSA[digest]):
        if parameters != [_NULL]:
            raise MalformedError("the RSA signature algorithm has no NULL parameters (RFC 3370, 3.2)")
        key.verify(value, data, padding.PKCS1v15(), chosen)
    elif isinstance(key, ec.EllipticCurvePublicKey) and name == _ECDSA[digest]:
        if parameters:
            raise MalformedError("the ECDSA signature algorithm has parameters (RFC 5758, 3.2)")
        key.verify(value, data, ec.ECDSA(chosen))
    else:
        raise MalformedError("the signature algorithm is not accepted with this key")
