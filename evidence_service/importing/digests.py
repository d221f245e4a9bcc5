"""Digests as archives write them, computed again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

_SIZES: Final = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
DOUBLED_CHUNK = 64 * 1024
"""What Node.js reads of a file at a time, unless it is told otherwise."""


class UnknownDigestError(ValueError):
    """An algorithm or a notation that is not computed here."""


def parse(label: str) -> tuple[str, bytes]:
    """Algorithm and value of ``algorithm:value`` in hexadecimal, base 32 or base 64.

    Raises:
        UnknownDigestError: see there.
    """
    algorithm, colon, text = label.strip().partition(":")
    algorithm = algorithm.lower().replace("-", "")
    size = _SIZES.get(algorithm, 0)
    if not colon or not size:
        raise UnknownDigestError(label)
    bare = text.rstrip("=")
    try:
        if len(bare) == 2 * size and _HEXADECIMAL.fullmatch(bare):
            return algorithm, bytes.fromhex(bare)
        if len(bare) == -(-size * 8 // 5):
            return algorithm, base64.b32decode(bare.upper() + "=" * (-len(bare) % 8))
        value = base64.b64decode(
            bare + "=" * (-len(bare) % 4), altchars=b"-_" if set("-_") & set(bare) else None
        )
    except (binascii.Error, ValueError) as error:
        raise UnknownDigestError(label) from error
    if len(value) != size:
        raise UnknownDigestError(label)
    return algorithm, value


class Digests:
    """Some algorithms over the same bytes."""

    def __init__(self, algorithms: set[str]) -> None:
        self._engines = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}

    def update(self, data: bytes) -> None:
        """The next bytes."""
        for engine in self._engines.values():
            engine.update(data)

    def holds(self, label: str) -> bool:
        """Whether a declared digest is the one of these bytes.

        Raises:
            UnknownDigestError: it cannot be said.
        """
        algorithm, value = parse(label)
        return self._engines[algorithm].digest() == value

    def hexadecimal(self, algorithm: str) -> str:
        """One of the digests."""
        return self._engines[algorithm].hexdigest()


def algorithm_of(label: str | None) -> set[str]:
    """The algorithm of a declared digest; nothing where it is missing or not computed here."""
    try:
        return set() if label is None else {parse(label)[0]}
    except UnknownDigestError:
        return set()


class DoubledDigest:
    """SHA-256 of a file of which each chunk of 64 KiB is counted twice.

    js-wacz up to 0.1.6, and with it Scoop, declares this as the hash of every file it reads from disk: it
    hands each chunk to the hash itself and pipes the file into it as well.
    """

    def __init__(self) -> None:
        self._engine = hashlib.sha256()
        self._chunk = bytearray()

    def update(self, data: bytes) -> None:
        """The next bytes, in pieces of any size."""
        self._chunk += data
        while len(self._chunk) >= DOUBLED_CHUNK:
            self._count(bytes(self._chunk[:DOUBLED_CHUNK]))
            del self._chunk[:DOUBLED_CHUNK]

    def digest(self) -> bytes:
        """32 bytes, when everything was given."""
        self._count(bytes(self._chunk))
        self._chunk.clear()
        return self._engine.digest()

    def _count(self, chunk: bytes) -> None:
        self._engine.update(chunk)
        self._engine.update(chunk)
