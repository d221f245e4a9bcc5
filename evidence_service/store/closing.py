"""Closing a batch: which entries it takes, in which order, and what becomes durable in which order.

Everything happens in one transaction of the caller under a lock, so that sequence and order are decided once.
The tree's file is on disk before the transaction ends: a crash in between leaves a file that no batch refers
to, and the next attempt, at another time, makes another header and another file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Text,
    column,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from evidence_service.core import batch, merkle
from evidence_service.core.digest import digest_of
from evidence_service.store import schema
from evidence_service.store.trees import TreeFiles

_LOCK = 0x62617463  # "batc"
_PORTION = 1000
"""Manifests in memory at once."""


@dataclass(frozen=True, slots=True)
class Due:
    """When a batch is closed although nobody asked for it.

    Attributes:
        age: of its first entry.
        size: number of entries; a batch never has more.
        margin: time left of what an entry's receipt promises.
    """

    age: timedelta
    size: int
    margin: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    organisation_id: str
    registered_at: datetime
    batch_by: datetime | None
    sha256: bytes
    leaf: bytes


def close(connection: Connection, trees: TreeFiles, due: Due, now: datetime) -> str | None:
    """Close a batch of what waits when that is due; the batch's id.

    Raises:
        StorageUnavailableError: the tree's file cannot be written; no batch is closed.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if not _is_due(connection, due, now):
        return None
    entries = _next_entries(connection, due.size)
    tree = merkle.MerkleTree([entry.leaf for entry in entries])
    last = connection.execute(
        select(schema.batches.c.sequence, schema.batches.c.commitment)
        .order_by(schema.batches.c.sequence.desc())
        .limit(1)
    ).one_or_none()
    sequence = 1 if last is None else last.sequence + 1
    header = batch.build_header(
        tree=tree,
        sequence=sequence,
        previous=None if last is None else last.commitment,
        opened_at=min(entries[0].registered_at, now),
        closed_at=now,
    )
    commitment, batch_id = batch.commitment(header), f"batch-{sequence}"
    trees.put(commitment.hex(), tree)
    connection.execute(
        insert(schema.batches).values(
            id=batch_id,
            sequence=sequence,
            status="closed",
            header=header,
            commitment=commitment,
            size=tree.size,
            closed_at=now,
            late=sum(entry.batch_by is not None and entry.batch_by < now for entry in entries),
        )
    )
    _enter(connection, batch_id, entries)
    return batch_id


def leaves(connection: Connection, batch_id: str) -> list[bytes]:
    """Leaf hashes of a batch's entries, made again from the stored manifests and salts."""
    evidence = schema.evidence
    rows = connection.execute(
        select(evidence.c.manifest, evidence.c.salt)
        .where(evidence.c.batch_id == batch_id)
        .order_by(evidence.c.leaf_index)
        .execution_options(yield_per=_PORTION)
    )
    return merkle.leaf_hashes(batch.entry(digest_of(row.manifest), row.salt) for row in rows)


def _is_due(connection: Connection, due: Due, now: datetime) -> bool:
    evidence = schema.evidence
    count, oldest, promised, urgent = connection.execute(
        select(
            func.count(),
            # A digest goes with the others: for it alone a batch is closed when its time has come.
            func.min(evidence.c.registered_at).filter(evidence.c.kind != "digest"),
            func.min(evidence.c.batch_by),
            func.bool_or(evidence.c.urgent),
        ).where(_waiting())
    ).one()
    return bool(
        count
        and (
            urgent
            or count >= due.size
            or (oldest is not None and now - oldest >= due.age)
            or (promised is not None and promised - now <= due.margin)
        )
    )


def _next_entries(connection: Connection, size: int) -> list[_Entry]:
    """The most pressing entries, in the order of their registration."""
    evidence = schema.evidence
    rows = connection.execute(
        select(
            evidence.c.id,
            evidence.c.organisation_id,
            evidence.c.registered_at,
            evidence.c.batch_by,
            evidence.c.manifest,
            evidence.c.salt,
        )
        .where(_waiting())
        .order_by(
            evidence.c.urgent.desc(),
            evidence.c.batch_by.asc().nulls_last(),
            evidence.c.registered_at,
            evidence.c.id,
        )
        .limit(size)
        .execution_options(yield_per=_PORTION)
    )
    found = []
    for row in rows:
        digest = digest_of(row.manifest)
        leaf = batch.entry_leaf(digest, row.salt)
        found.append(
            _Entry(row.id, row.organisation_id, row.registered_at, row.batch_by, digest.sha256, leaf)
        )
    return sorted(found, key=lambda entry: (entry.registered_at, entry.id))


def _enter(connection: Connection, batch_id: str, entries: Sequence[_Entry]) -> None:
    """Tell every piece of evidence where it is, make its digest findable, and say whose batch it is."""
    columns = (column("id", Text), column("sha256", LargeBinary))
    rows = (
        func.unnest(
            literal([entry.id for entry in entries], ARRAY(Text)),
            literal([entry.sha256 for entry in entries], ARRAY(LargeBinary)),
        )
        .table_valued(*columns, with_ordinality="position", name="entered")
        .render_derived()
    )
    index = rows.c.position - literal(1, BigInteger)
    connection.execute(
        update(schema.evidence)
        .where(schema.evidence.c.id == rows.c.id)
        .values(batch_id=batch_id, leaf_index=index, progress="in a batch")
    )
    connection.execute(
        insert(schema.entries).from_select(
            ["batch_id", "leaf_index", "sha256"], select(literal(batch_id, Text), index, rows.c.sha256)
        )
    )
    owners = sorted({entry.organisation_id for entry in entries})
    connection.execute(
        insert(schema.batch_owners), [{"organisation_id": name, "batch_id": batch_id} for name in owners]
    )


def _waiting() -> ColumnElement[bool]:
    return schema.evidence.c.registered_at.is_not(None) & schema.evidence.c.batch_id.is_(None)
