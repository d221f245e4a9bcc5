"""What a digest leads to: registrations, evidence with this content or manifest, and its place in a batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row

from evidence_service.core import batch
from evidence_service.core.digest import digest_of
from evidence_service.store.batches import Batch, Batches
from evidence_service.store.trees import TreeFiles

_REMEMBERED = 1_000
"""Batches whose header is kept in memory."""

_FIND = """
WITH found AS (
  SELECT id, 'content' AS matched FROM registrations
  WHERE organisation_id = %(organisation)s AND sha256 = %(sha256)s
  UNION
  SELECT evidence_id, 'content' FROM evidence_terms
  WHERE organisation_id = %(organisation)s AND kind = 'sha256' AND term = %(term)s
  UNION
  SELECT evidence.id, 'manifest' FROM entries
  JOIN evidence ON evidence.batch_id = entries.batch_id AND evidence.leaf_index = entries.leaf_index
  WHERE entries.sha256 = %(sha256)s
)
SELECT found.id, found.matched, coalesce(e.matter_id, r.matter_id, l.matter_id) AS matter_id,
  coalesce(e.status, 'accepted') AS status, coalesce(e.created_at, r.accepted_at) AS accepted_at,
  e.manifest, e.salt, e.leaf_index, e.batch_id
FROM found
LEFT JOIN registrations r ON r.id = found.id
LEFT JOIN registration_lists l ON l.id = r.list_id
LEFT JOIN evidence e ON e.id = found.id
WHERE found.id > %(after)s ORDER BY found.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """A piece of evidence that a digest leads to.

    Attributes:
        matched: ``content`` where it is a registered digest or a preserved file's, ``manifest`` where it is
            the manifest's.
        index, size, path, commitment: of its entry and its batch; None until it is in one. The path is
            checked against the batch's header.
    """

    id: str
    matter_id: str
    matched: str
    status: str
    accepted_at: datetime
    batch_id: str | None
    index: int | None
    size: int | None
    path: Sequence[bytes] | None
    commitment: bytes | None


class Proofs(Batches):
    """Batches, asked by digest."""

    def __init__(self, engine: Engine, trees: TreeFiles) -> None:
        super().__init__(engine, trees)
        # What is kept of a batch never changes, and only who has an entry in it gets this far.
        self._known: OrderedDict[str, Batch] = OrderedDict()

    def of_digest(self, organisation_id: str, sha256: bytes, *, after: str = "", limit: int) -> list[Proof]:
        """Every registration of a content and every piece of evidence with this manifest, by id.

        Args:
            organisation_id: whose; the one the engine is bound to.
            after: id to go on from.

        Raises:
            MismatchError, StorageUnavailableError: a path cannot be given; see :meth:`Batches.path`.
        """
        wanted = {
            "organisation": organisation_id,
            "sha256": sha256,
            "term": sha256.hex(),
            "after": after,
            "limit": limit,
        }
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql(_FIND, wanted).all()
        return [self._proof(row) for row in rows]

    def _proof(self, row: Row[Any]) -> Proof:
        found = None if row.batch_id is None else self._batch(row.batch_id)
        return Proof(
            id=row.id,
            matter_id=row.matter_id,
            matched=row.matched,
            status=row.status,
            accepted_at=row.accepted_at,
            batch_id=row.batch_id,
            index=row.leaf_index,
            size=None if found is None else found.size,
            path=None
            if found is None
            else self.path_of(found, row.leaf_index, batch.entry_leaf(digest_of(row.manifest), row.salt)),
            commitment=None if found is None else found.commitment,
        )

    def _batch(self, batch_id: str) -> Batch:
        found = self._known.get(batch_id)
        if found is None:
            found = self._known[batch_id] = self.batch(batch_id)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found
