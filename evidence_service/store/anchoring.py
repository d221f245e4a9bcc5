"""Anchoring of a batch: what it waits for, which proofs it has, and which of them are noted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text, update

from evidence_service.store import schema
from evidence_service.store.records import STATUSES
from evidence_service.store.tenancy import Store


class Anchoring(Store):
    """Anchoring in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def note_waiting(self, batch_id: str, waiting_for: str | None, *, source: str = "time stamps") -> None:
        """Say what anchoring waits for, on the batch and on all its evidence; what is said already is not
        written again.

        Args:
            waiting_for: in words for people; None when nothing is.
            source: who says it. Each has words of its own, and only it changes them.
        """
        batches, evidence = schema.batches, schema.evidence
        with self._engine.begin() as connection:
            # Locked: what another source says meanwhile must not be lost.
            before = connection.execute(
                select(batches.c.waiting).where(batches.c.id == batch_id).with_for_update()
            ).scalar_one_or_none()
            if before is None or before.get(source) == waiting_for:
                return
            waiting = {name: words for name, words in before.items() if name != source}
            if waiting_for is not None:
                waiting[source] = waiting_for
            together = "; ".join(waiting[name] for name in sorted(waiting)) or None
            connection.execute(
                update(batches).where(batches.c.id == batch_id).values(waiting=waiting, waiting_for=together)
            )
            connection.execute(
                update(evidence)
                .where(evidence.c.batch_id == batch_id, evidence.c.status == "registered")
                .values(waiting_for=together, progress="anchoring")
            )

    def finish(self, batch_id: str) -> None:
        """Record that the batch has every anchor it needs, and with it all its evidence."""
        evidence = schema.evidence
        earlier = STATUSES[: STATUSES.index("anchored")]
        with self._engine.begin() as connection:
            connection.execute(
                update(evidence)
                .where(evidence.c.batch_id == batch_id, evidence.c.status.in_(earlier))
                .values(status="anchored", progress="anchored", waiting_for=None)
            )
            connection.execute(
                update(schema.batches)
                .where(schema.batches.c.id == batch_id)
                .values(status="anchored", waiting={}, waiting_for=None)
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

    def noted_chains(self, batch_id: str) -> set[int]:
        """Ids of the chains whose anchor of the batch is proved and told of in the custody logs."""
        table = schema.submissions
        query = select(table.c.chain_id).where(
            table.c.batch_id == batch_id, table.c.state == "sealed", table.c.noted
        )
        with self._engine.connect() as connection:
            return {row.chain_id for row in connection.execute(query)}

    def unnoted(self) -> list[str]:
        """Submissions whose proof is stored and that the custody logs do not tell of yet, oldest first."""
        table = schema.submissions
        query = select(table.c.id).where(text(schema.UNNOTED)).order_by(table.c.position)
        with self._engine.connect() as connection:
            return [row.id for row in connection.execute(query)]

    def note(self, submission_id: str) -> None:
        """Record that the custody logs tell of an anchor."""
        table = schema.submissions
        with self._engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == submission_id).values(noted=True))
