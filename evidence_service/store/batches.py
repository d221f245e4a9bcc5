"""Batches: closed once, anchored, and asked for proofs of what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Engine, func, select, update

from evidence_service.core import batch, merkle
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError, NotFoundError
from evidence_service.store import closing, schema
from evidence_service.store.trees import TreeFiles

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed batch.

    Attributes:
        status: closed → anchored.
        header: canonical bytes; commitment: 32 bytes.
    """

    id: str
    sequence: int
    status: str
    header: bytes
    commitment: bytes
    size: int
    closed_at: datetime
    waiting_for: str | None


class Batches:
    """Batches in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def __init__(self, engine: Engine, trees: TreeFiles) -> None:
        self._engine = engine
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
            row = connection.execute(
                select(schema.batches).where(schema.batches.c.id == batch_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        return Batch(**row._mapping)

    def unanchored(self) -> list[Batch]:
        """Closed batches whose anchoring is not finished."""
        query = select(schema.batches).where(schema.batches.c.status == "closed")
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
        query = select(table).where(table.c.sequence > after).order_by(table.c.sequence).limit(limit)
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
        found, leaf = self.batch(batch_id), self._leaf(batch_id, index)
        try:
            return self._checked_path(found, index, leaf)
        except MismatchError as error:
            self._make_tree_again(found, error)
        return self._checked_path(found, index, leaf)

    def paths(self, batch_id: str) -> Iterator[tuple[bytes, int, bytes]]:
        """Every entry's SHA-256 (of its manifest), index and joined inclusion path, in order.

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
            for digest, path in zip(self._digests(found.id, index, len(chunk)), chunk, strict=True):
                yield digest, index, path
                index += 1

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

    def _checked_path(self, found: Batch, index: int, leaf: bytes) -> tuple[bytes, ...]:
        path = self._trees.path(found.commitment.hex(), size=found.size, index=index)
        root = batch.header_root(json.loads(found.header))
        merkle.verify_inclusion(leaf, index=index, size=found.size, path=path, root=root)
        return path

    def _make_tree_again(self, found: Batch, reason: MismatchError) -> None:
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

    def _digests(self, batch_id: str, first: int, count: int) -> list[bytes]:
        entries = schema.entries
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(entries.c.sha256)
                .where(entries.c.batch_id == batch_id, entries.c.leaf_index.between(first, first + count - 1))
                .order_by(entries.c.leaf_index)
            )
            return [row.sha256 for row in rows]

    # --- promises ---

    def overdue(self, now: datetime) -> int:
        """How many promises of intake receipts are broken: in no batch in time, or in none yet."""
        evidence, batches = schema.evidence, schema.batches
        query = (
            select(func.count())
            .select_from(evidence.outerjoin(batches, batches.c.id == evidence.c.batch_id))
            .where(evidence.c.batch_by < func.coalesce(batches.c.closed_at, now))
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    # --- anchors ---

    def note_waiting(self, batch_id: str, waiting_for: str | None) -> None:
        """Say what anchoring waits for, on the batch and on all its evidence."""
        with self._engine.begin() as connection:
            connection.execute(
                update(schema.batches).where(schema.batches.c.id == batch_id).values(waiting_for=waiting_for)
            )
            connection.execute(
                update(schema.evidence)
                .where(schema.evidence.c.batch_id == batch_id, schema.evidence.c.status == "registered")
                .values(waiting_for=waiting_for, progress="anchoring")
            )

    def finish(self, batch_id: str) -> None:
        """Record that the batch has every anchor it needs."""
        with self._engine.begin() as connection:
            connection.execute(
                update(schema.batches)
                .where(schema.batches.c.id == batch_id)
                .values(status="anchored", waiting_for=None)
            )

    def anchors(self, batch_id: str) -> list[dict[str, Any]]:
        """Proofs of the batch's final anchors, by chain id."""
        table = schema.submissions
        query = (
            select(table.c.proof)
            .where(table.c.batch_id == batch_id, table.c.state == "sealed")
            .order_by(table.c.chain_id)
        )
        with self._engine.connect() as connection:
            return [row.proof for row in connection.execute(query)]

    def unnoted(self) -> list[str]:
        """Submissions whose proof is stored and that the custody logs do not tell of yet."""
        table = schema.submissions
        query = select(table.c.id).where(
            table.c.state == "sealed", table.c.batch_id.is_not(None), ~table.c.noted
        )
        with self._engine.connect() as connection:
            return [row.id for row in connection.execute(query)]

    def note(self, submission_id: str) -> None:
        """Record that the custody logs tell of an anchor."""
        table = schema.submissions
        with self._engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == submission_id).values(noted=True))
