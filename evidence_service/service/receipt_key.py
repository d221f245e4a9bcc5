"""The key that signs intake receipts: Ed25519, in a file of its own, made on the first start.

It vouches for promises, never for evidence: certificates are sealed with another key.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from evidence_service.core import receipt
from evidence_service.errors import ConfigurationError
from evidence_service.service import key_files


class ReceiptKey:
    """A signing key.

    Args:
        path: PEM file (PKCS #8, not encrypted).

    Raises:
        ConfigurationError: the file cannot be read or holds another kind of key.
    """

    def __init__(self, path: Path) -> None:
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise ConfigurationError(
                f"the receipt key {path} cannot be read: {error.strerror}", what_to_do="correct receipt_key"
            ) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            # Without the library's words: they may quote what is in the file.
            raise ConfigurationError(
                f"{path} holds no private key that can be opened without a password",
                what_to_do="make one: openssl genpkey -algorithm ed25519",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(
                f"{path} holds another kind of key than Ed25519",
                what_to_do="make one: openssl genpkey -algorithm ed25519",
            )
        self._path = path
        self._key = key
        self.key_id = receipt.key_id(key.public_key().public_bytes_raw())
        """Name of the key in receipts."""

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature (RFC 8032), 64 bytes; the same for the same data."""
        return self._key.sign(data)

    def public_bytes(self) -> bytes:
        """The raw public key, 32 bytes (RFC 8032)."""
        return self._key.public_key().public_bytes_raw()

    def check(self) -> None:
        """Whether the file still holds this key: with another or none the next start would not know receipts.

        Raises:
            ConfigurationError: it does not.
        """
        if ReceiptKey(self._path).key_id != self.key_id:
            raise ConfigurationError(
                f"{self._path} holds another key than receipts are signed with",
                what_to_do="restart the service, or put the key back",
            )

    def public_pem(self) -> bytes:
        """Public key for those who check receipts."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def open_or_make(path: Path) -> ReceiptKey:
    """The key in a file; a new one when there is no file."""
    key_files.make_once(
        path,
        lambda: Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    return ReceiptKey(path)
