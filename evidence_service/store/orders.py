"""Orders that were accepted: one or thousands become durable in one transaction, or none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.errors import NotFoundError
from evidence_service.store import lists, logins, schema
from evidence_service.store.stamps import Stamps

_PORTION = 500
"""Rows of one statement."""


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """Evidence that is accepted.

    Attributes:
        capture: what a capture would have found, for uploads, whose files are stored already.
        options: how a listing is captured.
        batch_by: what the receipt promises; receipt: the signed document.
        event: first event of its custody log.
    """

    id: str
    matter_id: str
    kind: str
    url: str | None
    operator: str
    certificate_wanted: bool
    created_at: datetime
    capture: Mapping[str, Any] | None = None
    batch_by: datetime | None = None
    urgent: bool = False
    options: Mapping[str, Any] | None = None
    receipt: bytes | None = None
    event: Mapping[str, Any] | None = None
    operator_role: str = schema.OPERATOR


class Orders(Stamps):
    """Accepted orders in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def accept(
        self,
        accepted: Sequence[NewEvidence],
        *,
        login: logins.SealedLogin | None = None,
        capture_list: lists.NewList | None = None,
    ) -> None:
        """Record accepted evidence with receipts and first events; repeating it changes nothing.

        Args:
            login: sealed login state that all of it is captured with.
            capture_list: the list they came in, refused rows included.
        """
        with self._engine.begin() as connection:
            _add(connection, schema.evidence, [_evidence(item) for item in accepted])
            _add(
                connection,
                schema.receipts,
                [
                    {"evidence_id": item.id, "document": item.receipt}
                    for item in accepted
                    if item.receipt is not None
                ],
            )
            _add(
                connection,
                schema.custody_events,
                [
                    {
                        "evidence_id": item.id,
                        "sequence": item.event["sequence"],
                        "step_key": "order",
                        "event": dict(item.event),
                    }
                    for item in accepted
                    if item.event is not None
                ],
            )
            if login is not None:
                logins.add(connection, login, [item.id for item in accepted])
            if capture_list is not None:
                lists.add(connection, capture_list)

    def add_evidence(self, *, evidence_id: str, **members: Any) -> None:
        """Record one piece of accepted evidence; see :class:`NewEvidence` for its members."""
        self.accept([NewEvidence(id=evidence_id, **members)])

    def ordered(self, evidence_ids: Sequence[str]) -> dict[str, tuple[str, str, str | None, Any]]:
        """Operator, matter, address and options of those that are accepted already, by id."""
        table = schema.evidence
        query = select(table.c.id, table.c.operator, table.c.matter_id, table.c.url, table.c.options).where(
            table.c.id.in_(evidence_ids)
        )
        with self._engine.connect() as connection:
            return {
                row.id: (row.operator, row.matter_id, row.url, row.options)
                for row in connection.execute(query)
            }

    def receipt(self, evidence_id: str) -> bytes:
        """The receipt that was given for a piece of evidence.

        Raises:
            NotFoundError: none was given.
        """
        found = self.receipts([evidence_id])
        if not found:
            raise NotFoundError(f"no receipt was given for evidence {evidence_id}")
        return found[evidence_id]

    def receipts(self, evidence_ids: Sequence[str]) -> dict[str, bytes]:
        """The receipts that were given for some evidence, by its id."""
        table = schema.receipts
        with self._engine.connect() as connection:
            rows = connection.execute(select(table).where(table.c.evidence_id.in_(evidence_ids)))
            return {row.evidence_id: bytes(row.document) for row in rows}


def _evidence(new: NewEvidence) -> dict[str, Any]:
    return {
        "id": new.id,
        "matter_id": new.matter_id,
        "kind": new.kind,
        "url": new.url,
        "operator": new.operator,
        "operator_role": new.operator_role,
        "certificate_wanted": new.certificate_wanted,
        "status": "accepted" if new.capture is None else "captured",
        "progress": "accepted",
        "capture": None if new.capture is None else dict(new.capture),
        "outcome": None if new.capture is None else new.capture["outcome"]["status"],
        "created_at": new.created_at,
        "batch_by": new.batch_by,
        "urgent": new.urgent,
        "options": None if new.options is None else dict(new.options),
    }


def _add(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(rows), _PORTION):
        portion = [dict(row) for row in rows[start : start + _PORTION]]
        connection.execute(upsert(table).values(portion).on_conflict_do_nothing())
