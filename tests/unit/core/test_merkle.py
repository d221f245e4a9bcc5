"""The RFC 9162 tree against a naive recursion, the vectors, and flipped bits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.core import merkle
from evidence_service.errors import MalformedError, MismatchError

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "inclusion.json").read_text())["cases"]

leaf_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


algorithms = st.sampled_from([hashlib.sha256, hashlib.sha3_256])


def split(leaves: list[bytes]) -> int:
    """Largest power of two below the number of leaves."""
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return k


def naive_root(leaves: list[bytes], algorithm: merkle.Algorithm = hashlib.sha256) -> bytes:
    """Definition of RFC 9162 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(leaves)
    halves = naive_root(leaves[:k], algorithm) + naive_root(leaves[k:], algorithm)
    return algorithm(b"\x01" + halves).digest()


def naive_path(index: int, leaves: list[bytes], algorithm: merkle.Algorithm) -> list[bytes]:
    """Definition of RFC 9162 section 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split(leaves)
    if index < k:
        return [*naive_path(index, leaves[:k], algorithm), naive_root(leaves[k:], algorithm)]
    return [*naive_path(index - k, leaves[k:], algorithm), naive_root(leaves[:k], algorithm)]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vector(case: dict[str, object]) -> None:
    def verify() -> None:
        merkle.verify_inclusion(
            bytes.fromhex(str(case["leaf_hash"])),
            index=int(str(case["index"])),
            size=int(str(case["size"])),
            path=[bytes.fromhex(node) for node in case["path"]],  # type: ignore[attr-defined]
            root=bytes.fromhex(str(case["root"])),
        )

    if case["valid"]:
        verify()
    else:
        with pytest.raises(MismatchError):
            verify()


@given(leaf_lists, algorithms)
def test_root_and_paths_equal_the_naive_recursion(leaves: list[bytes], algorithm: merkle.Algorithm) -> None:
    tree = merkle.MerkleTree(leaves, algorithm)
    assert tree.root == naive_root(leaves, algorithm)
    assert [len(level) // 32 for level in tree.levels] == list(merkle.widths(tree.size))
    paths = [naive_path(index, leaves, algorithm) for index in range(len(leaves))]
    assert [list(tree.path(index)) for index in range(len(leaves))] == paths
    assert [path for chunk in tree.paths() for path in chunk] == [b"".join(path) for path in paths]


@pytest.mark.parametrize("size", [2**10 - 1, 2**10, 2**10 + 1, 2**11 + 1, 3 * 2**10 + 5])
def test_paths_in_several_chunks_equal_single_ones(size: int) -> None:
    tree = merkle.MerkleTree([merkle.leaf_hash(b"%d" % number) for number in range(size)])
    chunks = list(tree.paths())
    assert [len(chunk) for chunk in chunks[:-1]] == [2**10] * (len(chunks) - 1)
    assert [path for chunk in chunks for path in chunk] == [b"".join(tree.path(i)) for i in range(size)]


@given(leaf_lists, algorithms, st.data())
def test_every_leaf_proves_and_any_flipped_bit_fails(
    leaves: list[bytes], algorithm: merkle.Algorithm, data: st.DataObject
) -> None:
    tree = merkle.MerkleTree(leaves, algorithm)
    index = data.draw(st.integers(0, tree.size - 1))
    path = list(tree.path(index))
    proof: dict[str, Any] = {"index": index, "size": tree.size, "algorithm": algorithm}
    merkle.verify_inclusion(leaves[index], path=path, root=tree.root, **proof)

    parts = [leaves[index], *path, tree.root]
    part = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = bytearray(parts[part])
    flipped[bit // 8] ^= 1 << bit % 8
    parts[part] = bytes(flipped)
    with pytest.raises(MismatchError):
        merkle.verify_inclusion(parts[0], path=parts[1:-1], root=parts[-1], **proof)


@given(leaf_lists, algorithms, st.data())
def test_stored_levels_are_checked_to_the_last_bit(
    leaves: list[bytes], algorithm: merkle.Algorithm, data: st.DataObject
) -> None:
    tree = merkle.MerkleTree(leaves, algorithm)
    levels = list(tree.levels)

    def nodes(level: int, first: int, count: int) -> bytes:
        return levels[level][32 * first : 32 * (first + count)]

    merkle.check_levels(nodes, size=tree.size, root=tree.root, algorithm=algorithm)
    level = data.draw(st.integers(0, len(levels) - 1))
    bit = data.draw(st.integers(0, 8 * len(levels[level]) - 1))
    changed = bytearray(levels[level])
    changed[bit // 8] ^= 1 << bit % 8
    levels[level] = bytes(changed)
    with pytest.raises(MismatchError, match="stored tree"):
        merkle.check_levels(nodes, size=tree.size, root=tree.root, algorithm=algorithm)


def test_a_tree_without_leaves_or_over_other_hashes_is_refused() -> None:
    with pytest.raises(MalformedError, match="at least one leaf"):
        merkle.MerkleTree([])
    with pytest.raises(MalformedError, match="32 bytes"):
        merkle.MerkleTree([bytes(31), bytes(33)])


def test_a_path_is_cut_only_for_leaves_of_the_tree() -> None:
    tree = merkle.MerkleTree([b"\x00" * 32])
    with pytest.raises(MalformedError):
        tree.path(1)


def test_hashes_of_another_size_are_refused() -> None:
    with pytest.raises(MismatchError, match="32 bytes"):
        merkle.root_from_path(b"short", index=0, size=1, path=[])


@pytest.mark.parametrize("algorithm", [hashlib.sha256, hashlib.sha3_256])
def test_hashing_many_leaves_is_hashing_each(algorithm: merkle.Algorithm) -> None:
    entries = [bytes([number]) * number for number in range(20)]
    assert merkle.leaf_hashes(entries, algorithm) == [merkle.leaf_hash(item, algorithm) for item in entries]
