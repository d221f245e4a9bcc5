"""Look into a ZIP (a WACZ, an exhibit package) without unpacking it, under limits.

What is hashed has to be what any other program finds under that name: two members of one name, members that
overlap, or data that is not announced are refused rather than interpreted.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from evidence_service.core import manifest
from evidence_service.errors import LimitExceededError, MalformedError

MAX_MEMBERS = 20_000
_RATIO = 200
_ROOM = 64 * 1024 * 1024
_LOCAL_HEADER = 30
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What the library answers damaged archives with."""


def members(path: Path, *, check_name: Callable[[str], None] = manifest.check_path) -> list[zipfile.ZipInfo]:
    """Files of an archive, after every check that needs no decompression.

    Args:
        check_name: raises MalformedError for a member's name that is refused.

    Raises:
        MalformedError: not a ZIP, encrypted, links, names that lead out, doubled or overlapping members.
        LimitExceededError: too many members, or they unpack to more than 200 times the archive.
    """
    with opened(path) as archive:
        return members_of(archive, path.name, path.stat().st_size, check_name=check_name)


def opened(path: Path) -> zipfile.ZipFile:
    """An archive, to read members from; closed with the last one who holds it.

    Raises:
        MalformedError: not a ZIP.
    """
    try:
        return zipfile.ZipFile(path)
    except BROKEN as error:
        raise MalformedError(f"{path.name} is not a ZIP archive that can be read: {error}") from error


def members_of(
    archive: zipfile.ZipFile, name: str, size: int, *, check_name: Callable[[str], None] = manifest.check_path
) -> list[zipfile.ZipInfo]:
    """The same for an archive that is open.

    Args:
        size: of the archive, in bytes.
        check_name: raises MalformedError for a member's name that is refused.

    Raises:
        MalformedError, LimitExceededError: as :func:`members`.
    """
    entries = archive.infolist()
    if len(entries) > MAX_MEMBERS:
        raise LimitExceededError(f"{name} has {len(entries)} members; the limit is {MAX_MEMBERS}")
    if sum(item.file_size for item in entries) > _RATIO * size + _ROOM:
        raise LimitExceededError(f"{name} unpacks to more than {_RATIO} times its size")
    if any(not item.filename for item in entries):
        raise MalformedError(f"{name} has a member without a name")
    files = [item for item in entries if not item.is_dir()]
    for item in files:
        check_name(item.filename)
        if item.flag_bits & 1 or item.compress_type not in _METHODS:
            raise MalformedError(f"{item.filename} is encrypted or compressed in a way that is not read")
        if item.external_attr >> 28 not in (0, 8):
            raise MalformedError(f"{item.filename} is not a regular file")
    if len({item.filename for item in files}) != len(files):
        raise MalformedError(f"{name} has two members of one name")
    _refuse_overlaps(name, entries, archive.start_dir)
    return files


def _refuse_overlaps(name: str, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Members that share bytes are how a small archive becomes an endless one."""
    position = 0
    for item in sorted(entries, key=lambda entry: entry.header_offset):
        if item.header_offset < position:
            raise MalformedError(f"{name} has members that overlap")
        position = item.header_offset + _LOCAL_HEADER + len(item.filename) + item.compress_size
    if position > end:
        raise MalformedError(f"{name} has members that overlap")


@contextmanager
def open_member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Read one member; its length and check sum are verified by the library.

    Raises:
        MalformedError: the member is damaged.
    """
    try:
        with archive.open(item) as reader:
            yield reader
    except BROKEN as error:
        name = Path(archive.filename or "").name
        raise MalformedError(f"{item.filename} in {name} is damaged: {error}") from error
