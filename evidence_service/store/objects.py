"""Bytes, stored once under their SHA-256, never changed.

Durability: when ``put`` returns, the bytes and their directory entry are on disk (fsync of file and
directories). Reading hashes again: a flipped bit on disk is an error, never an answer.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import BinaryIO

from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import MismatchError, NotFoundError, StorageUnavailableError
from evidence_service.store import files

_CHUNK = 1 << 20


class LocalObjects:
    """A content-addressed store in a local directory; files are read-only once stored."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def put(self, source: Path) -> Digest:
        """Store a file's content; storing the same content again changes nothing."""
        digester = Digester()
        temporary = self._directory / f"incoming-{secrets.token_hex(8)}"
        with source.open("rb") as reader, temporary.open("xb") as writer:
            while chunk := reader.read(_CHUNK):
                digester.update(chunk)
                writer.write(chunk)
            return self._commit(writer, temporary, digester.digest())

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes from memory."""
        digester = Digester()
        digester.update(data)
        temporary = self._directory / f"incoming-{secrets.token_hex(8)}"
        with temporary.open("xb") as writer:
            writer.write(data)
            return self._commit(writer, temporary, digester.digest())

    def read(self, sha256: bytes) -> bytes:
        """Whole content, hashed again.

        Raises:
            NotFoundError: never stored.
            MismatchError: what is on disk is no longer what was stored.
        """
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"no object {sha256.hex()} is stored") from error
        digester = Digester()
        digester.update(data)
        if digester.digest().sha256 != sha256:
            raise MismatchError(
                f"object {sha256.hex()} was changed on disk", what_to_do="restore it from a backup"
            )
        return data

    def check(self, sha256: bytes) -> Digest:
        """Digest of the content, hashed again without holding it in memory.

        Raises:
            NotFoundError, MismatchError: as :meth:`read`.
        """
        digester = Digester()
        try:
            with self.path(sha256).open("rb") as reader:
                while chunk := reader.read(_CHUNK):
                    digester.update(chunk)
        except FileNotFoundError as error:
            raise NotFoundError(f"no object {sha256.hex()} is stored") from error
        found = digester.digest()
        if found.sha256 != sha256:
            raise MismatchError(
                f"object {sha256.hex()} was changed on disk", what_to_do="restore it from a backup"
            )
        return found

    def probe(self) -> None:
        """Write a file, have it on disk, and take it away again.

        Raises:
            StorageUnavailableError: the disk does not take it.
        """
        probe = self._directory / f"incoming-{secrets.token_hex(8)}"
        try:
            with probe.open("xb") as writer:
                writer.write(b"probe")
                writer.flush()
                os.fsync(writer.fileno())
        except OSError as error:
            raise StorageUnavailableError(
                f"objects cannot be stored: {error.strerror}",
                what_to_do="free the disk, or mount it writable",
            ) from error
        finally:
            probe.unlink(missing_ok=True)

    def path(self, sha256: bytes) -> Path:
        """Where an object is or would be."""
        name = sha256.hex()
        return self._directory / name[:2] / name[2:]

    def _commit(self, writer: BinaryIO, temporary: Path, digest: Digest) -> Digest:
        target = self.path(digest.sha256)
        target.parent.mkdir(exist_ok=True)
        files.commit(writer, temporary, target)
        return digest
