"""What goes in and out of the API about holds, retention, deletion and requests."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from evidence_service.store.holds import Hold, Retention
from evidence_service.store.requests import Request

Reason = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]
State = Literal["requested", "approved", "refused", "stopped", "executed"]


class Because(BaseModel):
    """Why something is done; written into the custody log."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Proceedings 327 O 1/26 are pending"}]}
    )

    reason: Reason


class HoldView(BaseModel):
    """A legal hold."""

    id: str
    evidence_id: str | None = Field(description="What is held; null where it is a matter")
    matter_id: str | None = Field(description="The matter all of whose evidence is held, later one included")
    reason: str
    placed_by: str
    at: datetime
    lifted_by: str | None
    lifted_at: datetime | None = Field(description="Null while it stands")
    lift_reason: str | None

    @classmethod
    def of(cls, hold: Hold) -> Self:
        """The view of a record."""
        return cls(**{name: getattr(hold, name) for name in cls.model_fields})


class HoldPage(BaseModel):
    """Some holds, and where to go on."""

    items: list[HoldView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class NewRetention(BaseModel):
    """How long evidence is to be kept at least."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"keep_until": "2036-12-31T00:00:00Z"}]}
    )

    keep_until: AwareDatetime


class RetentionView(BaseModel):
    """How long evidence is kept at least."""

    evidence_id: str
    keep_until: datetime
    set_by: str
    at: datetime

    @classmethod
    def of(cls, retention: Retention) -> Self:
        """The view of a record."""
        return cls(**{name: getattr(retention, name) for name in cls.model_fields})


class RequestView(BaseModel):
    """What one person asks for and another one approves."""

    id: str
    kind: Literal["delete", "release"]
    evidence_id: str
    requested_by: str
    reason: str
    at: datetime
    state: State = Field(
        description="requested → refused | approved; an approved deletion → executed | stopped"
    )
    decided_by: str | None
    decision_reason: str | None
    decided_at: datetime | None
    waiting_for: str | None = Field(description="Why it is not carried out yet, or never will be")

    @classmethod
    def of(cls, request: Request) -> Self:
        """The view of a record."""
        return cls(**{name: getattr(request, name) for name in cls.model_fields})


class RequestPage(BaseModel):
    """Some requests, and where to go on."""

    items: list[RequestView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")
