"""Trees as files: every path as the tree cuts it, and no answer from a file that is not whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence_service.core import merkle
from evidence_service.errors import MalformedError, MismatchError, StorageUnavailableError
from evidence_service.store.trees import TreeFiles

SIZES = (1, 2, 3, 5, 8, 13, 100)


def tree_of(size: int) -> merkle.MerkleTree:
    return merkle.MerkleTree([merkle.leaf_hash(b"entry %d" % number) for number in range(size)])


@pytest.fixture
def trees(tmp_path: Path) -> TreeFiles:
    return TreeFiles(tmp_path / "trees")


@pytest.mark.parametrize("size", SIZES)
def test_a_file_gives_the_paths_of_its_tree(trees: TreeFiles, tmp_path: Path, size: int) -> None:
    tree = tree_of(size)
    trees.put("one", tree)
    trees.put("one", tree)
    for index in range(size):
        assert trees.path("one", size=size, index=index) == tree.path(index)
    assert [path for chunk in trees.paths("one", size=size) for path in chunk] == [
        b"".join(tree.path(index)) for index in range(size)
    ]
    trees.check("one", size=size, root=tree.root)
    stored = tmp_path / "trees" / "one"
    assert stored.read_bytes() == b"".join(tree.levels)
    assert stored.stat().st_mode & 0o777 == 0o444
    assert list(stored.parent.iterdir()) == [stored]


def test_a_path_is_cut_only_for_leaves_of_the_tree(trees: TreeFiles) -> None:
    trees.put("one", tree_of(3))
    for index in (-1, 3):
        with pytest.raises(MalformedError, match="outside the tree of 3"):
            trees.path("one", size=3, index=index)


def missing(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size - 1)


def longer(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + bytes(32))


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [missing, cut, longer, a_directory])
def test_a_file_that_is_not_whole_is_named_and_says_what_to_do(
    trees: TreeFiles, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    trees.put("one", tree_of(5))
    damage(tmp_path / "trees" / "one")
    with pytest.raises(MismatchError, match="tree file one") as caught:
        trees.path("one", size=5, index=0)
    assert "made again" in caught.value.what_to_do
    with pytest.raises(MismatchError):
        list(trees.paths("one", size=5))


@pytest.mark.parametrize("size", [*SIZES, 2**12 + 3, 2**13 + 1])
def test_any_flipped_bit_of_a_file_is_found(trees: TreeFiles, tmp_path: Path, size: int) -> None:
    tree = tree_of(size)
    trees.put("one", tree)
    trees.check("one", size=size, root=tree.root)
    stored = tmp_path / "trees" / "one"
    whole = stored.read_bytes()
    stored.chmod(0o600)
    for position in {0, 31, len(whole) // 2, len(whole) - 33, len(whole) - 1} & set(range(len(whole))):
        stored.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(MismatchError, match="stored tree"):
            trees.check("one", size=size, root=tree.root)
    stored.write_bytes(whole)
    with pytest.raises(MismatchError, match="another root"):
        trees.check("one", size=size, root=bytes(32))


def test_a_damaged_file_is_repaired_by_storing_the_tree_again(trees: TreeFiles, tmp_path: Path) -> None:
    trees.put("one", tree_of(5))
    cut(tmp_path / "trees" / "one")
    trees.put("one", tree_of(5))
    assert trees.path("one", size=5, index=4) == tree_of(5).path(4)


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_write_that_fails_leaves_nothing_behind(
    trees: TreeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageUnavailableError, match="No space") as caught:
        trees.put("one", tree_of(5))
    assert "make room" in caught.value.what_to_do
    monkeypatch.undo()
    assert list((tmp_path / "trees").iterdir()) == []
    with pytest.raises(MismatchError):
        trees.path("one", size=5, index=0)


def test_a_tree_over_another_hash_is_stored_alike(trees: TreeFiles) -> None:
    leaves = [merkle.leaf_hash(b"%d" % number, hashlib.sha3_256) for number in range(6)]
    tree = merkle.MerkleTree(leaves, hashlib.sha3_256)
    trees.put("renewal", tree)
    for index, leaf in enumerate(leaves):
        path = trees.path("renewal", size=6, index=index)
        merkle.verify_inclusion(
            leaf, index=index, size=6, path=path, root=tree.root, algorithm=hashlib.sha3_256
        )
        with pytest.raises(MismatchError):
            merkle.verify_inclusion(leaf, index=index, size=6, path=path, root=tree.root)
