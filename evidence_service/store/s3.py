"""Bytes, stored once under their SHA-256 in a bucket of an S3 service, under its Object Lock.

Which version is the evidence? The one whose bytes have the digest that is asked for: nothing else is
believed, and no table has to say it. Versions are tried oldest first, so what is written under the same key
later is not even looked at; what was written before, or marked as deleted, hides nothing either.

When ``put`` returns, the service has acknowledged the bytes, and has answered that their version is locked in
compliance mode: until then nobody can delete it, not even the owner of the account.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import (
    ConfigurationError,
    MismatchError,
    NotFoundError,
    RefusedError,
    StorageUnavailableError,
)
from evidence_service.store.bucket import Bucket, Content
from evidence_service.store.protection import Protection, whole_second

_CHUNK = 1 << 20
_PROBE = "writable"


class S3Objects:
    """A content-addressed store in a bucket.

    Args:
        prefix: of every key; the rest of it is the SHA-256 in hexadecimal.
        retention: how long a version is locked from the last time it is put; None: it is not.
        now: current time.
        scratch: for files of :meth:`open`; None: where temporary files go.

    Raises:
        ConfigurationError: ``retention`` is set, and the bucket has no Object Lock.
        StorageUnavailableError: the bucket does not answer.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        prefix: str,
        retention: timedelta | None,
        now: Callable[[], datetime],
        scratch: Path | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._retention = retention
        self._now = now
        self._scratch = scratch
        if retention is not None:
            bucket.require_lock()

    def put(self, source: Path) -> Digest:
        """Store a file's content, locked; what is there already is kept longer, not sent again."""
        with source.open("rb") as reader:
            return self._store(reader)

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes from memory, as :meth:`put`."""
        return self._store(io.BytesIO(data))

    def read(self, sha256: bytes) -> bytes:
        """Whole content, hashed again.

        Raises:
            NotFoundError: never stored.
            MismatchError: no version of it holds what was stored.
        """
        kept = io.BytesIO()
        self._fetch(sha256, kept)
        return kept.getvalue()

    def check(self, sha256: bytes) -> Digest:
        """Digest of the content, hashed again without holding it in memory; errors as for :meth:`read`."""
        return self._fetch(sha256)[1]

    @contextmanager
    def open(self, sha256: bytes) -> Iterator[Path]:
        """A temporary file with the content, hashed before it is given out; errors as for :meth:`read`."""
        with tempfile.NamedTemporaryFile(prefix="evidence-object-", dir=self._scratch) as sink:
            try:
                self._fetch(sha256, sink)
                sink.flush()
            except OSError as error:
                raise StorageUnavailableError(
                    f"object {sha256.hex()} cannot be fetched: {error.strerror}",
                    what_to_do="free space where temporary files go",
                ) from error
            yield Path(sink.name)

    def protection(self, sha256: bytes) -> Protection:
        """What the service says protects the version that holds the content; errors as for :meth:`read`."""
        version, _ = self._fetch(sha256)
        return self._bucket.look(self._key(sha256), version)[0]

    def remove(self, sha256: bytes) -> bool:
        """Delete every version that can be deleted; whether there was one.

        A version with other bytes that somebody locked under this key stays: it is not the evidence.

        Raises:
            RefusedError: a version with the content is held, or its retention is not over; none is deleted.
        """
        key = self._key(sha256)
        free = []
        for version in self._bucket.versions(key):
            try:
                self._bucket.look(key, version)[0].refuse_removal(sha256, self._now())
                free.append(version)
            except RefusedError:
                if self._copy(key, version).sha256 == sha256:
                    raise
        for version in free:
            self._bucket.delete(key, version)
        return bool(free)

    def inspect(self) -> str:
        """What the store is, for people, after beginning to write.

        Raises:
            ConfigurationError: a retention is set, and the bucket has no Object Lock.
        """
        if self._retention is not None:
            self._bucket.require_lock()
        self._bucket.try_writing(self._prefix + _PROBE, self._until())
        lock = "no lock: who may delete there can delete evidence"
        if self._retention is not None:
            lock = f"Object Lock in compliance mode for {self._retention.days} days"
        return f"bucket {self._bucket.name}, writable; {lock}"

    def _key(self, sha256: bytes) -> str:
        return self._prefix + sha256.hex()

    def _until(self) -> datetime | None:
        return None if self._retention is None else whole_second(self._now() + self._retention)

    def _store(self, reader: IO[bytes]) -> Digest:
        digester, md5 = Digester(), hashlib.md5(usedforsecurity=False)
        while chunk := reader.read(_CHUNK):
            digester.update(chunk)
            md5.update(chunk)
        digest = digester.digest()
        key, until = self._key(digest.sha256), self._until()
        try:
            # Also after a put whose reply was lost. What is there is hashed: a name proves nothing.
            version, _ = self._fetch(digest.sha256)
        except (NotFoundError, MismatchError):
            content = Content(reader, digest.size, digest.sha256, md5.digest())
            version = self._bucket.send(key, content, until)
        try:
            self._keep(key, version, until)
        except NotFoundError as error:
            raise StorageUnavailableError(
                f"the bucket {self._bucket.name} has not what it said it took", what_to_do="store it again"
            ) from error
        return digest

    def _keep(self, key: str, version: str, until: datetime | None) -> Protection:
        """Ask whether a version is there and locked until a time; have it locked where it is not.

        Services exist that drop the lock of an object sent in parts, or know no lock and ignore the header.
        """
        protection, binding = self._bucket.look(key, version)
        if until is None:
            return protection
        until = protection.extended(until).retain_until or until
        if binding and protection.retain_until == until:
            return protection
        self._bucket.retain(key, version, until)
        protection, binding = self._bucket.look(key, version)
        if not binding or protection.retain_until is None or protection.retain_until < until:
            raise ConfigurationError(
                f"the bucket {self._bucket.name} does not lock what is put there",
                what_to_do="grant s3:GetObjectRetention, or use a service with Object Lock",
            )
        return protection

    def _fetch(self, sha256: bytes, sink: IO[bytes] | None = None) -> tuple[str, Digest]:
        """The version that holds the content, its bytes written to ``sink``."""
        key = self._key(sha256)
        other = False
        for version in self._bucket.versions(key):
            found = self._copy(key, version, sink)
            if found.sha256 == sha256:
                return version, found
            other = True
        if other:
            raise MismatchError(
                f"object {sha256.hex()} was changed in the bucket {self._bucket.name}",
                what_to_do="restore it from a backup",
            )
        raise NotFoundError(f"no object {sha256.hex()} is stored")

    def _copy(self, key: str, version: str, sink: IO[bytes] | None = None) -> Digest:
        digester = Digester()
        if sink is not None:
            sink.seek(0)
            sink.truncate()
        for chunk in self._bucket.stream(key, version):
            digester.update(chunk)
            if sink is not None:
                sink.write(chunk)
        return digester.digest()
