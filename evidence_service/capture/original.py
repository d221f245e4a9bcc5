"""The unredacted original, encrypted with age to those who may read it, never in the clear on disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pyrage

from evidence_service.capture.files import HashingWriter
from evidence_service.capture.warc import Sink
from evidence_service.core.digest import Digest
from evidence_service.errors import ConfigurationError


def write_encrypted(path: Path, recipients: Sequence[str], write: Callable[[Sink], None]) -> Digest:
    """Encrypt what ``write`` writes as it is written; digests of the encrypted file.

    Args:
        recipients: age public keys (``age1…``, X25519); each alone can decrypt.

    Raises:
        ConfigurationError: a recipient is no age public key, or there is none.
    """
    keys = [_recipient(item) for item in recipients]
    if not keys:
        raise ConfigurationError("nobody may read the original", what_to_do="configure an age public key")
    failures: list[BaseException] = []
    source, target = os.pipe()
    with HashingWriter(path) as writer:

        def encrypt() -> None:
            try:
                with os.fdopen(source, "rb") as reader:
                    pyrage.encrypt_io(reader, writer, keys)
            except BaseException as error:  # noqa: BLE001
                # Raised in the thread that waits for this one.
                failures.append(error)

        thread = threading.Thread(target=encrypt)
        thread.start()
        try:
            with os.fdopen(target, "wb") as sink:
                write(sink)
        except BrokenPipeError:
            # The encryption ended first; its own error says why.
            pass
        finally:
            thread.join()
        if failures:
            raise failures[0]
        return writer.close()


def _recipient(text: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise ConfigurationError(
            f"{text[:80]!r} is no age public key: {error}", what_to_do="give what age-keygen prints: age1…"
        ) from error
