"""The RFC 9162 tree against a naive recursion, the vectors, and flipped bits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.core import merkle
from evidence_service.errors import MalformedError, MismatchError

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "inclusion.json").read_text())["cases"]

leaf_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def naive_root(leaves: list[bytes]) -> bytes:
    """Definition of RFC 9162 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


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


@given(leaf_lists)
def test_root_equals_the_naive_recursion(leaves: list[bytes]) -> None:
    assert merkle.MerkleTree(leaves).root == naive_root(leaves)


@given(leaf_lists, st.data())
def test_every_leaf_proves_and_any_flipped_bit_fails(leaves: list[bytes], data: st.DataObject) -> None:
    tree = merkle.MerkleTree(leaves)
    index = data.draw(st.integers(0, tree.size - 1))
    path = list(tree.path(index))
    merkle.verify_inclusion(leaves[index], index=index, size=tree.size, path=path, root=tree.root)

    parts = [leaves[index], *path, tree.root]
    part = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = bytearray(parts[part])
    flipped[bit // 8] ^= 1 << bit % 8
    parts[part] = bytes(flipped)
    with pytest.raises(MismatchError):
        merkle.verify_inclusion(parts[0], index=index, size=tree.size, path=parts[1:-1], root=parts[-1])


def test_a_tree_without_leaves_is_refused() -> None:
    with pytest.raises(MalformedError):
        merkle.MerkleTree([])


def test_a_path_is_cut_only_for_leaves_of_the_tree() -> None:
    tree = merkle.MerkleTree([b"\x00" * 32])
    with pytest.raises(MalformedError):
        tree.path(1)


def test_hashes_of_another_size_are_refused() -> None:
    with pytest.raises(MismatchError, match="32 bytes"):
        merkle.root_from_path(b"short", index=0, size=1, path=[])
