"""The digest suite of format version 1: SHA-256 and SHA3-512 side by side.

Two unrelated constructions (Merkle–Damgård and sponge) are computed over every file and every manifest, so
that a break of one leaves the other standing. See ``docs/spec/formats.md`` section 2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

SUITE = "sha256+sha3-512"


@dataclass(frozen=True, slots=True)
class Digest:
    """Digests of one byte string.

    Attributes:
        size: length in bytes.
        sha256: 32 bytes.
        sha3_512: 64 bytes.
    """

    size: int
    sha256: bytes
    sha3_512: bytes


class Digester:
    """Computes a :class:`Digest` while bytes stream past; feeds of any size give the same result."""

    def __init__(self) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._sha3_512 = hashlib.sha3_512()

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        self._size += len(chunk)
        self._sha256.update(chunk)
        self._sha3_512.update(chunk)

    def digest(self) -> Digest:
        """Digest of everything seen so far; more may follow."""
        return Digest(self._size, self._sha256.digest(), self._sha3_512.digest())


def digest_of(data: bytes) -> Digest:
    """Digest of bytes already in memory."""
    digester = Digester()
    digester.update(data)
    return digester.digest()
