"""The package itself: one ZIP, the same bytes for the same files, written and read in pieces of a mebibyte.

Nothing is compressed: what deflate makes of a file differs between versions of its library, and most of what
is large in an exhibit is compressed already.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from evidence_service.core import exhibit
from evidence_service.core.digest import Digest, Digester, digest_of
from evidence_service.errors import MismatchError
from evidence_service.exhibit.searching import Needles

_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first time a ZIP can name; when the exhibit was made stands in ``exhibit.json``."""
_MODE = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the exhibit.

    Attributes:
        role: one of ``core.exhibit.ROLES``.
        content: its bytes, or the file they are in.
        searched: whether it may hold no masked text.
    """

    name: str
    role: str
    digest: Digest
    content: bytes | Path
    searched: bool = True

    def open(self) -> IO[bytes]:
        """Open for reading."""
        return self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content)


def document(name: str, role: str, data: bytes, *, searched: bool = True) -> Member:
    """A member from memory."""
    return Member(name, role, digest_of(data), data, searched)


def write(target: IO[bytes], members: Iterable[Member], described: Mapping[str, Any]) -> None:
    """Write an exhibit: its members, and the list and the sums made of them.

    Args:
        target: can be written to and sought in.
        described: members of ``exhibit.json`` beside its list of files.

    Raises:
        MismatchError: a file is no longer what its digest says.
    """
    files = sorted(members, key=lambda item: item.name)
    listed = [{"path": item.name, "role": item.role, **exhibit.digests(item.digest)} for item in files]
    files.append(document(exhibit.LIST_NAME, "index", exhibit.build_list({**described, "files": listed})))
    sums = exhibit.sums({item.name: item.digest.sha256.hex() for item in files})
    files.append(document(exhibit.SUMS_NAME, "index", sums))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for item in sorted(files, key=lambda member: member.name):
            _write_member(archive, item)


def _write_member(archive: zipfile.ZipFile, item: Member) -> None:
    entry = zipfile.ZipInfo(item.name, _EPOCH)
    entry.create_system, entry.external_attr = _UNIX, _MODE
    entry.file_size = item.digest.size
    digester = Digester()
    with archive.open(entry, "w") as writer:
        for chunk in _chunks(item):
            digester.update(chunk)
            writer.write(chunk)
    if digester.digest() != item.digest:
        raise MismatchError(
            f"{item.name} is not the file that was preserved", what_to_do="restore it from a backup"
        )


def _chunks(item: Member) -> Iterator[bytes]:
    with item.open() as reader:
        yield from iter(lambda: reader.read(_CHUNK), b"")


def survivors(members: Iterable[Member], needles: Needles) -> list[str]:
    """Names of the members in which a masked text is left, in name or content."""
    return [item.name for item in members if _shows(item.name, item.open if item.searched else None, needles)]


def survivors_in(package: Path, members: Iterable[Member], needles: Needles) -> list[str]:
    """The same for a written package, list and sums included.

    Args:
        members: that it was written from; what is not searched in them is not searched here.
    """
    unsearched = {item.name for item in members if not item.searched}
    found = []
    with zipfile.ZipFile(package) as archive:
        for item in archive.infolist():
            opened = None if item.filename in unsearched else partial(archive.open, item)
            if _shows(item.filename, opened, needles):
                found.append(item.filename)
    return found


def _shows(name: str, opened: Callable[[], IO[bytes]] | None, needles: Needles) -> bool:
    if not needles:
        return False
    if needles.survives(io.BytesIO(name.encode())):
        return True
    if opened is None:
        return False
    with opened() as reader:
        return needles.survives(reader)
