"""Search: evidence by what it shows."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from evidence_service.api.auth import Reader, Wired
from evidence_service.api.instants import Instant
from evidence_service.api.paging import cut
from evidence_service.api.schemas import EvidencePage, EvidenceView, ServiceRecords
from evidence_service.core.manifest import OUTCOMES
from evidence_service.errors import RefusedError
from evidence_service.service.parts import SERVICE
from evidence_service.store.records import STATUSES
from evidence_service.store.searching import Wanted

router = APIRouter(prefix="/v1", tags=["evidence"])

_NO_CONTROL = r"^[^\x00-\x1f\x7f]+$"
Term = Annotated[str | None, Query(min_length=1, max_length=500, pattern=_NO_CONTROL)]


@router.get("/search")
def search_evidence(
    _: Reader,
    parts: Wired,
    url: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=500,
            pattern=_NO_CONTROL,
            description="Address that was asked for, or that it led to, or a beginning of one",
        ),
    ] = None,
    seller: Term = None,
    listing_id: Term = None,
    sha256: Annotated[
        str | None, Query(pattern=r"^[0-9a-fA-F]{64}$", description="Of one of its files")
    ] = None,
    outcome: Annotated[Literal[OUTCOMES] | None, Query()] = None,  # type: ignore[valid-type]
    status: Annotated[Literal[STATUSES] | None, Query()] = None,  # type: ignore[valid-type]
    kind: Literal["platform_capture", "upload", "digest"] | None = None,
    matter_id: Term = None,
    since: Annotated[Instant | None, Query(description="Ordered at or after")] = None,
    before: Annotated[Instant | None, Query(description="Ordered before")] = None,
    service_records: ServiceRecords = True,
    after: Annotated[str | None, Query(max_length=200, description="“next” of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EvidencePage:
    """Evidence that fits everything that is asked for, newest first; upper and lower case are the same."""
    not_by = None if service_records else SERVICE[0]
    wanted = Wanted(url, seller, listing_id, sha256, outcome, status, kind, matter_id, since, before, not_by)
    found = parts.searching.find(wanted, after=None if after is None else _parse(after), limit=limit + 1)
    page, more = cut(found, limit, lambda item: _cursor(item.created_at, item.id))
    return EvidencePage(items=[EvidenceView.of(item) for item in page], next=more)


def _cursor(at: datetime, evidence_id: str) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()} {evidence_id}".encode()).decode()


def _parse(cursor: str) -> tuple[datetime, str]:
    try:
        at, evidence_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        moment = datetime.fromisoformat(at)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(
            "“after” is no cursor of this search", what_to_do="use “next” of a page"
        ) from error
    if moment.tzinfo is None or "\x00" in evidence_id:
        raise RefusedError("“after” is no cursor of this search", what_to_do="use “next” of a page")
    return moment, evidence_id
