"""The key that signs intake receipts: Ed25519, in a file of its own, made on the first start.

It vouches for promises, never for evidence: certificates are sealed with another key.
"""

from __future__ import annotations

import os
import secrets
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
        self._key = key
        self.key_id = receipt.key_id(key.public_key().public_bytes_raw())
        """Name of the key in receipts."""

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature (RFC 8032), 64 bytes; the same for the same data."""
        return self._key.sign(data)

    def public_pem(self) -> bytes:
        """Public key for those who check receipts."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def open_or_make(path: Path) -> ReceiptKey:
    """The key in a file; a new one when there is no file.

    Processes that start together end up with the same key: the first file that gets the name stays.
    """
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as writer:
                writer.write(pem)
                writer.flush()
                os.fsync(writer.fileno())
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return ReceiptKey(path)
