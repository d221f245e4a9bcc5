"""Batches: closed once, anchored, and asked for proofs of what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Engine, func, select, text

from evidence_service.core import batch, merkle
from evidence_service.core.digest import digest_of
from evidence_service.errors import (
    EvidenceServiceError,
    MismatchError,
    NotFoundError,
    StorageUnavailableError,
)
from evidence_service.store import closing, schema
from evidence_service.store.anchoring import Anchoring
from evidence_service.store.tenancy import API_ROLE
from evidence_service.store.trees import TreeFiles

_log = structlog.get_logger(__name__)


_FIELDS = [column for column in schema.batches.c if column.name not in ("waiting", "late")]


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed batch.

    Attributes:
        status: closed → anchored.
        header: canonical bytes; commitment: 32 bytes.
        waiting_for: the words of everybody who waits, in one.
    """

    id: str
    sequence: int
    status: str
    header: bytes
    commitment: bytes
    size: int
    closed_at: datetime
    waiting_for: str | None


class Batches(Anchoring):
    """Batches in PostgreSQL, their anchoring included."""

    def __init__(self, engine: Engine, trees: TreeFiles) -> None:
        super().__init__(engine)
        self._trees = trees

    def close_due(self, due: closing.Due, *, now: datetime) -> Batch | None:
        """Close a batch when it is due by age, by size, by a promise or by somebody's wish; None otherwise.

        Raises:
            StorageUnavailableError: the tree's file cannot be written; the entries go on waiting.
        """
        with self._engine.begin() as connection:
            closed = closing.close(connection, self._trees, due, now)
        return None if closed is None else self.batch(closed)

    def batch(self, batch_id: str) -> Batch:
        """A batch.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(*_FIELDS).where(schema.batches.c.id == batch_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        return Batch(**row._mapping)

    def unanchored(self) -> list[Batch]:
        """Closed batches whose anchoring is not finished, in their sequence."""
        query = select(*_FIELDS).where(text(schema.UNANCHORED)).order_by(schema.batches.c.sequence)
        with self._engine.connect() as connection:
            return [Batch(**row._mapping) for row in connection.execute(query)]

    def members(self, batch_id: str) -> list[str]:
        """Evidence ids in leaf order."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(schema.evidence.c.id)
                .where(schema.evidence.c.batch_id == batch_id)
                .order_by(schema.evidence.c.leaf_index)
            )
            return [row.id for row in rows]

    def list_batches(self, *, after: int = 0, limit: int = 100) -> list[Batch]:
        """Batches in their sequence, from just after one of them."""
        table = schema.batches
        query = select(*_FIELDS).where(table.c.sequence > after).order_by(table.c.sequence).limit(limit)
        with self._engine.connect() as connection:
            return [Batch(**row._mapping) for row in connection.execute(query)]

    # --- proofs of inclusion ---

    def path(self, batch_id: str, index: int) -> tuple[bytes, ...]:
        """Inclusion path of an entry, cut from the batch's tree file and checked against its header.

        A file that is missing or does not hold is made again from the stored manifests and salts.

        Raises:
            NotFoundError: no such batch, or it has no such entry.
            MismatchError: the stored manifests no longer give the batch's root.
        """
        return self.path_of(self.batch(batch_id), index, self._leaf(batch_id, index))

    def path_of(self, found: Batch, index: int, leaf: bytes) -> tuple[bytes, ...]:
        """The same where the batch and the leaf's hash are at hand."""
        try:
            return self._checked_path(found, index, leaf)
        except MismatchError as error:
            self._make_tree_again(found, error)
        return self._checked_path(found, index, leaf)

    def paths(self, batch_id: str) -> Iterator[tuple[bytes, int, bytes]]:
        """SHA-256 (of the manifest), index and joined path of every entry that may be seen, in order.

        The tree's file is checked as a whole before this returns; errors as those of ``path``.
        """
        found = self.batch(batch_id)
        try:
            self.check_tree(found)
        except MismatchError as error:
            self._make_tree_again(found, error)
        return self._paths(found)

    def _paths(self, found: Batch) -> Iterator[tuple[bytes, int, bytes]]:
        index = 0
        for chunk in self._trees.paths(found.commitment.hex(), size=found.size):
            for position, digest in self._digests(found.id, index, len(chunk)):
                yield digest, position, chunk[position - index]
            index += len(chunk)

    def locate(self, sha256: bytes) -> list[tuple[str, int]]:
        """Batch and index of every entry of the manifest with this SHA-256, oldest first."""
        entries, batches = schema.entries, schema.batches
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(entries.c.batch_id, entries.c.leaf_index)
                .join(batches, batches.c.id == entries.c.batch_id)
                .where(entries.c.sha256 == sha256)
                .order_by(batches.c.sequence, entries.c.leaf_index)
            )
            return [(row.batch_id, row.leaf_index) for row in rows]

    def check_tree(self, found: Batch) -> None:
        """Hash a batch's tree file again.

        Raises:
            MismatchError: it is missing, damaged, or has another root than the batch's header.
        """
        root = batch.header_root(json.loads(found.header))
        self._trees.check(found.commitment.hex(), size=found.size, root=root)

    def check_entries(self, found: Batch) -> None:
        """Derive a batch again from the evidence in it: nothing that was anchored may be gone.

        Raises:
            MismatchError: evidence or an entry is missing or changed, or they have another root than the
                batch's header.
        """
        entries, evidence = schema.entries, schema.evidence
        of_batch = select(func.count()).select_from(entries).where(entries.c.batch_id == found.id)
        agreeing = of_batch.join_from(
            entries,
            evidence,
            (evidence.c.batch_id == entries.c.batch_id)
            & (evidence.c.leaf_index == entries.c.leaf_index)
            & (func.sha256(evidence.c.manifest) == entries.c.sha256),
        )
        with self._engine.connect() as connection:
            leaves = closing.leaves(connection, found.id)
            counts = {
                len(leaves),
                *(connection.execute(query).scalar_one() for query in (of_batch, agreeing)),
            }
        if counts != {found.size}:
            raise MismatchError(
                f"the batch has {found.size} entries; the record has {len(leaves)} of its pieces of "
                "evidence, or entries of others",
                what_to_do="evidence was taken away or changed: restore the record from a backup",
            )
        if merkle.MerkleTree(leaves).root != batch.header_root(json.loads(found.header)):
            raise MismatchError(
                f"the stored manifests and salts of {found.id} do not give the root of its header",
                what_to_do="restore the record from a backup",
            )

    def make_missing_trees(self) -> None:
        """Make the tree files again that are not there: of batches of the first release, or after a restore.

        What cannot be made is told in the log; asking for a proof of that batch says why.
        """
        after = 0
        while page := self.list_batches(after=after):
            for found in page:
                if not self._trees.has(found.commitment.hex()):
                    try:
                        self._make_tree_again(found, MismatchError("there is no tree file"))
                    except EvidenceServiceError as error:
                        _log.error("tree_file.missing", batch=found.id, reason=error.message)
            after = page[-1].sequence

    def _checked_path(self, found: Batch, index: int, leaf: bytes) -> tuple[bytes, ...]:
        path = self._trees.path(found.commitment.hex(), size=found.size, index=index)
        root = batch.header_root(json.loads(found.header))
        merkle.verify_inclusion(leaf, index=index, size=found.size, path=path, root=root)
        return path

    def _make_tree_again(self, found: Batch, reason: MismatchError) -> None:
        with self._engine.connect() as connection:
            narrow = connection.execute(select(func.current_user())).scalar_one() == API_ROLE
        if narrow:
            # It takes the entries of everybody in the batch.
            raise StorageUnavailableError(
                f"the tree of {found.id} has to be made again ({reason.message})",
                what_to_do="have the operator run “evidence fsck”, which does that; nothing is lost",
            )
        with self._engine.connect() as connection:
            tree = merkle.MerkleTree(closing.leaves(connection, found.id))
        if tree.root != batch.header_root(json.loads(found.header)):
            raise MismatchError(
                f"the stored manifests and salts of {found.id} do not give the root of its header",
                what_to_do="restore the record from a backup; the tree file was not touched",
            )
        self._trees.put(found.commitment.hex(), tree)
        _log.warning("tree_file.made_again", batch=found.id, reason=reason.message)

    def _leaf(self, batch_id: str, index: int) -> bytes:
        evidence = schema.evidence
        with self._engine.connect() as connection:
            row = connection.execute(
                select(evidence.c.manifest, evidence.c.salt).where(
                    evidence.c.batch_id == batch_id, evidence.c.leaf_index == index
                )
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"{batch_id} has no entry {index}")
        return batch.entry_leaf(digest_of(row.manifest), row.salt)

    def _digests(self, batch_id: str, first: int, count: int) -> list[tuple[int, bytes]]:
        entries = schema.entries
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(entries.c.leaf_index, entries.c.sha256)
                .where(entries.c.batch_id == batch_id, entries.c.leaf_index.between(first, first + count - 1))
                .order_by(entries.c.leaf_index)
            )
            return [(row.leaf_index, row.sha256) for row in rows]

    # --- promises ---

    def overdue(self, now: datetime) -> int:
        """How many promises of intake receipts are broken: in no batch in time, or in none yet."""
        evidence = schema.evidence
        # Batches counted theirs when they were closed: the finished ones need not be looked through.
        late = select(func.coalesce(func.sum(schema.batches.c.late), 0)).where(text(schema.LATE))
        waiting = select(func.count()).where(evidence.c.batch_id.is_(None), evidence.c.batch_by < now)
        registered = schema.registrations
        unentered = select(func.count()).where(text(schema.UNENTERED), registered.c.batch_by < now)
        counts = (late, waiting, unentered)
        with self._engine.connect() as connection:
            return int(sum(connection.execute(count).scalar_one() for count in counts))
