"""A seal key in a PKCS#12 file: opened once, then in memory."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from evidence_service.certificate.sealing.keys import Identity, SealKey, identity_of
from evidence_service.errors import ConfigurationError
from evidence_service.verify.signatures import DAMAGED


class Pkcs12Key(SealKey):
    """Signs with the key of a file.

    Args:
        path: file with key, certificate and chain.
        password: opens it; kept nowhere.

    Raises:
        ConfigurationError: the file cannot be read, opened or used.
    """

    def __init__(self, path: Path, password: str) -> None:
        where = f"seal.pkcs12 ({path})"
        try:
            stored = pkcs12.load_pkcs12(path.read_bytes(), password.encode())
        except OSError as error:
            raise ConfigurationError(f"{where} cannot be read: {error.strerror}") from error
        except DAMAGED:
            # The original message is not ours: whether it quotes the password is not known.
            raise ConfigurationError(
                f"{where} cannot be opened",
                what_to_do="check that it is PKCS#12 and that seal.password_file belongs to it",
            ) from None
        own = stored.cert
        if own is None or not isinstance(stored.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ConfigurationError(
                f"{where} does not hold an RSA or elliptic-curve key with its certificate",
                what_to_do="export key and certificate together",
            )
        self._identity = identity_of(
            [own.certificate, *(item.certificate for item in stored.additional_certs)], where=where
        )
        self._key = stored.key

    def identity(self) -> Identity:
        """See :meth:`SealKey.identity`."""
        return self._identity

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA512())
        return self._key.sign(data, ec.ECDSA(hashes.SHA512()))
