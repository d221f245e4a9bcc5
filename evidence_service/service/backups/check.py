"""Check a backup: every byte of it is hashed again; nothing but its directory is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from evidence_service.errors import MalformedError
from evidence_service.service.backups import manifest
from evidence_service.service.backups.manifest import Backup

_TREE = re.compile(r"([0-9a-f]{64})  ((?:trees|renewals)/[0-9a-z-]+)\n")


def problems(backup: Backup) -> Iterator[str]:
    """Every file that is missing or is not what was backed up, by name; none: the backup is whole."""
    damaged = False
    for name, described in backup.files().items():
        for words in _file(backup.folder / name, described["sha256"], f"{backup.folder.name}/{name}"):
            damaged = True
            yield words
    if damaged:
        return  # the lists of what else there is are among them
    for name, kind, sha256 in contents(backup):
        path = backup.path(sha256)
        yield from _file(path, sha256.hex(), f"{path.relative_to(backup.root)} ({kind} {name})")


def contents(backup: Backup) -> Iterator[tuple[str, str, bytes]]:
    """Name, kind (``object`` or ``tree``) and SHA-256 of everything in the shared content."""
    with (backup.folder / manifest.OBJECTS).open(encoding="ascii") as lines:
        for line in lines:
            yield line.strip(), "object", bytes.fromhex(line)
    for sha256, name in trees(backup):
        yield name, "tree", sha256


def trees(backup: Backup) -> Iterator[tuple[bytes, str]]:
    """SHA-256 of each tree file, and its path in the data directory.

    Raises:
        MalformedError: a path leads elsewhere.
    """
    with (backup.folder / manifest.TREES).open(encoding="ascii") as lines:
        for line in lines:
            found = _TREE.fullmatch(line)
            if found is None:
                raise MalformedError(f"{manifest.TREES} of {backup.folder.name} has a line {line[:200]!r}")
            yield bytes.fromhex(found[1]), found[2]


def _file(path: Path, sha256: str, where: str) -> Iterator[str]:
    try:
        if manifest.sha256_of(path) != sha256:
            yield f"{where} was changed"
    except FileNotFoundError:
        yield f"{where} is missing"
    except OSError as error:
        yield f"{where} cannot be read: {error.strerror}"
