"""Search: evidence by what it shows, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_

from evidence_service.store import schema
from evidence_service.store.records import Evidence, select_evidence
from evidence_service.store.tenancy import Store

_EVIDENCE, _TERMS = schema.evidence, schema.evidence_terms


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; everything that is given has to fit.

    Attributes:
        url: the address asked for or the one it led to, or a beginning of either.
        seller: name, id or address of the seller or shop, as the page states it.
        listing_id: id of the listing on its platform.
        sha256: of one of its files, hexadecimal.
        outcome, status, kind, matter_id: as in the evidence.
        not_by: operator whose evidence is left out.
        since, before: when it was ordered, from and up to, without the end itself.
    """

    url: str | None = None
    seller: str | None = None
    listing_id: str | None = None
    sha256: str | None = None
    outcome: str | None = None
    status: str | None = None
    kind: str | None = None
    matter_id: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    not_by: str | None = None


class Searching(Store):
    """Search in PostgreSQL."""

    def find(
        self, wanted: Wanted, *, after: tuple[datetime, str] | None = None, limit: int
    ) -> list[Evidence]:
        """Evidence that fits, newest first; of terms, case does not count.

        Args:
            after: time and id of the last one that is known already.
        """
        query = (
            select_evidence()
            .where(*_conditions(wanted))
            .order_by(_EVIDENCE.c.created_at.desc(), _EVIDENCE.c.id.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(_EVIDENCE.c.created_at, _EVIDENCE.c.id) < tuple_(*after))
        with self._engine.connect() as connection:
            return [Evidence(**row._mapping) for row in connection.execute(query)]


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    for kind in ("seller", "listing_id", "sha256"):
        term: str | None = getattr(wanted, kind)
        if term is not None:
            yield _has(kind, _TERMS.c.term == term.lower())
    if wanted.url is not None:
        # text_pattern_ops: the index serves a beginning, an exact term with it.
        yield _has("url", _TERMS.c.term.startswith(wanted.url.lower(), autoescape=True))
    for name in ("outcome", "status", "kind", "matter_id"):
        value: str | None = getattr(wanted, name)
        if value is not None:
            yield _EVIDENCE.c[name] == value
    if wanted.not_by is not None:
        yield _EVIDENCE.c.operator != wanted.not_by
    if wanted.since is not None:
        yield _EVIDENCE.c.created_at >= wanted.since
    if wanted.before is not None:
        yield _EVIDENCE.c.created_at < wanted.before


def _has(kind: str, fits: ColumnElement[bool]) -> ColumnElement[bool]:
    return _EVIDENCE.c.id.in_(select(_TERMS.c.evidence_id).where(_TERMS.c.kind == kind, fits))
