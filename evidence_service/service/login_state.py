"""Login states: cookies and storage of a signed-in session, sealed until the capture they are for has ended.

The key is in a file beside the record, never in it: who has the database, a backup or a dump of it has
nothing. A state is opened only where a browser is about to be started with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from evidence_service.capture.login import check_login_state
from evidence_service.errors import ConfigurationError, RefusedError
from evidence_service.service import key_files
from evidence_service.store.logins import SealedLogin

ATTEMPTS = 20
"""Captures that may be begun with a state; after that many without an end it is deleted."""

_KEY_SIZE, _NONCE_SIZE = 32, 12


class SealingKey:
    """AES-256-GCM (NIST SP 800-38D) under a key from a file of 32 random bytes.

    Raises:
        ConfigurationError: the file cannot be read or is no such key.
    """

    def __init__(self, path: Path) -> None:
        try:
            material = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"the key of login states {path} cannot be read: {error.strerror}",
                what_to_do="let the service read it",
            ) from error
        if len(material) != _KEY_SIZE:
            raise ConfigurationError(
                f"{path} is not a key of {_KEY_SIZE} bytes",
                what_to_do="remove it and start again: a new one is made, and login states under the old one "
                "have to be ordered again",
            )
        # RFC 5869: one key for each use.
        self._cipher = AESGCM(_derive(material, b"login state, sealed"))
        self._print = _derive(material, b"login state, fingerprint")
        self._secrets = AESGCM(_derive(material, b"secret of a webhook, sealed"))

    def seal(self, state: Mapping[str, Any], random_bytes: Callable[[int], bytes]) -> SealedLogin:
        """Seal a checked state under an id of its own, which it is bound to."""
        name, nonce = f"login-{random_bytes(10).hex()}", random_bytes(_NONCE_SIZE)
        return SealedLogin(name, nonce + self._cipher.encrypt(nonce, _encode(state), name.encode()))

    def open(self, login: SealedLogin) -> dict[str, Any]:
        """The state again.

        Raises:
            RefusedError: it was sealed under another key, or changed.
        """
        nonce, sealed = login.sealed[:_NONCE_SIZE], login.sealed[_NONCE_SIZE:]
        try:
            state: dict[str, Any] = json.loads(self._cipher.decrypt(nonce, sealed, login.id.encode()))
        except (InvalidTag, ValueError):
            raise RefusedError(
                "the login state cannot be opened with this service's key",
                what_to_do="order the capture again with its login state",
            ) from None
        return state

    def seal_secret(self, owner: str, secret: bytes, random_bytes: Callable[[int], bytes]) -> bytes:
        """Seal the secret of a webhook, bound to the webhook's id."""
        nonce = random_bytes(_NONCE_SIZE)
        return nonce + self._secrets.encrypt(nonce, secret, owner.encode())

    def open_secret(self, owner: str, sealed: bytes) -> bytes:
        """The secret again.

        Raises:
            RefusedError: it was sealed under another key or for another webhook, or changed.
        """
        try:
            return self._secrets.decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], owner.encode())
        except InvalidTag:
            raise RefusedError(
                "the webhook's secret cannot be opened with this service's key",
                what_to_do="give the webhook another secret (rotate)",
            ) from None

    def fingerprint(self, state: Mapping[str, Any]) -> str:
        """HMAC-SHA256 (RFC 2104), hexadecimal: tells whether two states are equal to who has the key."""
        return hmac.new(self._print, _encode(state), hashlib.sha256).hexdigest()


def open_or_make(path: Path) -> SealingKey:
    """The key in a file; a new one when there is no file."""
    key_files.make_once(path, lambda: secrets.token_bytes(_KEY_SIZE))
    return SealingKey(path)


def check(state: Mapping[str, Any], recipients: tuple[str, ...]) -> None:
    """Refuse what is no login state, or what cannot be kept out of the disclosed package.

    Raises:
        RefusedError: not of Playwright's form, too large, or nobody could open the unredacted original. It
            repeats nothing of the state.
    """
    if not recipients:
        raise RefusedError(
            "this service takes no login states: nobody could open the unredacted original of the capture",
            what_to_do="set originals_recipients to the age public keys of those who may",
        )
    check_login_state(state)


def _encode(state: Mapping[str, Any]) -> bytes:
    return json.dumps(state, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def _derive(material: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_SIZE, salt=None, info=use).derive(material)
