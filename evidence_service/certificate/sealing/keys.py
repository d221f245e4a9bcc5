"""The key that seals, wherever it is: its certificates, and signatures that are checked before use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from evidence_service.errors import ConfigurationError, EvidenceError, SignerUnavailableError
from evidence_service.verify import signatures
from evidence_service.verify.path import common_name


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificates of a key.

    Attributes:
        path: the key's own first, each issued by the next, as far as they are known.
    """

    path: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        """The key's own."""
        return self.path[0]


class SealKey(ABC):
    """A signing key. RSA keys sign by PKCS#1 v1.5, keys on a NIST curve by ECDSA, always over SHA-512."""

    @abstractmethod
    def identity(self) -> Identity:
        """Its certificates.

        Raises:
            SignerUnavailableError: the key's custodian has to be asked for them and does not answer.
            ConfigurationError: they cannot be used.
        """

    @abstractmethod
    def _sign(self, data: bytes) -> bytes:
        """Signature over SHA-512 of the data; of ECDSA as DER."""

    def sign(self, data: bytes) -> bytes:
        """A signature that verifies with the key's certificate.

        Raises:
            SignerUnavailableError: none, or one that does not verify.
            ConfigurationError: the key cannot be used.
        """
        value = self._sign(data)
        certificate = self.identity().certificate
        if not signed_by(certificate, data, value):
            raise SignerUnavailableError(
                f"what came back is not a signature by the key of {common_name(certificate.subject)}",
                what_to_do="check that the configured key and certificate belong together",
            )
        return value


def signed_by(certificate: x509.Certificate, data: bytes, value: bytes) -> bool:
    """Whether a value is a signature over SHA-512 of the data by a certificate's key."""
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PKCS1v15(), hashes.SHA512())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(value, data, ec.ECDSA(hashes.SHA512()))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def identity_of(certificates: Sequence[x509.Certificate], *, where: str) -> Identity:
    """The key's own certificate and those above it.

    Args:
        certificates: the key's own first, the others in any order; what is not above it is left out, because
            a seal carries its own path and nothing else.
        where: they are from, for errors.

    Raises:
        ConfigurationError: there is none, or one that no verifier of ours accepts.
    """
    if not certificates:
        raise ConfigurationError(f"{where} holds no certificate")
    path, rest = [certificates[0]], list(certificates[1:])
    try:
        while path[-1].issuer != path[-1].subject:
            above = next((item for item in rest if item.subject == path[-1].issuer), None)
            if above is None:
                break
            path[-1].verify_directly_issued_by(above)
            rest.remove(above)
            path.append(above)
        for item in path:
            signatures.check_key(item)
    except (InvalidSignature, *signatures.DAMAGED) as error:
        raise ConfigurationError(
            f"the certificates of {where} are not a path: {str(error)[:200]}",
            what_to_do="put the seal's own certificate first, then those that issued it",
        ) from error
    except EvidenceError as error:
        raise ConfigurationError(
            f"the certificates of {where} cannot be used: {error.message}",
            what_to_do="use RSA of 2048 to 8192 bits or P-256, P-384, P-521, certified with SHA-2",
        ) from error
    return Identity(tuple(path))


def read_certificates(path: Path, *, setting: str) -> Identity:
    """The certificates of a PEM file.

    Raises:
        ConfigurationError: it cannot be read or used; names the setting.
    """
    where = f"{setting} ({path})"
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {error.strerror}") from error
    except signatures.DAMAGED as error:
        raise ConfigurationError(
            f"{where} holds no certificates in PEM form", what_to_do="put the seal's own certificate first"
        ) from error
    return identity_of(found, where=where)
