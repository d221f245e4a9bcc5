"""Backups hold everything, say what is damaged, and are never taken for whole when they are not."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import Engine, text

from evidence_service.errors import (
    ConfigurationError,
    ConflictError,
    EvidenceError,
    MismatchError,
    NotFoundError,
    StorageUnavailableError,
)
from evidence_service.service.backups import check, manifest
from evidence_service.service.backups.make import Source, make
from evidence_service.store import dump, postgres
from evidence_service.store.objects import LocalObjects
from evidence_service.store.postgres import migrate
from tests.golden.first_version import load, unpack
from tests.running import empty, repeating
from tests.unit.service import backing
from tests.unit.service.backing import another_database, close, files, fill, put_back, rows, upload


@pytest.fixture
def original(engine: Engine, tmp_path: Path) -> Source:
    empty(engine)
    found = backing.source(engine, tmp_path / "data")
    fill(found, count=6)
    return found


@pytest.fixture
def target(engine: Engine) -> Iterator[Engine]:
    with another_database(engine, "restored") as found:
        yield found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, str]:
    """File of an age identity, and its public key."""
    key = pyrage.x25519.Identity.generate()
    path = tmp_path / "identity.txt"
    path.write_text(f"# made by a test\n{key}\n")
    return path, str(key.to_public())


def whole(root: Path) -> list[str]:
    return list(check.problems(manifest.read(root)))


def test_everything_comes_back(
    original: Source, target: Engine, root: Path, tmp_path: Path, identity: tuple[Path, str]
) -> None:
    made = make(original, root, recipients=[identity[1]])
    assert whole(root) == []
    put_back(root, target, tmp_path / "restored", identity=identity[0])
    assert rows(target) == rows(original.owner)
    assert files(tmp_path / "restored") == files(tmp_path / "data")
    assert (made.objects, made.remade) == (7, ())
    with target.begin() as connection:
        sequences = connection.execute(
            text("SELECT last_value FROM pg_sequences ORDER BY sequencename")
        ).all()
    with original.owner.begin() as connection:
        wanted = connection.execute(text("SELECT last_value FROM pg_sequences ORDER BY sequencename")).all()
    assert sequences == wanted


def test_private_keys_are_in_it_encrypted_or_not_at_all(
    original: Source, root: Path, tmp_path: Path, identity: tuple[Path, str]
) -> None:
    secret = (tmp_path / "data" / manifest.RECEIPT_KEY).read_bytes().splitlines()[1]
    make(original, root, recipients=[])
    assert manifest.read(root).value["keys"] == []
    make(replace(original, random_bytes=lambda size: b"\xff" * size), root, recipients=[identity[1]])
    assert [item["name"] for item in manifest.read(root).value["keys"]] == list(manifest.KEYS)
    assert not [
        name for name, content in files(root).items() if secret in content or bytes(range(32)) in content
    ]
    with pytest.raises(ConfigurationError, match="no age public key"):
        make(original, root, recipients=["age1wrong"])


def test_only_what_is_new_is_copied(original: Source, root: Path) -> None:
    assert make(original, root, recipients=[]).new == 8  # seven objects and a tree
    assert make(original, root, recipients=[]).new == 0
    upload(original, "ev-new")
    assert make(original, root, recipients=[]).new == 1
    assert len(manifest.names(root)) == 3


def test_what_was_damaged_in_the_backup_is_copied_again(original: Source, root: Path) -> None:
    make(original, root, recipients=[])
    damaged = next(path for path in (root / manifest.CONTENT).rglob("*") if path.is_file())
    damaged.chmod(0o600)
    damaged.write_bytes(b"changed")
    assert make(original, root, recipients=[]).new == 1
    assert whole(root) == []


def test_what_is_accepted_meanwhile_is_in_it_whole_or_in_the_next(
    original: Source, target: Engine, root: Path, tmp_path: Path
) -> None:
    accepted: list[str] = []

    def accept() -> None:
        name = f"ev-while-{len(accepted)}"
        upload(original, name)
        if len(accepted) % 5 == 4:
            close(original)
        accepted.append(name)

    with repeating(accept):
        while len(accepted) < 5:
            time.sleep(0.01)
        before = list(accepted)
        make(original, root, recipients=[])
    put_back(root, target, tmp_path / "restored")
    store = LocalObjects(tmp_path / "restored" / "objects")
    with target.connect() as connection:
        found = connection.execute(
            text("SELECT id, capture -> 'files' -> 0 ->> 'sha256' AS sha256 FROM evidence")
        ).all()
    for row in found:
        store.check(bytes.fromhex(row.sha256))
    assert set(before) <= {row.id for row in found}


def path_of(source: Source, sha256: bytes) -> Path:
    with source.objects.open(sha256) as path:
        return path


def damage(path: Path, how: str) -> None:
    path.chmod(0o600)
    if how == "missing":
        path.unlink()
        return
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_every_file_that_is_damaged_is_named(
    original: Source, root: Path, identity: tuple[Path, str], how: str
) -> None:
    make(original, root, recipients=[identity[1]])
    parts = [path for path in root.rglob("*") if path.is_file() and path.parent != root]
    assert len(parts) > 30
    for path in parts:
        kept = path.read_bytes()
        damage(path, how)
        try:
            words = whole(root)
        except (EvidenceError, NotFoundError) as error:
            words = [error.message]
        assert len(words) == 1
        # A folder without its manifest is no backup at all.
        named = str(root) if (path.name, how) == (manifest.NAME, "missing") else path.name
        assert named in words[0], words
        path.unlink(missing_ok=True)
        path.write_bytes(kept)
    assert whole(root) == []


def test_a_manifest_is_named_whichever_byte_of_it_is_changed(original: Source, root: Path) -> None:
    make(original, root, recipients=[])
    (path,) = root.glob(f"*/{manifest.NAME}")
    data = path.read_bytes()
    for offset in range(0, len(data), 17):
        for bit in (1, 0x80):
            path.write_bytes(data[:offset] + bytes([data[offset] ^ bit]) + data[offset + 1 :])
            with pytest.raises(EvidenceError, match=re.escape(str(path))):
                manifest.read(root)
    path.write_bytes(data)
    assert whole(root) == []


def test_a_manifest_of_another_key_is_refused(original: Source, root: Path) -> None:
    make(original, root, recipients=[])
    manifest.read(root, public_key=original.receipt_key.public_bytes())
    with pytest.raises(MismatchError, match="is signed with the key"):
        manifest.read(root, public_key=bytes(32))


def test_a_record_whose_object_is_gone_is_named_and_nothing_is_made(original: Source, root: Path) -> None:
    gone = upload(original, "ev-gone")
    path_of(original, gone).unlink()
    with pytest.raises(NotFoundError, match=gone.hex()):
        make(original, root, recipients=[])
    assert manifest.names(root) == []


def test_an_object_that_was_changed_is_named_and_nothing_is_made(original: Source, root: Path) -> None:
    changed = upload(original, "ev-changed")
    damage(path_of(original, changed), "changed")
    with pytest.raises(MismatchError, match=changed.hex()):
        make(original, root, recipients=[])
    assert manifest.names(root) == []


def test_a_tree_that_is_gone_is_left_out_and_told(
    original: Source, target: Engine, root: Path, tmp_path: Path
) -> None:
    (tree,) = (tmp_path / "data" / "trees").iterdir()
    tree.unlink()
    assert make(original, root, recipients=[]).remade == (f"trees/{tree.name}",)
    put_back(root, target, tmp_path / "restored")
    assert rows(target) == rows(original.owner)


def test_a_login_that_does_not_see_every_row_makes_none(original: Source, root: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE narrow LOGIN IN ROLE evidence_worker"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO narrow"))
        connection.execute(text("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO narrow"))
    narrow = postgres.connect(postgres.login(engine.url.render_as_string(hide_password=False), "narrow"))
    try:
        with pytest.raises(ConfigurationError, match="may not copy every row"):
            make(replace(original, owner=narrow), root, recipients=[])
    finally:
        narrow.dispose()
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY narrow"))
            connection.execute(text("DROP ROLE narrow"))
    assert manifest.names(root) == []


def test_nothing_is_restored_over_anything(
    original: Source, target: Engine, root: Path, tmp_path: Path
) -> None:
    make(original, root, recipients=[])
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "objects").mkdir()
    with pytest.raises(ConflictError, match="is not empty: it holds objects"):
        put_back(root, target, tmp_path / "restored")
    migrate(target)
    with pytest.raises(ConflictError, match="the database is not empty"):
        put_back(root, target, tmp_path / "elsewhere")


def test_no_backup_is_made_among_other_files(original: Source, root: Path) -> None:
    root.mkdir()
    (root / "holiday.jpg").touch()
    with pytest.raises(ConflictError, match="something else than backups"):
        make(original, root, recipients=[])


def test_a_full_disk_leaves_no_backup_and_what_was_copied(original: Source, root: Path) -> None:
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", root], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        for number in range(40):
            upload(original, f"ev-large-{number}")
        with pytest.raises(StorageUnavailableError, match="No space left"):
            make(original, root, recipients=[])
        assert manifest.names(root) == []
        assert list(root.glob(f"{manifest.INCOMPLETE}*")) == []
        subprocess.run(["mount", "-o", "remount,size=4m", root], check=True)
        make(original, root, recipients=[])
        assert whole(root) == []
    finally:
        subprocess.run(["umount", root], check=True)


def killed(work: Callable[[], None], seconds: float) -> bool:
    """Do it in a process of its own, which is killed after a while; whether it had ended before."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


def test_a_backup_that_is_killed_is_none(original: Source, root: Path) -> None:
    chance = random.Random(7)
    url = original.owner.url.render_as_string(hide_password=False)

    def work() -> None:
        make(replace(original, owner=postgres.connect(url)), root, recipients=[])

    started = time.monotonic()
    work()
    took = time.monotonic() - started
    for _ in range(8):
        upload(original, f"ev-{chance.random()}")
        killed(work, chance.random() * took)
        assert all(list(check.problems(manifest.read(root, name))) == [] for name in manifest.names(root)), (
            "what has a name is whole"
        )
    make(original, root, recipients=[])
    assert whole(root) == []
    assert list(root.glob(f"{manifest.INCOMPLETE}*")) == []


def test_a_restore_that_is_killed_is_run_again(
    original: Source, target: Engine, root: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    make(original, root, recipients=[])
    url, done = target.url.render_as_string(hide_password=False), False
    for seconds in sorted(chance.random() for _ in range(5)):
        done = killed(lambda: put_back(root, postgres.connect(url), tmp_path / "restored"), seconds)
        if done:
            break
    if not done:
        put_back(root, target, tmp_path / "restored")
    assert rows(target) == rows(original.owner)
    assert {name for name in files(tmp_path / "restored") if "/" in name} == {
        name for name in files(tmp_path / "data") if "/" in name
    }


def test_rows_of_an_older_revision_are_restored_by_this_release(engine: Engine, tmp_path: Path) -> None:
    """As the migrations would have brought them up to date where they were."""
    with another_database(engine, "older") as older, another_database(engine, "newer") as newer:
        load(unpack(tmp_path), older.url.render_as_string(hide_password=False))
        tables = ("matters", "batches", "evidence", "tokens", "certificates", "anchors", "submissions")
        tables += ("nonces", "custody_events", "idempotency_keys")
        with older.connect() as connection, dump.loading(newer, "0001") as loading:
            taken = dump.Snapshot("0001", dump.columns(connection), connection)
            assert set(taken.tables) == set(tables) == set(loading.tables)
            for name in loading.tables:
                loading.take(name, taken.tables[name], taken.rows(name))
        migrate(older)
        found, wanted = rows(newer), rows(older)
        assert found.keys() == wanted.keys()
        for name in found.keys() - {"organisations"}:  # the default one is made at each migration
            assert found[name] == wanted[name], name
