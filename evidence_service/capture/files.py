"""Files of a capture: hashed while they are written, on disk when they are closed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evidence_service.core.digest import Digest, Digester


@dataclass(frozen=True, slots=True)
class CapturedFile:
    """One file of a capture.

    Attributes:
        path: relative to the capture's directory, with forward slashes.
        role: what it is, e.g. ``screenshot.full``.
        digest: computed while the file was written.
    """

    path: str
    media_type: str
    role: str
    digest: Digest


class HashingWriter:
    """Writes a new file and hashes the bytes on their way; closing it brings it to disk (fsync)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("xb")
        self._digester = Digester()

    def write(self, data: bytes) -> int:
        """Append bytes."""
        self._digester.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()

    def close(self) -> Digest:
        """Flush, fsync, close; the digest of everything written."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return self._digester.digest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CaptureFiles:
    """The files of one capture as they accumulate.

    Args:
        directory: empty or absent; created.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._files: list[CapturedFile] = []

    def add(self, path: str, media_type: str, role: str, data: bytes) -> CapturedFile:
        """Write one file whole."""
        with HashingWriter(self.directory / path) as writer:
            writer.write(data)
        return self.register(path, media_type, role, writer.close())

    def add_json(self, path: str, role: str, value: Any) -> CapturedFile:
        """Write a value as readable JSON with sorted keys."""
        return self.add(path, "application/json", role, json_text(value))

    def register(self, path: str, media_type: str, role: str, digest: Digest) -> CapturedFile:
        """Take note of a file that its own writer hashed."""
        found = CapturedFile(path, media_type, role, digest)
        self._files.append(found)
        return found

    def replace(self, item: CapturedFile, data: bytes) -> CapturedFile:
        """Write another content in a file's place."""
        (self.directory / item.path).unlink()
        self._files.remove(item)
        return self.add(item.path, item.media_type, item.role, data)

    def all(self) -> tuple[CapturedFile, ...]:
        """Every file, in path order."""
        return tuple(sorted(self._files, key=lambda item: item.path))


def json_text(value: Any) -> bytes:
    """Readable JSON with sorted keys; half a surrogate pair, which a page may show, becomes ``?``."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8", "replace")


def jsonl_text(values: Iterable[Any]) -> bytes:
    """The same, a line for each value."""
    lines = (json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n" for value in values)
    return "".join(lines).encode("utf-8", "replace")
