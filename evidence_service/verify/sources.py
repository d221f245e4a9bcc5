"""What was given to verify, file by file: on the disk, inside archives, on standard input; and exhibits."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from evidence_service.core import exhibit
from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import EvidenceError, LimitExceededError, RefusedError
from evidence_service.verify import pdf

if TYPE_CHECKING:
    import zipfile

_CHUNK = 1 << 20
_MAX_FILES = 20_000
_ZIP = b"PK\x03\x04"
_EXHIBIT = b'"format":"' + exhibit.FORMAT.split("/", maxsplit=1)[0].encode() + b"/"


@dataclass(frozen=True, slots=True)
class Source:
    """A file given: on the disk, inside an archive (``member``), or standard input (``data``)."""

    path: Path
    member: zipfile.ZipInfo | None = None
    archive: zipfile.ZipFile | None = None
    data: bytes | None = None

    @property
    def name(self) -> str:
        return self.path.as_posix() + ("" if self.member is None else f"/{self.member.filename}")

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open for reading, whatever it is."""
        if self.data is not None:
            import io  # noqa: PLC0415 - only for standard input

            yield io.BytesIO(self.data)
        elif self.member is not None and self.archive is not None:
            from evidence_service.verify import archive  # noqa: PLC0415 - only where an archive is given

            with archive.open_member(self.archive, self.member) as reader:
                yield reader
        else:
            try:
                with self.path.open("rb") as file:
                    yield file
            except OSError as error:
                raise RefusedError(f"{self.path} cannot be read: {error.strerror}") from error

    def read(self, size: int) -> bytes:
        """The first bytes."""
        with self.open() as reader:
            return reader.read(size)

    def read_whole(self, limit: int) -> bytes:
        """Everything, unless it is more than the limit."""
        data = self.read(limit + 1)
        if len(data) > limit:
            raise LimitExceededError(f"{self.name} is larger than {limit} bytes")
        return data

    def digest(self) -> Digest:
        """Digest of everything, read in pieces."""
        digester = Digester()
        with self.open() as reader:
            while chunk := reader.read(_CHUNK):
                digester.update(chunk)
        return digester.digest()


@dataclass(frozen=True, slots=True)
class GivenExhibit:
    """An exhibit package, as a ZIP or unpacked; its files by their paths in it."""

    path: Path
    members: dict[str, Source]


@dataclass(slots=True)
class Given:
    """Everything that was given.

    Attributes:
        loose: files that are in no exhibit, those inside archives too.
        archives: archives, with what is wrong with them.
    """

    loose: list[Source] = field(default_factory=list)
    archives: dict[Path, EvidenceError | None] = field(default_factory=dict)
    exhibits: list[GivenExhibit] = field(default_factory=list)

    def count(self) -> int:
        """Number of files."""
        return len(self.loose) + sum(len(item.members) for item in self.exhibits)


def look_through(paths: Iterable[Path]) -> Given:
    """Every file among some paths.

    A folder, or an archive, that has ``exhibit.json`` at its top is an exhibit; archives inside one are not
    looked into.

    Raises:
        RefusedError: a path cannot be read.
        LimitExceededError: too many files.
    """
    given = Given()
    for path in paths:
        if str(path) == "-":
            data = sys.stdin.buffer.read(pdf.SIZE_LIMIT + 1)
            given.loose.append(Source(Path("standard input"), data=data))
        elif _lists_an_exhibit(path / exhibit.LIST_NAME):
            members = {item.relative_to(path).as_posix(): Source(item) for item in _walk(path)}
            given.exhibits.append(GivenExhibit(path, members))
        else:
            for item in _walk(path):
                _add(given, item)
        if given.count() > _MAX_FILES:
            raise LimitExceededError(f"more than {_MAX_FILES} files were given")
    return given


def _add(given: Given, path: Path) -> None:
    source = Source(path)
    if source.read(4) != _ZIP:
        given.loose.append(source)
        return
    from evidence_service.verify import archive  # noqa: PLC0415 - only where an archive is given

    given.archives[path] = None
    try:
        found = archive.members(path, check_name=exhibit.check_member)
        # Opened once for all of them: opening reads the names of every member.
        opened = archive.opened(path)
        members = {item.filename: Source(path, item, opened) for item in found}
        listed = members.get(exhibit.LIST_NAME)
        if listed is not None and _EXHIBIT in listed.read(exhibit.LIMIT):
            given.exhibits.append(GivenExhibit(path, members))
        else:
            given.loose += members.values()
    except EvidenceError as error:
        given.archives[path] = error


def _lists_an_exhibit(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and _EXHIBIT in Source(path).read(exhibit.LIMIT)


def _walk(path: Path) -> Iterator[Path]:
    if path.is_dir():
        # Links are not followed: a folder from somebody else must not lead out of itself.
        yield from sorted(item for item in path.rglob("*") if item.is_file() and not item.is_symlink())
    elif path.is_file():
        yield path
    else:
        raise RefusedError(f"there is no file {path}", what_to_do="check the path")
