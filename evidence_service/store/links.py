"""Which time stamps evidence hangs on, and when the first certificate behind them ends.

The last link of a piece of evidence is the tokens over its last renewal. While it has none, it is those over
its manifest or, for a digest without any, over the header of its batch (checks 4.1 and 4.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, or_, select, union_all

from evidence_service.store import schema

_RENEWABLE = ("anchored", "certified")
"""Evidence whose proofs are complete: what a renewal covers must stay as it is."""


@dataclass(frozen=True, slots=True)
class Due:
    """Evidence whose time stamps are to be renewed, and when the first certificate behind them ends."""

    evidence_id: str
    generation: int
    ends_at: datetime


def find_due(
    connection: Connection,
    *,
    until: datetime,
    every: bool,
    after: datetime | None = None,
    limit: int | None = None,
) -> list[Due]:
    """What hangs on a certificate that ends by ``until`` and, where given, not by ``after`` already."""
    links = union_all(
        _first_link(until, every), _batch_link(until, every), _later_link(until, every)
    ).subquery()
    ends_at = func.min(links.c.ends_at)
    query = (
        select(links.c.evidence_id, links.c.generation, ends_at)
        .group_by(links.c.evidence_id, links.c.generation)
        .order_by(ends_at, links.c.evidence_id)
    )
    if after is not None:
        query = query.having(ends_at > after)
    if every:
        # A hash-tree renewal covers the anchors: none may be on its way.
        evidence, submissions = schema.evidence, schema.submissions
        on_its_way = select(submissions.c.id).where(
            submissions.c.batch_id == evidence.c.batch_id, submissions.c.state != "sealed"
        )
        query = query.join(evidence, evidence.c.id == links.c.evidence_id).where(~on_its_way.exists())
    if limit is not None:
        query = query.limit(limit)
    return [Due(*row) for row in connection.execute(query)]


def _first_link(until: datetime, every: bool) -> Select[Any]:
    """Tokens over the manifest of evidence that no renewal has."""
    return _unrenewed("manifest", schema.evidence.c.id, until, every)


def _batch_link(until: datetime, every: bool) -> Select[Any]:
    """Tokens over the batch header of digests that no renewal has and that have none over the manifest."""
    evidence, own = schema.evidence, schema.tokens.alias("own")
    stamped = select(own.c.id).where(own.c.stamped == "manifest", own.c.subject_id == evidence.c.id).exists()
    through_batch = _unrenewed("batch_header", evidence.c.batch_id, until, every)
    return through_batch.where(evidence.c.kind == "digest", ~stamped)


def _unrenewed(stamped: str, subject_id: ColumnElement[str], until: datetime, every: bool) -> Select[Any]:
    """Tokens over something of evidence that no renewal has."""
    evidence, tokens, members = schema.evidence, schema.tokens, schema.renewal_members
    renewed = select(members.c.evidence_id).where(members.c.evidence_id == evidence.c.id).exists()
    query = (
        select(evidence.c.id.label("evidence_id"), literal(0).label("generation"), tokens.c.ends_at)
        .join(tokens, and_(tokens.c.stamped == stamped, tokens.c.subject_id == subject_id))
        .where(evidence.c.status.in_(_RENEWABLE), ~renewed)
    )
    return query if every else query.where(tokens.c.ends_at <= until)


def _later_link(until: datetime, every: bool) -> Select[Any]:
    """Tokens over the last renewal of evidence, once that is finished."""
    tokens, members, renewals = schema.tokens, schema.renewal_members, schema.renewals
    newer = members.alias("newer")
    superseded = select(newer.c.evidence_id).where(
        newer.c.evidence_id == members.c.evidence_id, newer.c.generation > members.c.generation
    )
    soon = tokens.c.ends_at <= until
    return (
        select(members.c.evidence_id, (members.c.generation + 1).label("generation"), tokens.c.ends_at)
        .join(renewals, renewals.c.id == members.c.renewal_id)
        .join(tokens, and_(tokens.c.stamped == "renewal", tokens.c.subject_id == renewals.c.id))
        .where(renewals.c.state == "recorded", ~superseded.exists())
        .where(or_(soon, renewals.c.kind != "hash_tree") if every else soon)
    )
