"""What goes in and out of the API about release links."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from evidence_service.store.releases import Release

Line = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]
_DAY = 86_400
OPAQUE = "application/octet-stream"
NAMED = (
    "application/pdf",
    "application/zip",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
)
"""Media types that a file is given out with; every other one is given out as :data:`OPAQUE`."""


class NewReleaseLink(BaseModel):
    """An order of an address under which one thing is given out without a key."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "what": "certificate",
                    "recipient": "Landgericht Hamburg",
                    "purpose": "Exhibit K 3 of case 327 O 1/26",
                    "expires_in": 604800,
                    "max_downloads": 3,
                }
            ]
        },
    )

    what: Literal["bundle", "certificate", "exhibit", "file"]
    name: str = Field(
        default="",
        max_length=400,
        description="Id of the exhibit, path of the file, number of the certificate (empty: the newest)",
    )
    recipient: Line = Field(description="Who is to get it; written into the custody log")
    purpose: Line = Field(description="What for; written into the custody log")
    expires_in: int = Field(ge=60, le=90 * _DAY, description="Seconds from now")
    max_downloads: int = Field(default=1, ge=1, le=100, description="Each GET counts, also of a part")


class ReleaseLinkView(BaseModel):
    """A release link, without its address."""

    id: str
    evidence_id: str
    what: str
    name: str
    recipient: str
    purpose: str
    created_by: str
    at: datetime
    expires_at: datetime
    max_downloads: int
    downloads: int
    request_id: str | None = Field(description="What another person has to approve before it opens anything")
    revoked_by: str | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, release: Release) -> Self:
        """The view of a record."""
        return cls(**{name: getattr(release, name) for name in ReleaseLinkView.model_fields})


class MadeReleaseLink(ReleaseLinkView):
    """A release link that was just made."""

    path: str | None = Field(
        default=None,
        description="Where it opens, below the service's address; shown once, null when it was shown before",
    )


class ReleaseLinkPage(BaseModel):
    """Some release links, and where to go on."""

    items: list[ReleaseLinkView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class ReleaseRule(BaseModel):
    """Whether two persons decide about releases."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"two_persons": True}]})

    two_persons: bool = Field(
        strict=True, description="Whether a link opens only after another person's approval"
    )
