"""What every object store promises (``Objects`` in service/ports.py), on each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError, NotFoundError
from tests.ports.conftest import PART, World

NEVER_STORED = digest_of(b"never stored").sha256


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, (1 << 20) + 1])
def test_what_was_put_is_read(world: World, tmp_path: Path, size: int) -> None:
    data = bytes(index % 251 for index in range(min(size, 4096))) * (size // 4096 + 1)
    source = tmp_path / "source"
    source.write_bytes(data[:size])
    stored = world.objects.put(source)
    assert stored == digest_of(data[:size])
    assert world.objects.read(stored.sha256) == data[:size]
    assert world.objects.check(stored.sha256) == stored
    with world.objects.open(stored.sha256) as path:
        assert path.read_bytes() == data[:size]


def test_another_process_reads_it(world: World) -> None:
    stored = world.objects.put_bytes(b"content")
    assert world.reopen().read(stored.sha256) == b"content"


def test_putting_again_changes_nothing(world: World, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    stored = world.objects.put_bytes(b"content")
    kept = world.everything()
    assert world.objects.put(source) == world.objects.put_bytes(b"content") == stored
    assert world.everything() == kept


@pytest.mark.parametrize("method", ["read", "check", "protection"])
def test_what_was_never_stored_is_not_found(world: World, method: str) -> None:
    with pytest.raises(NotFoundError, match=NEVER_STORED.hex()):
        getattr(world.objects, method)(NEVER_STORED)


def test_nothing_of_what_was_never_stored(world: World) -> None:
    with pytest.raises(NotFoundError), world.objects.open(NEVER_STORED):
        pytest.fail("it was opened")
    assert world.objects.remove(NEVER_STORED) is False


@pytest.mark.parametrize("method", ["read", "check"])
def test_changed_content_is_an_error_and_never_an_answer(world: World, method: str) -> None:
    stored = world.objects.put_bytes(b"content")
    world.damage(stored.sha256)
    with pytest.raises(MismatchError, match="was changed"):
        getattr(world.objects, method)(stored.sha256)
    with pytest.raises(MismatchError), world.objects.open(stored.sha256):
        pytest.fail("it was opened")


def test_putting_again_heals_and_keeps_what_was_damaged(world: World) -> None:
    stored = world.objects.put_bytes(b"content")
    before = world.everything()
    world.damage(stored.sha256)
    assert world.objects.put_bytes(b"content") == stored
    assert world.objects.read(stored.sha256) == b"content"
    assert len(world.everything()) == len(before) + 1


def test_the_store_describes_itself_and_leaves_nothing(world: World) -> None:
    assert "writable" in world.objects.inspect()
    assert world.everything() == []


def test_what_nothing_keeps_is_removed_for_good(world: World) -> None:
    objects = world.unlocked()
    stored = objects.put_bytes(b"content")
    objects.put_bytes(b"other")
    assert objects.remove(stored.sha256) is True
    assert objects.remove(stored.sha256) is False
    assert len(world.everything()) == 1
    with pytest.raises(NotFoundError):
        objects.read(stored.sha256)
    assert objects.put_bytes(b"content") == stored
