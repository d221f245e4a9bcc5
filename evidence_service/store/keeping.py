"""What has to be looked at before evidence is deleted, in the transaction that decides about it.

An exhibit goes with any piece of evidence in it: a hold on one of them keeps the others too.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, text

from evidence_service.errors import ConflictError
from evidence_service.store import schema
from evidence_service.store.holds import kept_until, standing

_BESIDE = text(
    """
    SELECT other, min(exhibits.id) FROM exhibits, jsonb_array_elements_text(exhibits.evidence) AS other
    WHERE exhibits.evidence ? :evidence_id AND exhibits.status <> 'refused' AND other <> :evidence_id
    AND NOT EXISTS (SELECT FROM tombstones WHERE exhibits.evidence ? tombstones.evidence_id)
    GROUP BY other ORDER BY other
    """
)


def beside(connection: Connection, evidence_id: str) -> dict[str, str]:
    """Evidence in exhibits with a piece of evidence → one of these exhibits, which goes with either."""
    return {row[0]: row[1] for row in connection.execute(_BESIDE, {"evidence_id": evidence_id})}


def refuse_under_way(connection: Connection, evidence_id: str) -> None:
    """Let evidence be deleted that no exhibit is being made of.

    Raises:
        ConflictError: one is; what is stored for it could outlive the deletion.
    """
    table = schema.exhibits
    query = select(table.c.id).where(text(schema.UNMADE), table.c.evidence.has_key(evidence_id))
    exhibit_id = connection.execute(query.order_by(table.c.id).limit(1)).scalar_one_or_none()
    if exhibit_id is not None:
        raise ConflictError(
            f"exhibit {exhibit_id} is being made of evidence {evidence_id}",
            what_to_do="wait until it is made or refused; the deletion is tried again within the hour",
        )


def refuse_kept(connection: Connection, evidence_id: str, now: datetime) -> None:
    """Let evidence be deleted that nothing keeps.

    Raises:
        ConflictError: it is held, or an exhibit that would go with it; its retention is not over, or work on
            it is under way.
    """
    holds = standing(connection, evidence_id)
    if holds:
        raise ConflictError(
            f"evidence {evidence_id} is on legal hold: {', '.join(holds)}",
            what_to_do="lift the hold first, if there is no reason for it any more",
        )
    for other, exhibit_id in beside(connection, evidence_id).items():
        holds = standing(connection, other)
        if holds:
            raise ConflictError(
                f"exhibit {exhibit_id} would go with evidence {evidence_id}; evidence {other} in it is on "
                f"legal hold: {', '.join(holds)}",
                what_to_do="lift the hold first, if there is no reason for it any more",
            )
    until = kept_until(connection, evidence_id)
    if until is not None and now < until:
        raise ConflictError(
            f"evidence {evidence_id} is to be kept until {until:%Y-%m-%dT%H:%M:%SZ}",
            what_to_do="wait until then",
        )
    table = schema.evidence
    row = connection.execute(
        select(table.c.registered_at, table.c.refused).where(table.c.id == evidence_id)
    ).one()
    if row.registered_at is None and not row.refused:
        raise ConflictError(
            f"evidence {evidence_id} is still being preserved", what_to_do="wait until it is registered"
        )
