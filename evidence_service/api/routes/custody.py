"""The organisation's custody log, and its checkpoints."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from evidence_service.api.auth import Principal, Wired, may
from evidence_service.api.paging import cut
from evidence_service.core import custody_log
from evidence_service.store.custody_log import Checkpoint, Entry

router = APIRouter(prefix="/v1/custody-log", tags=["custody"])

Auditor = Annotated[Principal, may("audit:read")]


class EntryView(BaseModel):
    """An entry of the log."""

    position: int
    evidence_id: str
    event_hash: str = Field(description="SHA-256(03 ‖ canonical event), hexadecimal")
    head: str = Field(description="SHA-256(04 ‖ head before ‖ event_hash), hexadecimal")
    event: dict[str, Any] | None = Field(description="As it is stored now; null where it is gone")

    @classmethod
    def of(cls, entry: Entry, event: dict[str, Any] | None) -> Self:
        """The view of a record."""
        return cls(
            position=entry.position,
            evidence_id=entry.evidence_id,
            event_hash=entry.event_hash.hex(),
            head=entry.head.hex(),
            event=event,
        )


class LogPage(BaseModel):
    """Some entries, and where to go on."""

    items: list[EntryView]
    next: int | None = Field(description="Give it as “after” for the next page; null on the last")


class CheckpointView(BaseModel):
    """A checkpoint."""

    document: dict[str, Any] = Field(description="evidence-custody-checkpoint/1")
    evidence_id: str = Field(description="Its digest is anchored as this evidence, which has a bundle")

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """The view of a record."""
        return cls(
            document=custody_log.parse_checkpoint(checkpoint.document), evidence_id=checkpoint.evidence_id
        )


class CheckpointPage(BaseModel):
    """Some checkpoints, and where to go on."""

    items: list[CheckpointView]
    next: int | None = Field(description="Give it as “after” for the next page; null on the last")


After = Annotated[int, Query(ge=0, description="Go on from just after this one")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("")
def read_log(caller: Auditor, parts: Wired, after: After = 0, limit: Limit = 200) -> LogPage:
    """Every custody event of the organisation, in the order it was logged, with the chain over them."""
    found = parts.custody_log.entries(caller.organisation, after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item[0].position)
    return LogPage(items=[EntryView.of(*item) for item in page], next=more)


@router.get("/checkpoints")
def list_checkpoints(caller: Auditor, parts: Wired, after: After = 0, limit: Limit = 200) -> CheckpointPage:
    """The log's checkpoints, the shortest first."""
    found = parts.custody_log.checkpoints(caller.organisation, after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.size)
    return CheckpointPage(items=[CheckpointView.of(item) for item in page], next=more)
