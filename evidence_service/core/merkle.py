"""The Merkle tree of RFC 9162 section 2.1: ordered, indexed, domain-separated.

Leaf hash ``H(0x00 ‖ entry)``, node ``H(0x01 ‖ left ‖ right)``. A node without a sibling moves up unchanged;
nothing is duplicated. ``H`` is SHA-256 unless a caller names another algorithm with digests of 32 bytes, as
hash-tree renewal does (RFC 4998 section 5.3).

The tree is kept as its levels, leaves first, each one the hashes of its nodes joined. Inclusion paths are cut
from levels by the same functions whether these are in memory or in a file: what they need is a ``Nodes``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import add
from typing import Protocol

from evidence_service.errors import MalformedError, MismatchError

HASH_SIZE = 32
MAX_SIZE = 2**32
"""Most leaves of one tree; an inclusion path then has at most 32 hashes."""

_CHUNK_HEIGHT = 12
"""Paths are emitted for subtrees of this height: 4,096 leaves, a few megabytes, at a time."""


class Hash(Protocol):
    """What a hash constructor of hashlib returns."""

    def digest(self) -> bytes:
        """The hash of what was given."""


Algorithm = Callable[[bytes], Hash]
"""A constructor of hashlib whose digests have 32 bytes."""

Nodes = Callable[[int, int, int], bytes]
"""Joined hashes of ``count`` nodes of ``level`` from ``first`` on: ``nodes(level, first, count)``."""


def leaf_hash(entry: bytes, algorithm: Algorithm = hashlib.sha256) -> bytes:
    """Hash of one entry as a leaf (RFC 9162 section 2.1.1)."""
    return algorithm(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes], algorithm: Algorithm = hashlib.sha256) -> list[bytes]:
    """Hash of each entry as a leaf; faster than one by one."""
    return [algorithm(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes, algorithm: Algorithm = hashlib.sha256) -> bytes:
    """Hash of an inner node (RFC 9162 section 2.1.1)."""
    return algorithm(b"\x01" + left + right).digest()


class MerkleTree:
    """Immutable tree over leaf hashes.

    Args:
        leaves: 32-byte leaf hashes in batch order, at least one.
        algorithm: hashes the inner nodes.
    """

    def __init__(self, leaves: Sequence[bytes], algorithm: Algorithm = hashlib.sha256) -> None:
        if not leaves:
            raise MalformedError("a tree needs at least one leaf")
        if set(map(len, leaves)) != {HASH_SIZE}:
            raise MalformedError(f"every leaf hash has {HASH_SIZE} bytes")
        self.size = len(leaves)
        level = leaves
        levels = [b"".join(level)]
        while len(level) > 1:
            level = _parents(level, algorithm)
            levels.append(b"".join(level))
        self.levels = tuple(levels)
        """Joined hashes of each level, leaves first; the last is the root."""

    @property
    def root(self) -> bytes:
        """Root hash, 32 bytes."""
        return self.levels[-1]

    def path(self, index: int) -> tuple[bytes, ...]:
        """Inclusion path of a leaf, from the leaf's sibling upwards (RFC 9162 section 2.1.3.1)."""
        return path(self._nodes, size=self.size, index=index)

    def paths(self) -> Iterator[list[bytes]]:
        """Every leaf's path, joined to one ``bytes``, in order, some thousand at a time."""
        return paths(self._nodes, size=self.size)

    def _nodes(self, level: int, first: int, count: int) -> bytes:
        return self.levels[level][HASH_SIZE * first : HASH_SIZE * (first + count)]


def widths(size: int) -> tuple[int, ...]:
    """Number of nodes of each level of a tree of so many leaves, leaves first, down to the one root."""
    result = [size]
    while result[-1] > 1:
        result.append((result[-1] + 1) // 2)
    return tuple(result)


def path(nodes: Nodes, *, size: int, index: int) -> tuple[bytes, ...]:
    """Inclusion path of a leaf, cut from stored levels; reads one node of each level at most.

    Raises:
        MalformedError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise MalformedError(f"leaf index {index} is outside the tree of {size} leaves")
    return tuple(_path_of_node(nodes, widths(size), 0, index))


def paths(nodes: Nodes, *, size: int) -> Iterator[list[bytes]]:
    """Every leaf's inclusion path, cut from stored levels, a subtree at a time.

    Within a subtree paths are made from the top: that of a node is its sibling and then its parent's path.
    """
    width = widths(size)
    top = min(_CHUNK_HEIGHT, len(width) - 1)
    for subtree in range(width[top]):
        chunk = [b"".join(_path_of_node(nodes, width, top, subtree))]
        for level in reversed(range(top)):
            first = subtree << (top - level)
            count = min(1 << (top - level), width[level] - first)
            chunk = _one_level_down(chunk, nodes(level, first, count))
        yield chunk


def check_levels(nodes: Nodes, *, size: int, root: bytes, algorithm: Algorithm = hashlib.sha256) -> None:
    """Hash every inner node of stored levels again, some thousand at a time.

    Raises:
        MismatchError: a node is not the hash of the two below it, or the last one is not this root.
    """
    width = widths(size)
    step = 1 << _CHUNK_HEIGHT
    for level in range(len(width) - 1):
        for first in range(0, width[level + 1], step):
            count = min(step, width[level + 1] - first)
            below = nodes(level, 2 * first, min(2 * count, width[level] - 2 * first))
            if _parents(_split(below), algorithm) != _split(nodes(level + 1, first, count)):
                raise MismatchError(f"level {level + 1} of the stored tree is not made of the level below it")
    if nodes(len(width) - 1, 0, 1) != root:
        raise MismatchError("the stored tree has another root than the batch")


def _parents(level: Sequence[bytes], algorithm: Algorithm) -> list[bytes]:
    # Nothing but hashlib's own work for each node: make bench-merkle holds this to a bare loop.
    pairs = iter(level)
    parents = [algorithm(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
    if len(level) % 2:
        parents.append(level[-1])
    return parents


def _split(joined: bytes) -> list[bytes]:
    return [joined[start : start + HASH_SIZE] for start in range(0, len(joined), HASH_SIZE)]


def _path_of_node(nodes: Nodes, width: Sequence[int], level: int, index: int) -> Iterator[bytes]:
    for above in range(level, len(width) - 1):
        sibling = index ^ 1
        if sibling < width[above]:
            yield nodes(above, sibling, 1)
        index >>= 1


def _one_level_down(parents: list[bytes], joined: bytes) -> list[bytes]:
    hashes = _split(joined)
    pairs = len(hashes) // 2
    children = [b""] * (2 * pairs)
    children[0::2] = map(add, hashes[1::2], parents)
    children[1::2] = map(add, hashes[0 : 2 * pairs : 2], parents)
    # A last node without a sibling moved up unchanged: its path is the one it has there.
    return children + parents[pairs:]


def root_from_path(
    leaf: bytes, *, index: int, size: int, path: Sequence[bytes], algorithm: Algorithm = hashlib.sha256
) -> bytes:
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
            result = node_hash(sibling, result, algorithm)
            while position % 2 == 0 and position:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling, algorithm)
        position >>= 1
        last >>= 1
    if last != 0:
        raise MismatchError("the inclusion path is shorter than the tree is high")
    return result


def verify_inclusion(
    leaf: bytes,
    *,
    index: int,
    size: int,
    path: Sequence[bytes],
    root: bytes,
    algorithm: Algorithm = hashlib.sha256,
) -> None:
    """Check that a leaf is at ``index`` of the tree of ``size`` leaves with this root.

    Raises:
        MismatchError: it is not, or the proof is contradictory.
    """
    if root_from_path(leaf, index=index, size=size, path=path, algorithm=algorithm) != root:
        raise MismatchError("the inclusion path does not lead from this entry to the batch's root")
