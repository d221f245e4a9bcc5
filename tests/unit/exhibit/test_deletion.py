"""Deletion beside backups, restores and exhibits: what is deleted stays deleted, and nothing stops over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core.digest import digest_of
from evidence_service.service import delete
from evidence_service.service.backups import manifest
from evidence_service.service.backups.make import Source, make
from evidence_service.service.parts import Parts
from tests.unit.exhibit.conftest import FIRST, NOW, SECOND, made, order, preserve
from tests.unit.service import backing
from tests.unit.service.installation import Immediate

ONE, TWO, SHARED = b"only in the first", b"only in the second", b"in both"
EVERY = {digest_of(data).sha256.hex() for data in (ONE, TWO, SHARED)}


def carried_out(parts: Parts, evidence_id: str) -> str:
    """Delete as two persons and the worker do; the state of the request."""
    request = f"rq-{evidence_id}"
    delete.ask(parts, request, evidence_id, actor="agent", reason="the time is over")
    delete.decide(parts, request, approve=True, actor="second", reason="yes")
    return attempted(parts, evidence_id)


def attempted(parts: Parts, evidence_id: str) -> str:
    """The worker tries what was approved; the state of the request."""
    request = f"rq-{evidence_id}"
    delete.delete(parts, Immediate(), f"{request} 2026010203")
    return parts.requests.request(request).state


@pytest.fixture
def source(parts: Parts, engine: Engine, tmp_path: Path) -> Source:
    return backing.source(engine, tmp_path / "data")


@pytest.fixture
def target(engine: Engine) -> Iterator[Engine]:
    with backing.another_database(engine, "restored") as found:
        yield found


def named(root: Path) -> set[str]:
    """What the newest backup names."""
    return set((manifest.read(root).folder / manifest.OBJECTS).read_text().split())


def restored(root: Path, target: Engine, directory: Path) -> Parts:
    backing.put_back(root, target, directory)
    found = bootstrap.parts(Settings(data_directory=directory, purpose="demonstration"), target)
    return replace(found, now=lambda: NOW)


def test_what_is_deleted_is_in_no_later_backup(
    parts: Parts, source: Source, target: Engine, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    both = {"shared.txt": ("text/plain", SHARED)}
    preserve(parts, FIRST, {"one.txt": ("text/plain", ONE), **both})
    preserve(parts, SECOND, {"two.txt": ("text/plain", TWO), **both})
    package = made(parts, order({}, FIRST, SECOND)).read_bytes()
    make(source, old, recipients=[])
    assert named(old) == EVERY | {digest_of(package).sha256.hex()}
    assert carried_out(parts, FIRST) == "executed"
    later = replace(source, now=lambda: backing.NOW.replace(year=2027))
    kept = EVERY - {digest_of(ONE).sha256.hex()}
    for root in (old, new):
        make(later, root, recipients=[])
        assert named(root) == kept
    found = restored(old, target, tmp_path / "restored")
    stored = {path.name for path in (tmp_path / "restored" / "objects").rglob("*") if path.is_file()}
    assert stored == {item[2:] for item in kept}
    assert attempted(found, FIRST) == "executed"
    assert carried_out(parts, SECOND) == "executed"
    make(replace(source, now=lambda: backing.NOW.replace(year=2028)), old, recipients=[])
    assert named(old) == set()
