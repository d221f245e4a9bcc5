"""A record with objects, trees and keys, ways to look at one whole, and an empty one beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, select, text

from evidence_service.core import manifest as manifests
from evidence_service.service.backups import manifest, restore
from evidence_service.service.backups.make import Source
from evidence_service.service.key_files import make_once
from evidence_service.service.receipt_key import open_or_make
from evidence_service.store import postgres
from evidence_service.store.batches import Batches
from evidence_service.store.closing import Due
from evidence_service.store.objects import LocalObjects
from evidence_service.store.records import Matter, Records
from evidence_service.store.tenancy import scoped
from evidence_service.store.trees import TreeFiles

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OTHER = "o-other"


@contextmanager
def another_database(engine: Engine, name: str) -> Iterator[Engine]:
    """An empty database of the same server while the block lasts."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text(f"CREATE DATABASE {name}"))
        found = postgres.connect(engine.url.set(database=name).render_as_string(hide_password=False))
        try:
            yield found
        finally:
            found.dispose()
            server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def source(owner: Engine, directory: Path) -> Source:
    """What is backed up of an installation in a directory; keys that are not there are made."""
    directory.mkdir(exist_ok=True)
    make_once(directory / manifest.LOGIN_KEY, lambda: bytes(range(32)))
    return Source(
        owner=owner,
        objects=LocalObjects(directory / "objects"),
        data_directory=directory,
        key_files={name: directory / name for name in manifest.KEYS},
        receipt_key=open_or_make(directory / manifest.RECEIPT_KEY),
        tool="test",
        now=lambda: NOW,
    )


def fill(found: Source, *, count: int) -> None:
    """Uploads of two organisations, in a batch with its tree, and an exhibit."""
    with found.owner.begin() as connection:
        connection.execute(text(f"INSERT INTO organisations VALUES ('{OTHER}', 'Other', NULL, now())"))
    for organisation in ("o-default", OTHER):
        records = Records(scoped(found.owner, organisation))
        records.add_matter(Matter(f"m-{organisation}", "REF/1", "Example \t Ltd\n", ("mark \\1",), NOW))
    for number in range(count):
        upload(found, f"ev-{number}", OTHER if number % 3 == 0 else "o-default")
    close(found)
    package = found.objects.put_bytes(b"an exhibit")
    with scoped(found.owner, OTHER).begin() as connection:
        connection.execute(
            text(
                "INSERT INTO exhibits (id, evidence, operator, audience, recipient, purpose, status, sha256, size, "
                "ordered_at) VALUES ('x-1', '[]', 'a', 'court', 'r', 'p', 'made', :sha256, 10, now())"
            ),
            {"sha256": package.sha256},
        )


def upload(found: Source, evidence_id: str, organisation: str = "o-default") -> bytes:
    """Accept a file, as the API does: stored first, then named by the record; its SHA-256."""
    records = Records(scoped(found.owner, organisation))
    stored = found.objects.put_bytes(evidence_id.encode() * 100)
    records.add_evidence(
        evidence_id=evidence_id,
        matter_id=f"m-{organisation}",
        kind="upload",
        url=None,
        operator="agent",
        certificate_wanted=False,
        created_at=NOW,
        capture={
            "outcome": {"status": "received"},
            "files": [manifests.file_record("note.txt", "text/plain", "uploaded", stored)],
        },
    )
    salt = hashlib.sha256(evidence_id.encode()).digest()
    records.advance(evidence_id, "registered", manifest=evidence_id.encode(), salt=salt, registered_at=NOW)
    return stored.sha256


def close(found: Source) -> None:
    batches = Batches(found.owner, TreeFiles(found.data_directory / "trees"))
    assert batches.close_due(Due(timedelta(0), 10_000), now=NOW + timedelta(hours=1)) is not None


def rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Table → rows, in one order whatever theirs is."""
    found = MetaData()
    with engine.connect() as connection:
        found.reflect(connection)
        return {
            table.name: sorted((dict(row) for row in connection.execute(select(table)).mappings()), key=repr)
            for table in found.sorted_tables
        }


def files(directory: Path) -> dict[str, bytes]:
    """Path below a data directory → content, of everything that is backed up."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and "incoming-" not in path.name
    }


def put_back(root: Path, owner: Engine, target: Path, *, identity: Path | None = None) -> None:
    """Restore the newest backup into a directory and an empty database."""
    backup = manifest.read(root)
    target.mkdir(exist_ok=True)
    restore.begin(backup, owner, target)
    if identity is not None:
        assert restore.put_keys(backup, identity, {name: target / name for name in manifest.KEYS}) == []
    restore.put_files(backup, LocalObjects(target / "objects"), target)
    restore.put_record(backup, owner)
    restore.finish(target)
