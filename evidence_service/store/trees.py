"""Merkle trees as files: all levels of a tree one after the other, leaves first, 32 bytes a node.

There is no header: the number of leaves, which the record keeps, says where each level begins. 64 bytes an
entry hold every inclusion path, and one is read with at most 32 reads of 32 bytes.

Durability: when ``put`` returns, the file is complete and on disk; a crash in between leaves none.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from evidence_service.core import merkle
from evidence_service.errors import MismatchError, StorageUnavailableError
from evidence_service.store import files


class TreeFiles:
    """Trees in a local directory, one immutable file each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, name: str, tree: merkle.MerkleTree) -> None:
        """Store a tree; storing it again changes nothing, or repairs a damaged file.

        Raises:
            StorageUnavailableError: the disk does not take it; nothing is left behind.
        """
        temporary = self._directory / f"incoming-{secrets.token_hex(8)}"
        try:
            if not self._directory.is_dir():
                self._directory.mkdir(parents=True, exist_ok=True)
                files.sync_directory(self._directory.parent)
            with temporary.open("xb") as writer:
                writer.writelines(tree.levels)
                files.commit(writer, temporary, self._directory / name)
        except OSError as error:
            # A full disk must not be filled further by every attempt.
            temporary.unlink(missing_ok=True)
            raise StorageUnavailableError(
                f"the tree file {name} cannot be written: {error.strerror}",
                what_to_do=f"make room in {self._directory} and let the service write there",
            ) from error

    def has(self, name: str) -> bool:
        """Whether there is a file of this tree; not whether it holds."""
        return (self._directory / name).exists()

    def path(self, name: str, *, size: int, index: int) -> tuple[bytes, ...]:
        """Inclusion path of a leaf, from its sibling upwards.

        Args:
            size: number of leaves of the tree.

        Raises:
            MismatchError: the file is missing, unreadable or of another size.
            MalformedError: the tree has no such leaf.
        """
        with self._opened(name, size) as nodes:
            return merkle.path(nodes, size=size, index=index)

    def paths(self, name: str, *, size: int) -> Iterator[list[bytes]]:
        """Every leaf's path, joined, in order, a thousand at a time; errors as those of ``path``."""
        with self._opened(name, size) as nodes:
            yield from merkle.paths(nodes, size=size)

    def check(self, name: str, *, size: int, root: bytes) -> None:
        """Hash the whole file again, from the leaves to a root; a thousand nodes at a time.

        Raises:
            MismatchError: the file is missing, unreadable, of another size, or does not lead to this root.
        """
        with self._opened(name, size) as nodes:
            merkle.check_levels(nodes, size=size, root=root)

    @contextmanager
    def _opened(self, name: str, size: int) -> Iterator[merkle.Nodes]:
        widths = merkle.widths(size)
        starts = list(accumulate(widths, initial=0))
        try:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _damaged(name, f"cannot be read: {error.strerror}") from error

        def nodes(level: int, first: int, count: int) -> bytes:
            wanted = merkle.HASH_SIZE * count
            try:
                found = os.pread(descriptor, wanted, merkle.HASH_SIZE * (starts[level] + first))
            except OSError as error:
                raise _damaged(name, f"cannot be read: {error.strerror}") from error
            if len(found) != wanted:
                raise _damaged(name, "ended while it was read")
            return found

        try:
            have, want = os.fstat(descriptor).st_size, merkle.HASH_SIZE * starts[-1]
            if have != want:
                raise _damaged(name, f"has {have} bytes; a tree of {size} leaves has {want}")
            yield nodes
        finally:
            os.close(descriptor)


def _damaged(name: str, what: str) -> MismatchError:
    return MismatchError(
        f"the tree file {name} {what}",
        what_to_do="it is made again from the stored manifests and salts; if this stays, restore the file",
    )
