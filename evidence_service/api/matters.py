"""What goes in and out of the API about matters."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from evidence_service.core.rights import Right
from evidence_service.store.records import Matter

_LINE = r"^[^\x00-\x1f\x7f]*$"
Reference = Annotated[str, Field(min_length=1, max_length=200)]
Applicant = Annotated[str, Field(min_length=1, max_length=400)]
Words = Annotated[str, Field(min_length=1, max_length=400)]
Party = Annotated[str, Field(min_length=1, max_length=400, pattern=_LINE)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE)]
_EXAMPLE_RIGHT: dict[str, Any] = {
    "kind": "trade_mark",
    "title": "AURELLE",
    "registration": "018000000",
    "jurisdiction": "EU",
}


class MatterRight(BaseModel):
    """A right in its members; manifests and certificates name it in words made of them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE_RIGHT]})

    kind: Literal["trade_mark", "copyright", "design", "patent"]
    title: str = Field(default="", max_length=200, pattern=_LINE, description="The mark, work or invention")
    registration: str = Field(default="", max_length=60, pattern=_LINE, description="Number in the register")
    jurisdiction: str = Field(default="", max_length=60, pattern=_LINE, description="E.g. EU, CN, US")

    def right(self) -> Right:
        """What it stands for."""
        return Right(**self.model_dump())


Rights = Annotated[list[Words | MatterRight], Field(max_length=50)]


class NewMatter(BaseModel):
    """A dispute that evidence is collected for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "reference": "2026-0417",
                    "applicant": "Aurelle SA",
                    "rights": ["EU trade mark 018000000", _EXAMPLE_RIGHT],
                    "respondent": "Shop of the listing",
                    "court": "Landgericht Hamburg",
                    "case_number": "327 O 1/26",
                }
            ]
        },
    )

    reference: Reference = Field(description="The applicant's own reference")
    applicant: Applicant = Field(description="Name, as printed")
    rights: Rights = Field(default_factory=list, description="Rights asserted, in words or in members")
    respondent: Party | None = Field(default=None, description="Against whom; not in manifests")
    court: Name | None = Field(default=None, description="Where it is pending; not in manifests")
    case_number: Name | None = Field(default=None, description="The court's; not in manifests")

    def matter(self, matter_id: str, created_at: datetime) -> Matter:
        """The matter that is ordered."""
        return Matter(
            matter_id,
            self.reference,
            self.applicant,
            _texts(self.rights),
            created_at,
            _structured(self.rights),
            self.respondent,
            self.court,
            self.case_number,
        )

    def fingerprint(self) -> dict[str, Any]:
        """What identifies the order; without members that it does not give, as before there were any."""
        return {"rights": [], **self.model_dump(exclude_defaults=True)}


class MatterChange(BaseModel):
    """New values of some members; those that are left out stay. Null removes a member that may be missing."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"court": "Landgericht Hamburg", "case_number": "327 O 1/26"}]},
    )

    # Without None: what every matter has cannot be removed.
    reference: Reference = Field(default="", validate_default=False)
    applicant: Applicant = Field(default="", validate_default=False)
    rights: Rights = Field(default_factory=list, description="All of them; they take the place of the former")
    respondent: Party | None = None
    court: Name | None = None
    case_number: Name | None = None

    def changes(self) -> dict[str, Any]:
        """Members of the record's matter that change."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "rights" in given:
            given["structured_rights"] = _structured(self.rights)
            given["rights"] = _texts(self.rights)
        return given


class MatterView(BaseModel):
    """A registered matter."""

    id: str
    reference: str
    applicant: str
    rights: list[str] = Field(description="As manifests and certificates name them")
    structured_rights: list[MatterRight] = Field(description="Those that were given in members")
    respondent: str | None
    court: str | None
    case_number: str | None
    created_at: datetime

    @classmethod
    def of(cls, matter: Matter) -> Self:
        """The view of a record."""
        return cls(
            id=matter.id,
            reference=matter.reference,
            applicant=matter.applicant,
            rights=list(matter.rights),
            structured_rights=[MatterRight(**asdict(right)) for right in matter.structured_rights],
            respondent=matter.respondent,
            court=matter.court,
            case_number=matter.case_number,
            created_at=matter.created_at,
        )


class MatterPage(BaseModel):
    """Some matters, and where to go on."""

    items: list[MatterView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


def _texts(rights: list[str | MatterRight]) -> tuple[str, ...]:
    return tuple(item if isinstance(item, str) else item.right().words() for item in rights)


def _structured(rights: list[str | MatterRight]) -> tuple[Right, ...]:
    return tuple(item.right() for item in rights if isinstance(item, MatterRight))
