"""What holds for a local directory alone: files, their names, and disks that fail."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError, NotFoundError, StorageUnavailableError
from evidence_service.store import files
from evidence_service.store import objects as module
from evidence_service.store.objects import LocalObjects
from tests.ports.conftest import World

CONTENT = b"content" * 1000
SHA256 = digest_of(CONTENT).sha256


@pytest.fixture
def objects(local: World) -> LocalObjects:
    assert isinstance(local.objects, LocalObjects)
    return local.objects


def test_a_stored_file_can_be_read_and_nothing_else(objects: LocalObjects) -> None:
    objects.put_bytes(CONTENT)
    path = objects.path(SHA256)
    assert [stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()] == [0o444]
    assert path.stat().st_nlink == 1


def test_putting_again_leaves_the_file_alone(objects: LocalObjects, tmp_path: Path) -> None:
    objects.put_bytes(CONTENT)
    before = objects.path(SHA256).stat()
    (tmp_path / "source").write_bytes(CONTENT)
    objects.put(tmp_path / "source")
    after = objects.path(SHA256).stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_a_damaged_file_is_kept_beside_the_healed_one(local: World, objects: LocalObjects) -> None:
    objects.put_bytes(CONTENT)
    local.damage(SHA256)
    objects.put_bytes(CONTENT)
    [aside] = [item for item in objects.path(SHA256).parent.iterdir() if ".damaged-" in item.name]
    assert aside.read_bytes() == b"changed"


def test_bytes_and_names_are_synced_before_it_is_acknowledged(
    objects: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order: bytes, then the name, then the directories that lead to it."""
    done: list[str] = []
    fsync, link = os.fsync, os.link

    def name_of(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        return "file" if path.name.startswith("incoming-") else path.name

    monkeypatch.setattr(os, "fsync", lambda file: (done.append(name_of(file)), fsync(file)))
    monkeypatch.setattr(os, "link", lambda *names: (done.append("name"), link(*names)))
    objects.put_bytes(CONTENT)
    assert done == ["file", "name", SHA256.hex()[:2], "objects"]
    # Another process may have given the name and not yet synced it: an object that is there is synced too.
    done.clear()
    objects.put_bytes(CONTENT)
    assert done == ["file", "name", SHA256.hex()[:2], "objects"]


class Disk(io.FileIO):
    """A file on a disk with faults."""

    fault: Callable[[Any, Any], int | None] | None = None

    def write(self, data: Any) -> int | None:
        return super().write(data) if Disk.fault is None else Disk.fault(super().write, data)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> type[Disk]:
    original = Path.open

    def open_on_disk(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if mode != "xb":
            return original(path, mode, *rest, **named)
        return io.BufferedWriter(Disk(path, "xb"), buffer_size=512)

    monkeypatch.setattr(Path, "open", open_on_disk)
    monkeypatch.setattr(Disk, "fault", None)
    return Disk


def _error(number: int) -> Callable[..., Any]:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def _half_then(number: int) -> Callable[[Any, Any], int]:
    """Takes half of what it gets, and nothing more."""
    taken: list[int] = []

    def write(original: Any, data: Any) -> int:
        if taken:
            raise OSError(number, os.strerror(number))
        taken.append(original(bytes(data)[: len(data) // 2]))
        return taken[0]

    return write


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
@pytest.mark.parametrize("torn", [False, True], ids=["none written", "half written"])
def test_a_disk_that_takes_nothing_leaves_nothing(
    local: World,
    objects: LocalObjects,
    disk: type[Disk],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    torn: bool,
) -> None:
    failing = _half_then(number) if torn else _error(number)
    monkeypatch.setattr(disk, "fault", failing)
    with pytest.raises(StorageUnavailableError, match=os.strerror(number)):
        objects.put_bytes(CONTENT)
    assert local.everything() == []
    with pytest.raises(NotFoundError):
        objects.read(SHA256)
    monkeypatch.setattr(disk, "fault", None)
    assert objects.read(objects.put_bytes(CONTENT).sha256) == CONTENT


def test_short_writes_are_continued(
    objects: LocalObjects, disk: type[Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "fault", lambda write, data: write(bytes(data)[:100]))
    assert objects.read(objects.put_bytes(CONTENT).sha256) == CONTENT


@pytest.mark.parametrize("step", ["fsync", "fchmod", "link"])
def test_each_step_that_fails_leaves_nothing(
    local: World, objects: LocalObjects, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, step, _error(errno.EIO))
        with pytest.raises(StorageUnavailableError, match="Input/output error"):
            objects.put_bytes(CONTENT)
    assert local.everything() == []
    assert objects.put_bytes(CONTENT).sha256 == SHA256


def test_a_put_that_failed_but_landed_is_repeated(
    local: World, objects: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory could not be synced: the name is there, and was not acknowledged."""
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync_directory", _error(errno.EIO))
        with pytest.raises(StorageUnavailableError):
            objects.put_bytes(CONTENT)
    assert local.everything() == [SHA256.hex()[2:]]
    assert objects.put_bytes(CONTENT).sha256 == SHA256
    assert local.everything() == [SHA256.hex()[2:]]


def test_a_torn_file_is_found_out(objects: LocalObjects) -> None:
    """As after a loss of power on a disk that lies about what it has written."""
    objects.put_bytes(CONTENT)
    objects.path(SHA256).chmod(0o644)
    os.truncate(objects.path(SHA256), len(CONTENT) // 2)
    with pytest.raises(MismatchError):
        objects.check(SHA256)
    objects.put_bytes(CONTENT)
    assert objects.read(SHA256) == CONTENT


def test_a_disk_that_cannot_be_read_is_no_mismatch(
    objects: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.put_bytes(CONTENT)
    monkeypatch.setattr(Path, "open", _error(errno.EIO))
    with pytest.raises(StorageUnavailableError, match="cannot be read"):
        objects.read(SHA256)


def test_a_removal_that_fails_changes_nothing(objects: LocalObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.put_bytes(CONTENT)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", _error(errno.EROFS))
        with pytest.raises(StorageUnavailableError, match="Read-only"):
            objects.remove(SHA256)
    assert objects.read(SHA256) == CONTENT


def test_a_removal_that_failed_but_landed_is_repeated(
    objects: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.put_bytes(CONTENT)
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync_directory", _error(errno.EIO))
        with pytest.raises(StorageUnavailableError):
            objects.remove(SHA256)
    assert objects.remove(SHA256) is False


def test_what_a_killed_writer_left_is_swept_and_nothing_else(local: World, objects: LocalObjects) -> None:
    stored = objects.put_bytes(CONTENT)
    directory = objects.path(SHA256).parents[1]
    (directory / "incoming-left").write_bytes(b"half")
    with (directory / "incoming-written").open("xb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        local.reopen()
        assert sorted(local.everything()) == sorted([SHA256.hex()[2:], "incoming-written"])
    assert objects.check(stored.sha256) == stored


def test_a_store_that_is_opened_while_another_writes_leaves_its_file_alone(
    local: World, objects: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = files.sync
    monkeypatch.setattr(files, "sync", lambda writer: (local.reopen(), sync(writer)))
    assert objects.read(objects.put_bytes(CONTENT).sha256) == CONTENT


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailableError, match="cannot be opened"):
        LocalObjects(tmp_path / "file" / "objects")
    objects = LocalObjects(tmp_path / "objects")
    monkeypatch.setattr(module.files, "sync", _error(errno.EROFS))
    with pytest.raises(StorageUnavailableError, match="cannot be written: Read-only"):
        objects.inspect()
