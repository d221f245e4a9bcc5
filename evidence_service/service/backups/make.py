"""Back up: one snapshot of the database, then every file that it names.

In this order, and while the service runs: an object is stored before a row names it, and nothing that a row
names is ever changed. What is accepted after the snapshot is in the next backup.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import zstandard
from sqlalchemy import Engine

from evidence_service.core import document
from evidence_service.errors import (
    ConflictError,
    MismatchError,
    NotFoundError,
    StorageUnavailableError,
)
from evidence_service.service.backups import keys, manifest
from evidence_service.service.ports import Objects
from evidence_service.service.receipt_key import ReceiptKey
from evidence_service.store import dump, files
from evidence_service.store.objects import LocalObjects

_MARK = "evidence-backups.txt"
_MARK_TEXT = "Backups of an evidence service, evidence-backup/1. See docs/how-to/back-up-and-restore.md.\n"


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up, and who vouches for it.

    Attributes:
        owner: engine of a login that row-level security does not bind.
        data_directory: holds the folders of tree files.
        key_files: name → private key.
        receipt_key: signs the manifest.
        tool: name and version of this software.
    """

    owner: Engine
    objects: Objects
    data_directory: Path
    key_files: Mapping[str, Path]
    receipt_key: ReceiptKey
    tool: str
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes] = secrets.token_bytes


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup.

    Attributes:
        rows: of all tables; objects: how many the record names; new: files added to the shared content;
            added: their bytes.
        remade: tree files that were missing or unreadable; a restored service makes them again.
    """

    name: str
    rows: int
    objects: int
    new: int
    added: int
    remade: tuple[str, ...]


def make(source: Source, root: Path, *, recipients: Sequence[str]) -> Made:
    """Add a backup to a directory; when this returns, it is whole and on disk.

    Args:
        root: the directory of all backups; made when absent.
        recipients: age public keys that the private keys are encrypted to; without one, no key goes into it.

    Raises:
        ConfigurationError: the login may not see every row, or a recipient is none.
        ConflictError: the directory holds something else, or another backup is being made there.
        NotFoundError, MismatchError: an object that the record names is gone or was changed; names it.
        StorageUnavailableError: the disk does not take it.
    """
    encrypted = keys.encrypt(source.key_files, recipients) if recipients else {}
    with _writing(root), _locked(root):
        pool = _Pool(LocalObjects(root / manifest.CONTENT))
        at = source.now()
        name = f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}Z-{source.random_bytes(4).hex()}"
        folder = root / f"{manifest.INCOMPLETE}{name}"
        folder.mkdir()
        try:
            value, objects, trees = _copy_record(source.owner, folder)
            _copy_objects(source.objects, pool, objects)
            remade = _copy_trees(pool, source.data_directory, trees, folder)
            value |= {
                "format": manifest.FORMAT,
                "name": name,
                "made_at": document.format_time(at),
                "software": source.tool,
                "objects": _described(objects) | {"count": pool.count, "bytes": pool.size},
                "trees": _described(folder / manifest.TREES)
                | {"count": len(trees) - len(remade), "bytes": pool.tree_size},
                "keys": [_key(folder, item, data) for item, data in encrypted.items()],
                "public_key": source.receipt_key.public_bytes().hex(),
            }
            _finish(source.receipt_key, root, folder, name, value)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    rows = sum(item["rows"] for item in value["tables"])
    return Made(name, rows, pool.count, pool.new, pool.added, tuple(remade))


class _Pool:
    """Counts what goes into the shared content."""

    def __init__(self, store: LocalObjects) -> None:
        self._store = store
        self.count = self.size = self.new = self.added = self.tree_size = 0

    def holds(self, sha256: bytes) -> int | None:
        """Size of what is there already, hashed again; what was damaged since counts as absent."""
        try:
            return self._store.check(sha256).size
        except (NotFoundError, MismatchError):
            return None

    def add(self, source: Path) -> tuple[bytes, int]:
        """Copy a file; SHA-256 and size of what was copied."""
        digest = self._store.put(source)
        self.new += 1
        self.added += digest.size
        return digest.sha256, digest.size


def _copy_record(owner: Engine, folder: Path) -> tuple[dict[str, Any], Path, list[tuple[str, str]]]:
    """Members of the manifest, the list of objects, and the tree files there may be."""
    tables, objects = [], folder / manifest.OBJECTS
    with dump.snapshot(owner) as taken:
        for name, columns in taken.tables.items():
            path = folder / manifest.table_file(name)
            rows = _write_rows(path, taken.rows(name))
            tables.append({"name": name, "columns": list(columns), "rows": rows, **_described(path)})
        with _written(objects) as writer:
            writer.writelines(f"{item}\n".encode() for item in taken.objects())
        trees = list(taken.trees())
        sequences = [{"name": name, "value": value} for name, value in taken.sequences().items()]
        return {"revision": taken.revision, "tables": tables, "sequences": sequences}, objects, trees


def _write_rows(path: Path, chunks: Iterable[bytes]) -> int:
    """Compress a table's rows into a file; how many there are: a line each, as COPY escapes line ends."""
    rows = 0
    with _written(path) as raw, zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as writer:
        for chunk in chunks:
            rows += chunk.count(b"\n")
            writer.write(chunk)
    return rows


def _copy_objects(objects: Objects, pool: _Pool, listed: Path) -> None:
    with listed.open(encoding="ascii") as lines:
        for line in lines:
            sha256 = bytes.fromhex(line)
            size = pool.holds(sha256)
            if size is None:
                with objects.open(sha256) as source:
                    copied, size = pool.add(source)
                if copied != sha256:
                    raise MismatchError(f"object {sha256.hex()} changed while it was copied")
            pool.count += 1
            pool.size += size


def _copy_trees(
    pool: _Pool, data_directory: Path, trees: Sequence[tuple[str, str]], folder: Path
) -> list[str]:
    """Copy tree files and list them; names of those that cannot be read."""
    missing = []
    with _written(folder / manifest.TREES) as writer:
        for kind, name in trees:
            path = data_directory / kind / name
            try:
                sha256 = bytes.fromhex(manifest.sha256_of(path))
            except OSError:
                # A tree follows from the record; it is made again when a proof is asked for.
                missing.append(f"{kind}/{name}")
                continue
            size = pool.holds(sha256)
            if size is None:
                sha256, size = pool.add(path)
            pool.tree_size += size
            writer.write(f"{sha256.hex()}  {kind}/{name}\n".encode())
    return missing


def _key(folder: Path, name: str, encrypted: bytes) -> dict[str, Any]:
    path = folder / manifest.key_file(name)
    with _written(path) as writer:
        writer.write(encrypted)
    return {"name": name, **_described(path)}


def _finish(key: ReceiptKey, root: Path, folder: Path, name: str, value: Mapping[str, Any]) -> None:
    """Sign, and give the folder its name when everything in it is on disk."""
    data = manifest.build(value)
    signature = key.sign(manifest.signed_bytes(data))
    for file, content in ((manifest.SIGNATURE, signature), (manifest.NAME, data)):
        with _written(folder / file) as writer:
            writer.write(content)
    files.sync_directory(folder)
    folder.rename(root / name)
    files.sync_directory(root)


def _described(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": manifest.sha256_of(path)}


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A new file whose bytes are on disk after the block."""
    with path.open("xb") as writer:
        yield writer
        writer.flush()
        os.fsync(writer.fileno())


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Alone in a directory of backups; what a killed one left unfinished goes."""
    root.mkdir(parents=True, exist_ok=True)
    mark = root / _MARK
    if not mark.exists():
        if any(root.iterdir()):
            raise ConflictError(
                f"{root} holds something else than backups",
                what_to_do="name a new directory, or an empty one",
            )
        mark.write_text(_MARK_TEXT, encoding="ascii")
    with (root / manifest.LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"another backup is being made in {root}", what_to_do="wait until it has ended"
            ) from error
        for left in root.glob(f"{manifest.INCOMPLETE}*"):
            shutil.rmtree(left)
        yield


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailableError(
            f"the backup in {root} cannot be written: {error.strerror}",
            what_to_do="make room there, or name another directory; it is begun anew, and copies only what "
            "is not there yet",
        ) from error
