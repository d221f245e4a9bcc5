"""The Merkle tree of RFC 9162 section 2.1 over SHA-256: ordered, indexed, domain-separated.

Leaf hash ``SHA-256(0x00 ‖ entry)``, node ``SHA-256(0x01 ‖ left ‖ right)``. A node without a sibling moves up
unchanged; nothing is duplicated. The tree is kept as a list of levels, leaves first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from evidence_service.errors import MalformedError, MismatchError

HASH_SIZE = 32
MAX_SIZE = 2**32
"""Most leaves of one tree; an inclusion path then has at most 32 hashes."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry as a leaf (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """Immutable tree over leaf hashes.

    Args:
        leaves: 32-byte leaf hashes in batch order, at least one.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves:
            raise MalformedError("a tree needs at least one leaf")
        sha256 = hashlib.sha256
        level = list(leaves)
        self._levels = [level]
        while len(level) > 1:
            parents = [
                sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)
            ]
            if len(level) % 2:
                parents.append(level[-1])
            level = parents
            self._levels.append(level)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        """Root hash, 32 bytes."""
        return self._levels[-1][0]

    def path(self, index: int) -> tuple[bytes, ...]:
        """Inclusion path of a leaf, from the leaf's sibling upwards (RFC 9162 section 2.1.3.1)."""
        if not 0 <= index < self.size:
            raise MalformedError(f"leaf index {index} is outside the tree of {self.size} leaves")
        path = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return tuple(path)


def root_from_path(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Root that a leaf and its path lead to (the computation of RFC 9162 section 2.1.3.2).

    Raises:
        MismatchError: index, size and length of the path contradict one another.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise MismatchError(f"leaf index {index} is outside a tree of {size} leaves")
    if len(leaf) != HASH_SIZE or any(len(node) != HASH_SIZE for node in path):
        raise MismatchError("every hash of an inclusion proof has 32 bytes")
    position, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise MismatchError("the inclusion path is longer than the tree is high")
        if position % 2 or position == last:
            result = node_hash(sibling, result)
            while position % 2 == 0 and position:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise MismatchError("the inclusion path is shorter than the tree is high")
    return result


def verify_inclusion(leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is at ``index`` of the tree of ``size`` leaves with this root.

    Raises:
        MismatchError: it is not, or the proof is contradictory.
    """
    if root_from_path(leaf, index=index, size=size, path=path) != root:
        raise MismatchError("the inclusion path does not lead from this entry to the batch's root")
