"""What goes in and out of the API where organisations are administered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from evidence_service.service.permissions import OF_MEMBERS, SCOPES
from evidence_service.store.administration import Event
from evidence_service.store.members import Key, Member
from evidence_service.store.organisations import Organisation

Line = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]


def _known(names: Collection[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"there is none of this name; known are {', '.join(sorted(names))}")
        return value

    return AfterValidator(check)


Role = Annotated[str, _known(OF_MEMBERS), Field(json_schema_extra={"enum": [*sorted(OF_MEMBERS)]})]
Scope = Annotated[str, _known(SCOPES), Field(json_schema_extra={"enum": [*sorted(SCOPES)]})]
Roles = Annotated[
    list[Role],
    Field(min_length=1, max_length=len(OF_MEMBERS), description="What he may do"),
    AfterValidator(lambda roles: list(dict.fromkeys(roles))),
]
_SHOWN_ONCE = "Shown in this answer and kept nowhere; null where it was shown already"


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Identity(_Order):
    """Somebody as an OpenID provider knows him."""

    issuer: Annotated[str, Field(min_length=1, max_length=400, pattern=r"^https?://[^\s\x00]+$")]
    subject: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NewMember(_Order):
    """Somebody to be added to the organisation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "J. Doe", "roles": ["operator"]},
                {
                    "name": "M. Muster",
                    "roles": ["certifier", "auditor"],
                    "identity": {"issuer": "https://login.example.com", "subject": "8f14e45f"},
                },
            ]
        }
    )

    name: Line = Field(description="As custody logs name him; it is never given to anybody else")
    roles: Roles
    identity: Identity | None = Field(default=None, description="Null: he uses API keys alone")


class NewRoles(_Order):
    """Roles in the place of those a member has."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"roles": ["applicant", "reviewer"]}]})

    roles: Roles


class NewKey(_Order):
    """An API key to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "label": "nightly captures",
                    "scopes": ["matters:read", "captures:write", "evidence:read"],
                    "expires_at": "2030-01-01T00:00:00Z",
                }
            ]
        }
    )

    label: Line = Field(description="What it is for")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))] | None = Field(
        default=None, description="What it may do at most; null: whatever its member may"
    )
    expires_at: AwareDatetime | None = Field(default=None, description="Null: good until it is revoked")


class FirstAdministrator(_Order):
    """Who looks after a new organisation's members."""

    name: Line
    identity: Identity | None = None


class NewOrganisation(_Order):
    """An organisation to be registered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Aurelle SA", "code": "AUR", "administrator": {"name": "C. Martin"}}]
        }
    )

    name: Line
    code: Annotated[str, Field(pattern=r"^[A-Z]{2,8}$")] | None = Field(
        default=None, description="Begins the numbers of its certificates; null: the installation's prefix"
    )
    administrator: FirstAdministrator | None = Field(
        default=None, description="Its first member, who gets a key"
    )


class OrganisationView(BaseModel):
    """An organisation."""

    id: str
    name: str
    code: str | None
    created_at: datetime

    @classmethod
    def of(cls, found: Organisation) -> Self:
        """The view of a record."""
        return cls(**{name: getattr(found, name) for name in OrganisationView.model_fields})


class OrganisationPage(BaseModel):
    """Some organisations, and where to go on."""

    items: list[OrganisationView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class MemberView(BaseModel):
    """A member."""

    id: str
    name: str
    roles: list[str]
    issuer: str | None
    subject: str | None
    created_at: datetime
    ended_at: datetime | None = Field(description="Since when he may do nothing any more")
    confirmed_at: datetime | None = Field(
        description="When he first named the organisation with a token; null until then, and with keys alone"
    )

    @classmethod
    def of(cls, member: Member) -> Self:
        """The view of a record."""
        found: dict[str, Any] = {name: getattr(member, name) for name in cls.model_fields}
        return cls(**found | {"roles": list(member.roles)})


class MemberPage(BaseModel):
    """Some members, and where to go on."""

    items: list[MemberView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class KeyView(BaseModel):
    """An API key, without the key."""

    id: str
    member_id: str
    label: str
    scopes: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: Key) -> Self:
        """The view of a record."""
        found: dict[str, Any] = {name: getattr(key, name) for name in KeyView.model_fields}
        return cls(**found | {"scopes": None if key.scopes is None else list(key.scopes)})


class KeyPage(BaseModel):
    """Some keys, and where to go on."""

    items: list[KeyView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class IssuedKeyView(KeyView):
    """A key that was made."""

    key: str | None = Field(description=_SHOWN_ONCE)
    note: str = Field(default="", description="Why there is no key, where there is none")


class RegisteredView(OrganisationView):
    """An organisation that was registered, with its first administrator and his key."""

    administrator: MemberView | None
    key: str | None = Field(description=_SHOWN_ONCE)
    note: str = Field(default="", description="Why there is no key, where there is none")


class EventView(BaseModel):
    """What an administrator did."""

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str = Field(description="Id of the organisation, member or key")
    detail: dict[str, Any] = Field(description="What it is afterwards")

    @classmethod
    def of(cls, event: Event) -> Self:
        """The view of a record."""
        found: dict[str, Any] = {name: getattr(event, name) for name in cls.model_fields}
        return cls(**found | {"detail": dict(event.detail)})


class EventPage(BaseModel):
    """Some of the log, and where to go on."""

    items: list[EventView]
    next: int | None = Field(description="Give it as “after” for the next page; null on the last")
