"""Restore: files first, the database last and in one transaction.

So a database that is there has everything it names, and a restore that was killed leaves an empty one; run
again, it goes on with the files that are there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import zstandard
from sqlalchemy import Engine

from evidence_service.errors import ConflictError, MismatchError
from evidence_service.service.backups import check, keys, manifest
from evidence_service.service.backups.manifest import Backup
from evidence_service.service.ports import Objects
from evidence_service.store import dump, files

_CHUNK = 1 << 20
_MARK = "restoring"
_OURS = {_MARK, "postgres", "postgres.users", *manifest.KEYS}
"""What may be there before: an empty server's own files, and keys that were put back by hand."""


def begin(backup: Backup, owner: Engine, data_directory: Path) -> None:
    """See that the target is empty, or was left by a restore of the same backup, and mark it.

    Raises:
        ConflictError: there is something in the data directory or in the database.
    """
    dump.require_empty(owner)
    mark, name = data_directory / _MARK, backup.value["name"]
    found = sorted({path.name for path in data_directory.iterdir()} - _OURS)
    if found and (not mark.exists() or mark.read_text(encoding="ascii") != name):
        raise ConflictError(
            f"{data_directory} is not empty: it holds {found[0]}",
            what_to_do="restore into a new data directory; nothing is ever restored over another record",
        )
    mark.write_text(name, encoding="ascii")
    files.sync_directory(data_directory)


def put_keys(backup: Backup, identity: Path, paths: Mapping[str, Path]) -> list[str]:
    """Put the keys of a backup in their places; names of those where another key is already.

    Raises:
        ConfigurationError, MismatchError: the identity cannot open them.
    """
    kept = []
    for item in backup.value["keys"]:
        name = item["name"]
        data = (backup.folder / manifest.key_file(name)).read_bytes()
        if not keys.put_back(paths[name], keys.decrypt(data, identity, name=name)):
            kept.append(name)
    return kept


def put_files(backup: Backup, objects: Objects, data_directory: Path) -> int:
    """Store every object, and put tree files in their places; how many objects.

    Raises:
        MismatchError: a file of the backup was changed since it was checked.
    """
    count = 0
    for name, kind, sha256 in check.contents(backup):
        source = backup.path(sha256)
        if kind == "object":
            if objects.put(source).sha256 != sha256:
                raise MismatchError(f"object {sha256.hex()} of the backup was changed")
            count += 1
        else:
            _put_tree(source, data_directory / name)
    return count


def put_record(backup: Backup, owner: Engine) -> int:
    """Fill the empty database in one transaction; how many rows.

    Raises:
        MismatchError: the rows do not fit this release's schema, or are not those that were backed up.
    """
    described = {item["name"]: item for item in backup.value["tables"]}
    with dump.loading(owner, backup.value["revision"]) as target:
        if set(target.tables) != described.keys():
            differ = ", ".join(sorted(set(target.tables) ^ described.keys()))
            raise MismatchError(f"the backup has other tables than its revision: {differ}")
        for name in target.tables:
            item = described[name]
            rows = target.take(name, item["columns"], _rows(backup, name))
            if rows != item["rows"]:
                raise MismatchError(f"{name} has {rows} rows after the restore, not {item['rows']}")
        target.set_sequences({item["name"]: item["value"] for item in backup.value["sequences"]})
    return sum(item["rows"] for item in described.values())


def finish(data_directory: Path) -> None:
    """Take the mark away: everything is there."""
    (data_directory / _MARK).unlink()
    files.sync_directory(data_directory)


def _rows(backup: Backup, table: str) -> Iterator[bytes]:
    with (backup.folder / manifest.table_file(table)).open("rb") as raw:
        yield from zstandard.ZstdDecompressor().read_to_iter(raw, read_size=_CHUNK)


def _put_tree(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"incoming-{target.name}")
    with source.open("rb") as reader, temporary.open("wb") as writer:
        shutil.copyfileobj(reader, writer, _CHUNK)
        files.commit(writer, temporary, target)
