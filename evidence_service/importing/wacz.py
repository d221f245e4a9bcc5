"""WACZ 1.1.1: a ZIP of WARC files, their index and pages, with a data package as table of contents."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from evidence_service.core import manifest
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError
from evidence_service.importing import wacz_index, wacz_signature, warc
from evidence_service.importing.digests import Digests, DoubledDigest, UnknownDigestError, algorithm_of, parse
from evidence_service.importing.findings import Notes
from evidence_service.importing.stream import BrokenError, Readable
from evidence_service.verify import archive

PACKAGE: Final = "datapackage.json"
DIGEST: Final = "datapackage-digest.json"
_VERSIONS = ("1.1.0", "1.1.1")
_JSON_LIMIT = 8 * 1024 * 1024
_CHUNK = 1 << 16
_WARC = re.compile(r"archive/.+\.warc(\.gz)?", re.IGNORECASE)
_INDEX = re.compile(r"indexes/.+\.(cdxj?|cdxj?\.gz|idx)", re.IGNORECASE)
_PAGES = re.compile(r"pages/.+\.jsonl", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(slots=True)
class Resource:
    """What the data package declares of a member, and what was found.

    Attributes:
        size: bytes declared, None where it does not say.
    """

    label: str
    size: int | None
    digests: Digests = field(init=False)
    doubled: DoubledDigest = field(default_factory=DoubledDigest)
    read: int = 0

    def __post_init__(self) -> None:
        self.digests = Digests(algorithm_of(self.label))

    def update(self, data: bytes) -> None:
        """The next bytes of the member."""
        self.read += len(data)
        self.digests.update(data)
        self.doubled.update(data)


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


class _Package:
    """The parts of one WACZ, read in the order in which they can be compared."""

    def __init__(
        self, package: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], notes: Notes
    ) -> None:
        self._package = package
        self._members = members
        self._notes = notes
        self._resources: dict[str, Resource] = {}
        self._walked: dict[str, warc.Walked] = {}

    def examine(self) -> None:
        self._package_description()
        known = [
            (_WARC, self._warc),
            (_INDEX, self._index),
            (_PAGES, self._pages),
        ]
        rest = {name for name in self._members if name not in (PACKAGE, DIGEST)}
        index = wacz_index.Index(self._walked, self._notes)
        self._indexed = index
        for pattern, read in known:
            for name in sorted(name for name in rest if pattern.fullmatch(name)):
                self._read(name, read)
                rest.remove(name)
        for name in sorted(rest):
            self._read(name, lambda *_: None)
        self._missing_parts()
        index.finish()
        self._compare()

    def _read(self, name: str, reading: Callable[[str, Readable], None]) -> None:
        """Read a member to its end: by what knows it first, then whatever that left."""
        try:
            with self._package.open(self._members[name]) as reader:
                member = Member(reader, self._resources.get(name), self._notes)
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

    # --- the data package ---

    def _package_description(self) -> None:
        """datapackage.json (WACZ 1.1.1, section 5.1.4), and the digest of it."""
        data = self._small(PACKAGE)
        value = None if data is None else self._object(PACKAGE, data)
        if value is None:
            if data is None:
                self._notes.add("wacz.datapackage", f"there is no {PACKAGE}")
            return
        for name in ("title", "software", "created", "mainPageUrl", "mainPageURL", "mainPageDate"):
            if isinstance(value.get(name), str):
                self._notes.fact(name, value[name])
        if value.get("profile") != "data-package":
            self._notes.add("wacz.datapackage", "its profile is not “data-package”", PACKAGE)
        if value.get("wacz_version") not in _VERSIONS:
            version = value.get("wacz_version")
            self._notes.add("wacz.version", f"examined as 1.1.1; it says {version!r}", PACKAGE)
        resources = value.get("resources")
        for item in resources if isinstance(resources, list) else []:
            self._declare(item)
        if not isinstance(resources, list) or not resources:
            self._notes.add("wacz.datapackage", "it lists no resources", PACKAGE)
        self._package_digest(data or b"")

    def _declare(self, item: Any) -> None:
        if not isinstance(item, dict) or not isinstance(item.get("path"), str):
            self._notes.add("wacz.datapackage", "a resource has no path", PACKAGE)
            return
        size, label = item.get("bytes"), item.get("hash")
        if item["path"] in self._resources:
            self._notes.add("wacz.datapackage", "a path is listed twice", item["path"])
        self._resources[item["path"]] = Resource(
            label if isinstance(label, str) else "", size if isinstance(size, int) else None
        )

    def _package_digest(self, package: bytes) -> None:
        data = self._small(DIGEST)
        if data is None:
            self._notes.add(
                "wacz.digest_missing", f"there is no {DIGEST}: the data package vouches for itself"
            )
            return
        value = self._object(DIGEST, data)
        if value is None:
            return
        label = value.get("hash")
        digests = Digests(algorithm_of(label if isinstance(label, str) else None))
        digests.update(package)
        try:
            holds = isinstance(label, str) and digests.holds(label)
        except UnknownDigestError:
            holds = False
        if not holds:
            self._notes.add("wacz.digest", f"the declared hash {label!r} is not that of {PACKAGE}", DIGEST)
        if "signedData" in value:
            wacz_signature.examine(value["signedData"], label, self._notes)
        else:
            self._notes.add("wacz.unsigned", "nobody signed it: who made it is only said", DIGEST)

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

    def _object(self, name: str, data: bytes) -> dict[str, Any] | None:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            self._notes.add("wacz.datapackage", f"it is not JSON: {error}", name)
            return None
        if not isinstance(value, dict):
            self._notes.add("wacz.datapackage", "it is not a JSON object", name)
            return None
        return value

    def _compare(self) -> None:
        """Every member is what the data package declares, and every declared resource is there."""
        right = 0
        for path, resource in self._resources.items():
            if path not in self._members:
                self._notes.add(
                    "wacz.resource_missing", "listed in the data package, and not in the archive", path
                )
                continue
            if resource.size is not None and resource.size != resource.read:
                words = f"{resource.size} bytes are declared, there are {resource.read}"
                self._notes.add("wacz.resource_size", words, path)
            right += self._right(path, resource)
        for path in sorted(set(self._members) - set(self._resources) - {PACKAGE, DIGEST}):
            self._notes.add("wacz.member_unlisted", "in the archive, and not in the data package", path)
        self._notes.fact("resources with the declared hash", right)

    def _right(self, path: str, resource: Resource) -> bool:
        if not resource.label:
            self._notes.add("wacz.resource_unhashed", "no hash is declared", path)
            return False
        try:
            if resource.digests.holds(resource.label):
                return True
            algorithm, declared = parse(resource.label)
        except UnknownDigestError:
            self._notes.add("wacz.resource_unhashed", f"{resource.label!r} was not computed", path)
            return False
        if algorithm == "sha256" and resource.doubled.digest() == declared:
            self._notes.add(
                "wacz.resource_hash_doubled",
                "the declared hash is the hash of the file with each chunk counted twice, the known defect "
                "of Scoop's writer (js-wacz); the bytes are those that were written, their own hash is "
                f"sha256:{resource.digests.hexadecimal('sha256')}",
                path,
            )
        else:
            words = f"declared is {resource.label}, computed {resource.digests.hexadecimal(algorithm)}"
            self._notes.add("wacz.resource_hash", words, path)
        return False
