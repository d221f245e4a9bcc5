"""WACZ 1.1.1: a ZIP of WARC files, their index and pages, with a data package as table of contents."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from typing import BinaryIO

from evidence_service.core import manifest
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError
from evidence_service.importing import wacz_index, warc
from evidence_service.importing.findings import Notes
from evidence_service.importing.stream import BrokenError, Readable
from evidence_service.importing.wacz_description import DIGEST, PACKAGE, Description, Resource
from evidence_service.verify import archive

_JSON_LIMIT = 8 * 1024 * 1024
_CHUNK = 1 << 16
_WARC = re.compile(r"archive/.+\.warc(\.gz)?", re.IGNORECASE)
_INDEX = re.compile(r"indexes/.+\.(cdxj?|cdxj?\.gz|idx)", re.IGNORECASE)
_PAGES = re.compile(r"pages/.+\.jsonl", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


def examine(file: BinaryIO, size: int, notes: Notes) -> None:
    """Examine a WACZ."""
    try:
        with zipfile.ZipFile(file) as package:
            members = archive.members_of(package, "the archive", size, check_name=_check_name)
            _surplus(package, notes)
            _Package(package, {item.filename: item for item in members}, notes).examine()
    except LimitExceededError as error:
        notes.add("limit", error.message)
    except EvidenceError as error:
        notes.add("zip.refused", error.message)
    except archive.BROKEN as error:
        notes.add("zip.refused", f"the ZIP archive cannot be read: {error}")


def _check_name(name: str) -> None:
    """As for evidence, but times in names are common in archives, and they have colons."""
    if _DRIVE.match(name):
        raise MalformedError(f"{name[:80]!r} leads out of the archive")
    manifest.check_path(name.replace(":", "_"))


def _surplus(package: zipfile.ZipFile, notes: Notes) -> None:
    if package.comment:
        notes.add("zip.surplus", f"the archive has a comment of {len(package.comment)} bytes")
    first = min((item.header_offset for item in package.infolist()), default=0)
    if first:
        notes.add("zip.surplus", f"{first} bytes before the first member")


class Member:
    """A member that is hashed while somebody reads it."""

    def __init__(self, reader: Readable, resource: Resource | None, notes: Notes) -> None:
        self._reader = reader
        self._resource = resource
        self._notes = notes

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes."""
        self._notes.tick()
        data = self._reader.read(size)
        if self._resource is not None:
            self._resource.update(data)
        return data


class _Package:
    """The parts of one WACZ, read in the order in which they can be compared."""

    def __init__(
        self, package: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], notes: Notes
    ) -> None:
        self._package = package
        self._members = members
        self._notes = notes
        self._description = Description(notes)
        self._walked: dict[str, warc.Walked] = {}
        self._indexed = wacz_index.Index(self._walked, notes)

    def examine(self) -> None:
        self._description.read(self._small(PACKAGE), self._small(DIGEST))
        known = [
            (_WARC, self._warc),
            (_INDEX, self._index),
            (_PAGES, self._pages),
        ]
        rest = {name for name in self._members if name not in (PACKAGE, DIGEST)}
        for pattern, read in known:
            for name in sorted(name for name in rest if pattern.fullmatch(name)):
                self._read(name, read)
                rest.remove(name)
        for name in sorted(rest):
            self._read(name, lambda *_: None)
        self._missing_parts()
        self._indexed.finish()
        self._description.compare(self._members.keys())

    def _read(self, name: str, reading: Callable[[str, Readable], None]) -> None:
        """Read a member to its end: by what knows it first, then whatever that left."""
        try:
            with self._package.open(self._members[name]) as reader:
                member = Member(reader, self._description.resources.get(name), self._notes)
                try:
                    reading(name, member)
                except BrokenError as error:
                    self._notes.add(error.code, error.what, name)
                while member.read(_CHUNK):
                    pass
        except archive.BROKEN as error:
            self._notes.add("zip.member_damaged", f"{error}", name)

    def _warc(self, name: str, reader: Readable) -> None:
        if self._members[name].compress_type != zipfile.ZIP_STORED:
            self._notes.add(
                "wacz.archive_compressed", "compressed a second time: its records cannot be reached", name
            )
        with self._notes.within(name):
            self._walked[name] = warc.examine(reader, self._notes)

    def _index(self, name: str, reader: Readable) -> None:
        if name.lower().endswith(".idx"):
            self._indexed.second_level(name, reader, self._slices)
        else:
            self._indexed.read(name, reader)

    def _slices(self, name: str) -> bytes | None:
        """A first-level index as it lies in the archive."""
        item = self._members.get(name)
        if item is None or item.file_size > _JSON_LIMIT:
            return None
        with self._package.open(item) as reader:
            return reader.read()

    def _pages(self, name: str, reader: Readable) -> None:
        wacz_index.read_pages(name, reader, self._walked, self._notes)

    def _missing_parts(self) -> None:
        for pattern, code, what in (
            (_WARC, "wacz.archive_missing", "there is no WARC file in archive/"),
            (_INDEX, "wacz.index_missing", "there is no index in indexes/"),
        ):
            if not any(pattern.fullmatch(name) for name in self._members):
                self._notes.add(code, what)
        if "pages/pages.jsonl" not in self._members:
            self._notes.add("wacz.pages_missing", "there is no pages/pages.jsonl")

    def _small(self, name: str) -> bytes | None:
        item = self._members.get(name)
        if item is None:
            return None
        if item.file_size > _JSON_LIMIT:
            self._notes.add("limit", f"larger than {_JSON_LIMIT} bytes; it was not read", name)
            return b""
        try:
            with self._package.open(item) as reader:
                return reader.read()
        except archive.BROKEN as error:
            self._notes.add("zip.member_damaged", f"{error}", name)
            return b""
