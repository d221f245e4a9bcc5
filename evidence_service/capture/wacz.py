"""WACZ 1.1.1: a ZIP archive with WARC, index, pages and a list of what is in it, written as a stream.

Entries with content that is compressed already are stored, as the format asks. Sizes and checksums follow the
content (APPNOTE.TXT 4.3.9), since nothing of the archive is written twice: it is hashed on its way to disk.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from evidence_service.capture.files import HashingWriter
from evidence_service.core.digest import Digest

VERSION = "1.1.1"
_ZIP64_FROM = 1 << 30


@dataclass(frozen=True, slots=True)
class Page:
    """The page a package is about.

    Attributes:
        started_at: when it was asked for, in the formats' notation.
    """

    url: str
    title: str
    started_at: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One entry as ``datapackage.json`` lists it."""

    path: str
    sha256: str
    size: int


class WaczWriter:
    """Writes one package; leaving the context without :meth:`finish` leaves a file that is none.

    Args:
        path: of the package; new.
        written_at: date of every entry, in the formats' notation.
    """

    def __init__(self, path: Path, written_at: str) -> None:
        self._file = HashingWriter(path)
        # zipfile asks for a stream; it takes one that cannot seek for what it is.
        self._zip = zipfile.ZipFile(cast("IO[bytes]", self._file), "w")
        self._written_at = written_at
        self._resources: list[Resource] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The end of the archive goes to a disk that may be full; why it is left half written counts.
        with suppress(OSError):
            self._zip.close()
        self._file.close()

    @contextmanager
    def entry(self, path: str, *, stored: bool = False, expected: int = 0) -> Iterator[_Entry]:
        """Open the next entry for writing; it is listed when it is closed.

        Args:
            stored: not deflated; for content that is compressed already.
            expected: bytes it may have, where that may be more than a classic ZIP entry holds.
        """
        with self._open(path, stored=stored, expected=expected) as stream:
            entry = _Entry(stream)
            yield entry
        self._resources.append(Resource(path, entry.sha256, entry.size))

    def finish(self, page: Page, software: str) -> Digest:
        """Write pages and ``datapackage.json``, close the file; its digests."""
        with self.entry("pages/pages.jsonl") as pages:
            pages.write(
                _line({"format": "json-pages-1.0", "id": "pages", "title": "Pages", "hasText": False})
            )
            shown = {"id": "page-1", "url": page.url, "title": page.title, "ts": page.started_at}
            pages.write(_line(shown))
        package = {
            "profile": "data-package",
            "wacz_version": VERSION,
            "title": page.title or page.url,
            "software": software,
            "created": self._written_at,
            "mainPageUrl": page.url,
            "mainPageDate": page.started_at,
            "resources": [
                {
                    "name": item.path.rsplit("/", 1)[-1],
                    "path": item.path,
                    "hash": f"sha256:{item.sha256}",
                    "bytes": item.size,
                }
                for item in self._resources
            ],
        }
        data = (json.dumps(package, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
        digest = {"path": "datapackage.json", "hash": f"sha256:{hashlib.sha256(data).hexdigest()}"}
        for path, content in (("datapackage.json", data), ("datapackage-digest.json", _line(digest))):
            with self._open(path) as stream:
                stream.write(content)
        self._zip.close()
        return self._file.close()

    def _open(self, path: str, *, stored: bool = False, expected: int = 0) -> IO[bytes]:
        at = self._written_at
        date = (int(at[:4]), int(at[5:7]), int(at[8:10]), int(at[11:13]), int(at[14:16]), int(at[17:19]))
        info = zipfile.ZipInfo(path, date)
        info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        # The host system and its permissions are no part of a package.
        info.create_system, info.external_attr = 3, 0o644 << 16
        stream: IO[bytes] = self._zip.open(info, "w", force_zip64=expected > _ZIP64_FROM)
        return stream


class _Entry:
    """Hashes what goes into an entry."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        """Append bytes."""
        self._digest.update(data)
        self.size += len(data)
        return self._stream.write(data)

    @property
    def sha256(self) -> str:
        """Of everything written so far, hexadecimal."""
        return self._digest.hexdigest()


def _line(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "replace")
