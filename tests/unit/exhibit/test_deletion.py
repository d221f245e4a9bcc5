"""Deletion beside backups, restores and exhibits: what is deleted stays deleted, and nothing stops over it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core.digest import Digest, digest_of
from evidence_service.errors import ConflictError, DeletedError, StorageUnavailableError
from evidence_service.service import delete, hold
from evidence_service.service.audit import Audited, audit, audit_exhibits
from evidence_service.service.backups import manifest
from evidence_service.service.backups.make import Source, make
from evidence_service.service.exhibit import build, order_exhibit
from evidence_service.service.exhibit_content import redactions_of
from evidence_service.service.parts import Parts
from evidence_service.store.objects import LocalObjects
from evidence_service.store.records import Matter
from tests.unit.exhibit.conftest import FIRST, NOW, PHONE, SECOND, made, order, preserve
from tests.unit.service import backing
from tests.unit.service.installation import Immediate

ONE, TWO, SHARED = b"only in the first", b"only in the second", b"in both"
MASK = {"texts": [{"text": PHONE}], "withheld": [{"path": "images/"}]}
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
    assert stored_in(tmp_path / "restored") == kept
    assert attempted(found, FIRST) == "executed"
    assert carried_out(parts, SECOND) == "executed"
    make(replace(source, now=lambda: backing.NOW.replace(year=2028)), old, recipients=[])
    assert named(old) == set()


def stored_in(directory: Path) -> set[str]:
    """SHA-256 of every object there, besides the one that ``preserve`` stores and nothing refers to."""
    found = (path for path in (directory / "objects").rglob("*") if path.is_file())
    return {path.parent.name + path.name for path in found} - {digest_of(b"x").sha256.hex()}


def problems(parts: Parts) -> list[str]:
    return [words for item in audit(parts) for words in item.problems]


@pytest.mark.parametrize("look", [audit, audit_exhibits])
def test_what_is_deleted_during_an_audit_is_not_missing(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, look: Callable[[Parts], Iterable[Audited]]
) -> None:
    preserve(parts, FIRST, {"one.txt": ("text/plain", ONE)})
    made(parts, order({}, FIRST))
    check = LocalObjects.check
    states: list[str] = []

    def deleting(self: LocalObjects, sha256: bytes) -> Digest:
        if not states:
            states.append(carried_out(parts, FIRST))
        return check(self, sha256)

    monkeypatch.setattr(LocalObjects, "check", deleting)
    assert [words for item in look(parts) for words in item.problems] == []
    assert states == ["executed"]


def test_what_was_masked_is_backed_up_audited_and_deleted(
    parts: Parts, source: Source, target: Engine, tmp_path: Path
) -> None:
    preserve(parts, FIRST, {"one.txt": ("text/plain", b"call 13800138000")})
    made(parts, order({"texts": [{"text": PHONE}]}))
    [document] = redactions_of(parts, FIRST)
    make(source, tmp_path / "backups", recipients=[])
    everything = stored_in(tmp_path / "data")
    # A file, its masked copy, the document on it, the package.
    assert len(everything) == 4 and named(tmp_path / "backups") == everything
    for damaged in everything - {digest.hex() for digest in parts.exhibits.packages_of(FIRST)}:
        path = parts.objects.path(bytes.fromhex(damaged))
        content = path.read_bytes()
        path.unlink()
        assert [damaged in words for words in problems(parts)] == [True]
        parts.objects.put_bytes(content)
    assert problems(parts) == []
    found = restored(tmp_path / "backups", target, tmp_path / "restored")
    assert stored_in(tmp_path / "restored") == everything and problems(found) == []
    assert carried_out(found, FIRST) == "executed"
    assert stored_in(tmp_path / "restored") == set() and problems(found) == []
    # As after a restore of a backup that held neither.
    parts.objects.path(document).unlink()
    assert carried_out(parts, FIRST) == "executed"
    assert stored_in(tmp_path / "data") == set()


class Held:
    """Objects of which a package is not stored before it is let go."""

    def __init__(self, objects: Any) -> None:
        self._objects = objects
        self.within, self.proceed = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def put(self, source: Path) -> Digest:
        if source.name == "exhibit.zip":
            self.within.set()
            assert self.proceed.wait(30)
        return self._objects.put(source)


@contextmanager
def being_made(parts: Parts) -> Iterator[None]:
    """An exhibit of the first evidence is stopped before its package is stored; it goes on after the block."""
    held = Held(parts.objects)
    thread = threading.Thread(target=build, args=(replace(parts, objects=held), "ex-00000001"))
    thread.start()
    assert held.within.wait(30)
    try:
        yield
    finally:
        held.proceed.set()
        thread.join(30)


def test_a_deletion_waits_for_an_exhibit_that_is_being_made(parts: Parts, tmp_path: Path) -> None:
    preserve(parts)
    order_exhibit(parts, order(MASK))
    with being_made(parts):
        assert carried_out(parts, FIRST) == "approved"
        waiting_for = parts.requests.request(f"rq-{FIRST}").waiting_for or ""
        assert "exhibit ex-00000001 is being made" in waiting_for
        parts.requests.refuse_deleted([FIRST])
    assert parts.exhibits.exhibit("ex-00000001").status == "made"
    assert attempted(parts, FIRST) == "executed"
    assert stored_in(tmp_path / "data") == set()
    with pytest.raises(DeletedError):
        parts.exhibits.order(order(MASK, exhibit_id="ex-00000002"))


def test_who_was_overtaken_leaves_nothing_behind(parts: Parts, tmp_path: Path) -> None:
    preserve(parts)
    order_exhibit(parts, order(MASK))
    with being_made(parts):
        parts.exhibits.refuse("ex-00000001", "another worker could not make it")
        assert carried_out(parts, FIRST) == "executed"
    assert stored_in(tmp_path / "data") == set()


def test_who_takes_over_removes_the_package_of_who_was_killed(parts: Parts, tmp_path: Path) -> None:
    preserve(parts)
    order_exhibit(parts, order(MASK))
    with monkeypatched_made(parts), pytest.raises(StorageUnavailableError):
        build(parts, "ex-00000001")
    [abandoned] = parts.exhibits.packages_of(FIRST)
    assert parts.exhibits.exhibit("ex-00000001").sha256 is None
    assert abandoned.hex() in stored_in(tmp_path / "data")
    hold.place(parts, hold.NewHold("h-1", "so the custody log is another one", "agent", evidence_id=FIRST))
    build(parts, "ex-00000001")
    assert parts.exhibits.exhibit("ex-00000001").sha256 not in (None, abandoned)
    assert abandoned.hex() not in stored_in(tmp_path / "data")
    assert problems(parts) == []


@contextmanager
def monkeypatched_made(parts: Parts) -> Iterator[None]:
    """Recording that an exhibit is made fails while the block lasts."""

    def dying(*_: Any, **__: Any) -> bool:
        raise StorageUnavailableError("killed")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts.exhibits, "made", dying)
        yield


@pytest.mark.parametrize("after_approval", [False, True])
def test_an_exhibit_beside_held_evidence_keeps_what_is_in_it(parts: Parts, *, after_approval: bool) -> None:
    for evidence_id in (FIRST, SECOND):
        preserve(parts, evidence_id)
    package = made(parts, order({}, FIRST, SECOND))
    # Of another matter: the hold on one says nothing about the other.
    parts.records.add_matter(Matter("m-2", "REF/2", "Example Brand Ltd", (), NOW))
    with parts.database.begin() as connection:
        connection.execute(text("UPDATE evidence SET matter_id = 'm-2' WHERE id = :id"), {"id": SECOND})
    request = f"rq-{FIRST}"
    delete.ask(parts, request, FIRST, actor="agent", reason="the time is over")
    if after_approval:
        delete.decide(parts, request, approve=True, actor="second", reason="yes")
    held = hold.place(parts, hold.NewHold("h-1", "proceedings", "agent", matter_id="m-2"))
    words = (
        f"exhibit ex-00000001 would go with evidence {FIRST}; evidence {SECOND} in it is on legal hold: h-1"
    )
    if after_approval:
        assert attempted(parts, FIRST) == "stopped"
        assert parts.requests.request(request).waiting_for == words
        delete.ask(parts, f"{request}-again", FIRST, actor="agent", reason="the time is over")
        request = f"{request}-again"
    with pytest.raises(ConflictError, match=words):
        delete.decide(parts, request, approve=True, actor="second", reason="yes")
    assert package.exists()
    hold.lift(parts, held, actor="agent", reason="over")
    delete.decide(parts, request, approve=True, actor="second", reason="yes")
    delete.delete(parts, Immediate(), f"{request} 2026010203")
    assert parts.requests.request(request).state == "executed" and not package.exists()
