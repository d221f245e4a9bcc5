"""Bytes, stored once under their SHA-256 in a local directory, never changed.

Durability: when ``put`` returns, the bytes and their directory entry are on disk (fsync of file and
directories). Reading hashes again: a flipped bit on disk is an error, never an answer. A name appears with
its whole content or not at all, and no file under a name is ever written to.

Nothing here binds who can write to the directory. Where that is needed, ``store/s3.py`` keeps objects under a
lock of the store's own.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import MismatchError, NotFoundError, StorageUnavailableError
from evidence_service.store import files
from evidence_service.store.protection import Protection

_CHUNK = 1 << 20


class LocalObjects:
    """A content-addressed store in a local directory; files are read-only once stored.

    Opening it removes what writers that were killed left unfinished.

    Raises:
        StorageUnavailableError: the directory cannot be made or read.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with _disk(f"the object store {directory} cannot be opened"):
            if not directory.is_dir():
                directory.mkdir(parents=True, exist_ok=True)
                files.sync_directory(directory.parent)
            self._sweep()

    def put(self, source: Path) -> Digest:
        """Store a file's content; storing the same content again changes nothing.

        Raises:
            StorageUnavailableError: the disk does not take it; nothing is left behind.
        """
        with source.open("rb") as reader:
            return self._store(iter(lambda: reader.read(_CHUNK), b""))

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes from memory; durability and errors as for :meth:`put`."""
        return self._store([data])

    def read(self, sha256: bytes) -> bytes:
        """Whole content, hashed again.

        Raises:
            NotFoundError: never stored.
            MismatchError: what is on disk is no longer what was stored.
            StorageUnavailableError: the disk does not give it.
        """
        kept = bytearray()
        self._hash_again(sha256, kept.extend)
        return bytes(kept)

    def check(self, sha256: bytes) -> Digest:
        """Digest of the content, hashed again without holding it in memory; errors as for :meth:`read`."""
        return self._hash_again(sha256, lambda chunk: None)

    @contextmanager
    def open(self, sha256: bytes) -> Iterator[Path]:
        """A local file with the content, hashed again before it is given out; errors as for :meth:`read`."""
        self.check(sha256)
        yield self.path(sha256)

    def protection(self, sha256: bytes) -> Protection:
        """What keeps an object from being removed: nothing does.

        Raises:
            NotFoundError: never stored.
        """
        if not self.path(sha256).exists():
            raise _absent(sha256)
        return Protection()

    def remove(self, sha256: bytes) -> bool:
        """Remove an object; whether it was there.

        Raises:
            StorageUnavailableError: the disk does not take it.
        """
        target = self.path(sha256)
        with _disk(f"object {sha256.hex()} cannot be removed"):
            try:
                target.unlink()
            except FileNotFoundError:
                return False
            files.sync_directory(target.parent)
        return True

    def inspect(self) -> str:
        """What the store is, for people, after trying to write.

        Raises:
            StorageUnavailableError: it cannot be written to.
        """
        with self._incoming() as (writer, _), _disk(f"the object store {self._directory} cannot be written"):
            files.sync(writer)
        return "a local directory, writable; no lock against who else can write there"

    def path(self, sha256: bytes) -> Path:
        """Where an object is or would be."""
        name = sha256.hex()
        return self._directory / name[:2] / name[2:]

    def _store(self, chunks: Iterable[bytes]) -> Digest:
        digester = Digester()
        with self._incoming() as (writer, temporary), _disk("an object cannot be stored"):
            for chunk in chunks:
                digester.update(chunk)
                writer.write(chunk)
            digest = digester.digest()
            target = self.path(digest.sha256)
            target.parent.mkdir(exist_ok=True)
            files.sync(writer)
            self._name(temporary, target, digest)
            for directory in (target.parent, self._directory):
                files.sync_directory(directory)
        return digest

    def _name(self, temporary: Path, target: Path, digest: Digest) -> None:
        """Give a whole file its name. What has that name already stays, unless it is damaged."""
        try:
            os.link(temporary, target)
        except FileExistsError:
            with target.open("rb") as reader:
                if _digest(reader).sha256 == digest.sha256:
                    return
            # What was damaged is evidence of the damage: kept aside, in the way of nothing.
            os.link(target, target.with_name(f"{target.name}.damaged-{secrets.token_hex(8)}"))
            temporary.replace(target)

    @contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Path]]:
        """A new file under a name of no object; it is gone afterwards unless it was renamed."""
        temporary = self._directory / f"incoming-{secrets.token_hex(8)}"
        with _disk(f"the object store {self._directory} takes no file"):
            writer = temporary.open("xb")
        try:
            # While it is locked, _sweep() of another process leaves it alone. One that came just before the
            # lock makes this write fail, and the next one succeed.
            fcntl.flock(writer, fcntl.LOCK_EX)
            yield writer, temporary
        finally:
            temporary.unlink(missing_ok=True)
            with suppress(OSError):  # what cannot be flushed was told already, and has no name any more
                writer.close()

    def _sweep(self) -> None:
        for left in self._directory.glob("incoming-*"):
            try:
                with left.open("rb") as reader:
                    fcntl.flock(reader, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
            except (BlockingIOError, FileNotFoundError):
                continue  # somebody is writing it, or has just finished

    def _hash_again(self, sha256: bytes, take: Callable[[bytes], None]) -> Digest:
        digester = Digester()
        try:
            with self.path(sha256).open("rb") as reader:
                while chunk := reader.read(_CHUNK):
                    digester.update(chunk)
                    take(chunk)
        except FileNotFoundError as error:
            raise _absent(sha256) from error
        except OSError as error:
            raise StorageUnavailableError(
                f"object {sha256.hex()} cannot be read: {error.strerror}", what_to_do="look after the disk"
            ) from error
        found = digester.digest()
        if found.sha256 != sha256:
            raise MismatchError(
                f"object {sha256.hex()} was changed on disk", what_to_do="restore it from a backup"
            )
        return found


@contextmanager
def _disk(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailableError(
            f"{what}: {error.strerror}", what_to_do="free space, or look after the disk"
        ) from error


def _digest(reader: BinaryIO) -> Digest:
    digester = Digester()
    while chunk := reader.read(_CHUNK):
        digester.update(chunk)
    return digester.digest()


def _absent(sha256: bytes) -> NotFoundError:
    return NotFoundError(f"no object {sha256.hex()} is stored")
