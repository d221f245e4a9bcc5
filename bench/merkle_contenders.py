"""One Merkle tree implementation in a process of its own: ``python merkle_contenders.py NAME ENTRIES TIMES``.

Prints one JSON object: seconds of the build (entries to root), of making all proofs as the library returns
them, and of turning those into bytes that can be stored or sent; the best of so many times each. Entries come
and proofs go in portions, so that no contender has to hold a million of either.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

ENTRY_SIZE = 136
_ENTRIES, _PROOFS = 10_000, 100
"""Entries and proofs of a portion."""


class Ours:
    """``evidence_service.core.merkle``; its proofs are bytes already."""

    as_bytes = None

    def __init__(self) -> None:
        from evidence_service.core import merkle

        self._merkle = merkle
        self._leaves: list[bytes] = []

    def add(self, entries: list[bytes]) -> None:
        self._leaves += self._merkle.leaf_hashes(entries)

    def finish(self) -> None:
        self._tree = self._merkle.MerkleTree(self._leaves)
        self._leaves.clear()

    def proofs(self) -> Iterator[list[bytes]]:
        return self._tree.paths()


class Loop:
    """Not a tree: as many calls of hashlib as a tree needs, over messages of the same sizes."""

    as_bytes = None

    def __init__(self) -> None:
        self._count = 0

    def add(self, entries: list[bytes]) -> None:
        sha256, message = hashlib.sha256, bytes(1 + ENTRY_SIZE)
        for _ in entries:
            sha256(message).digest()
        self._count += len(entries)

    def finish(self) -> None:
        sha256, message = hashlib.sha256, bytes(65)
        for _ in range(self._count - 1):
            sha256(message).digest()

    def proofs(self) -> Iterator[list[bytes]]:
        return iter([])


class Pymerkle:
    """pymerkle's tree in memory, with its defaults (the prefixes of RFC 9162)."""

    def __init__(self) -> None:
        from pymerkle import InmemoryTree

        self._tree = InmemoryTree(algorithm="sha256")

    def add(self, entries: list[bytes]) -> None:
        self._tree.append_entries(entries)

    def finish(self) -> None:
        self._tree.get_root()

    def proofs(self) -> Iterator[list[Any]]:
        for first in range(1, self._tree.get_size() + 1, _PROOFS):
            last = min(first + _PROOFS, self._tree.get_size() + 1)
            yield [self._tree.prove_inclusion(index) for index in range(first, last)]

    @staticmethod
    def as_bytes(proof: Any) -> bytes:
        return json.dumps(proof.serialize()).encode()


class Merkletools:
    """merkletools; it takes hashes of entries as hexadecimal text."""

    def __init__(self) -> None:
        from merkletools import MerkleTools

        self._tree = MerkleTools(hash_type="sha256")

    def add(self, entries: list[bytes]) -> None:
        self._tree.add_leaf([hashlib.sha256(b"\x00" + entry).hexdigest() for entry in entries])

    def finish(self) -> None:
        self._tree.make_tree()

    def proofs(self) -> Iterator[list[Any]]:
        count = self._tree.get_leaf_count()
        for first in range(0, count, _PROOFS):
            yield [self._tree.get_proof(index) for index in range(first, min(first + _PROOFS, count))]

    @staticmethod
    def as_bytes(proof: Any) -> bytes:
        return json.dumps(proof).encode()


class Opentimestamps:
    """python-opentimestamps: the tree alone, without writing a single proof."""

    as_bytes = None

    def __init__(self) -> None:
        from opentimestamps.core.timestamp import Timestamp, make_merkle_tree

        self._timestamp, self._make = Timestamp, make_merkle_tree
        self._stamps: list[object] = []

    def add(self, entries: list[bytes]) -> None:
        self._stamps += [self._timestamp(hashlib.sha256(b"\x00" + entry).digest()) for entry in entries]

    def finish(self) -> None:
        self._make(self._stamps)

    def proofs(self) -> Iterator[list[bytes]]:
        return iter([])


CONTENDERS: dict[str, Any] = {
    "ours": Ours,
    "loop": Loop,
    "pymerkle": Pymerkle,
    "merkletools": Merkletools,
    "opentimestamps": Opentimestamps,
}


def portions(count: int) -> Iterator[list[bytes]]:
    """Distinct entries of 136 bytes."""
    stem = b"EVENTRY\x01" + bytes(ENTRY_SIZE - 16)
    for first in range(0, count, _ENTRIES):
        yield [stem + number.to_bytes(8) for number in range(first, min(first + _ENTRIES, count))]


def measure(name: str, count: int) -> dict[str, float]:
    """Seconds of one contender, once."""
    clock = time.perf_counter
    contender = CONTENDERS[name]()
    build = 0.0
    for entries in portions(count):
        started = clock()
        contender.add(entries)
        build += clock() - started
    started = clock()
    contender.finish()
    build += clock() - started
    proofs = as_bytes = 0.0
    source, started = contender.proofs(), clock()
    for portion in source:
        made = clock()
        proofs += made - started
        if contender.as_bytes is not None:
            for proof in portion:
                contender.as_bytes(proof)
        started = clock()
        as_bytes += started - made
    return {"build": build, "proofs": proofs, "bytes": as_bytes}


def main(name: str, count: int, times: int) -> None:
    """Measure one contender; the best of some times."""
    best = min((measure(name, count) for _ in range(times)), key=lambda taken: sum(taken.values()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**best, "peak_mb": peak}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
