"""The recorder's directory: bytes as they were on the wire, hashed while they are written, and the journal.

Files are opened relative to the directory's descriptor: the recorder has given up the rights to walk there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from evidence_service.capture.exchange import JOURNAL, Stored
from evidence_service.errors import StorageUnavailableError

_RESERVE = "reserve"
_RESERVED = 256 * 1024
"""Bytes kept free for the journal: on a full disk it still has to say that the disk is full."""


class Wire:
    """The directory of one recorder."""

    def __init__(self, directory: Path) -> None:
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)

    def give_to(self, user: int, group: int) -> None:
        """Make a user the directory's owner."""
        os.fchown(self._directory, user, group)

    def open_journal(self) -> None:
        """Begin the journal and keep room for it."""
        self._journal = self._open(JOURNAL)
        os.mkdir("certificates", 0o755, dir_fd=self._directory)
        reserve = self._open(_RESERVE)
        try:
            os.posix_fallocate(reserve, 0, _RESERVED)
        except OSError as error:
            raise _storage(error) from error
        finally:
            os.close(reserve)

    def _open(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(name, flags, 0o644, dir_fd=self._directory)
        except OSError as error:
            raise _storage(error) from error

    def note(self, line: dict[str, Any]) -> None:
        """Append one line to the journal.

        Raises:
            StorageUnavailableError: not even the reserve took it.
        """
        data = memoryview(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        while data:
            try:
                data = data[os.write(self._journal, data) :]
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._free_reserve():
                    raise _storage(error) from error

    def _free_reserve(self) -> bool:
        try:
            os.unlink(_RESERVE, dir_fd=self._directory)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """End the journal."""
        self._free_reserve()
        os.close(self._journal)
        os.close(self._directory)

    def create(self, name: str) -> Sink:
        """A new file for bytes.

        Raises:
            StorageUnavailableError: it cannot be made.
        """
        return Sink(name, self._open(name))

    def keep_certificate(self, der: bytes) -> str:
        """Keep a certificate, once; its SHA-256 in hexadecimal."""
        digest = hashlib.sha256(der).hexdigest()
        name = f"certificates/{digest}.der"
        try:
            os.stat(name, dir_fd=self._directory)
        except FileNotFoundError:
            sink = self.create(name)
            sink.write(der)
            sink.close()
        return digest


class Sink:
    """A file that is hashed while it is written."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.size = 0
        self._descriptor = descriptor
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            StorageUnavailableError: the disk does not take them; those it took are counted.
        """
        left = memoryview(data)
        while left:
            try:
                written = os.write(self._descriptor, left)
            except OSError as error:
                raise _storage(error) from error
            self._hash.update(left[:written])
            self.size += written
            left = left[written:]

    def close(self) -> Stored:
        """End the file; what it holds."""
        os.close(self._descriptor)
        return Stored(self.name, self.size, self._hash.hexdigest())


def _storage(error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError(
        f"the disk does not take the record: {error.strerror}",
        what_to_do="free space where temporary files are kept, then capture again",
    )
