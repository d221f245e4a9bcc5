"""Private keys in a backup: encrypted with age to those who may restore, never in the clear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyrage

from evidence_service.errors import ConfigurationError, MismatchError
from evidence_service.service import key_files


def encrypt(paths: Mapping[str, Path], recipients: Sequence[str]) -> dict[str, bytes]:
    """Each key's file as an age file.

    Args:
        paths: name → file.
        recipients: age public keys (``age1…``, X25519); each alone can decrypt.

    Raises:
        ConfigurationError: a recipient is no age public key, or a key cannot be read.
    """
    try:
        readers = [pyrage.x25519.Recipient.from_str(item) for item in recipients]
    except pyrage.RecipientError as error:
        raise ConfigurationError(
            f"a recipient is no age public key: {error}", what_to_do="give what age-keygen prints: age1…"
        ) from error
    return {name: pyrage.encrypt(_read(path), readers) for name, path in paths.items()}


def decrypt(encrypted: bytes, identity: Path, *, name: str) -> bytes:
    """A key again.

    Args:
        identity: file as age-keygen writes it.
        name: of the key, for errors.

    Raises:
        ConfigurationError: the file holds no identity.
        MismatchError: the key is not encrypted to it.
    """
    lines = _read(identity).decode(errors="replace").splitlines()
    found = [line.strip() for line in lines if line.startswith("AGE-SECRET-KEY-")]
    try:
        identities = [pyrage.x25519.Identity.from_str(line) for line in found]
    except pyrage.IdentityError:
        identities = []
    if not identities:
        # Without the library's words: they may quote what is in the file.
        raise ConfigurationError(
            f"{identity} holds no age identity", what_to_do="give the file that age-keygen wrote"
        ) from None
    try:
        return bytes(pyrage.decrypt(encrypted, identities))
    except pyrage.DecryptError as error:
        raise MismatchError(
            f"{name} in the backup is not encrypted to the identity in {identity}",
            what_to_do="give the identity of one of the backup's recipients",
        ) from error


def put_back(path: Path, key: bytes) -> bool:
    """Write a key to its place unless there is one; whether it was written or is the same."""
    key_files.make_once(path, lambda: key)
    return _read(path) == key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
