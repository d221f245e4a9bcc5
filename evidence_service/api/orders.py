"""What goes in and out of the API where captures are ordered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from evidence_service.api.schemas import NO_CERTIFICATE
from evidence_service.capture.options import MAX_STEPS
from evidence_service.store.lists import CaptureList, Row

MAX_ROWS = 5_000
_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
"""PostgreSQL takes no NUL, and a line break in a label would break whoever prints it."""

Line = Annotated[str, Field(max_length=400, pattern=_NO_CONTROL)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[str, Field(min_length=1, max_length=4096, description="The listing's address")]
LoginState = Annotated[
    dict[str, Any] | None,
    Field(
        repr=False,
        description="Cookies and storage of a signed-in session as Playwright saves them (storageState). "
        "A secret: kept sealed, never shown, deleted when the capture has ended",
        json_schema_extra={"writeOnly": True},
    ),
]
Certificate = Annotated[bool, Field(description="Issue a certificate when the evidence is anchored")]


class StepOrder(BaseModel):
    """One scripted step, carried out after the page has settled."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["click", "choose", "fill", "open", "wait_for"]
    selector: Line = Field(default="", description="CSS selector of the element; empty: text finds it")
    text: Line = Field(default="", description="Visible text of the element; empty: selector finds it")
    value: Line = Field(default="", description="Option to choose, text to fill in, address to open")


class OptionsOrder(BaseModel):
    """How a listing is captured; what is left out is as the service is configured."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "profile": "mobile",
                    "locale": "zh-CN",
                    "timezone": "Asia/Shanghai",
                    "steps": [{"action": "click", "text": "规格参数"}],
                }
            ]
        },
    )

    profile: Literal["desktop", "mobile"] = Field(
        default="desktop", description="Viewport, touch and user agent"
    )
    locale: Line = Field(default="", description="Locale the page is told, e.g. `zh-CN`")
    timezone: Line = Field(default="", description="Time zone the page is told, e.g. `Asia/Shanghai`")
    mode: Literal["recording_proxy", "tunnel"] = Field(
        default="recording_proxy",
        description="`tunnel` for sites that refuse the recorder's TLS: bytes as the browser reports them",
    )
    steps: list[StepOrder] = Field(default_factory=list, max_length=MAX_STEPS)

    def given(self) -> dict[str, Any]:
        """What the order says, without what it leaves out."""
        return self.model_dump(exclude_unset=True)


class NewCapture(BaseModel):
    """An order to capture a listing."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"matter_id": "m-0123456789abcdef", "url": "https://example.com/item/1"},
                {
                    "matter_id": "m-0123456789abcdef",
                    "url": "https://example.com/item/1",
                    "options": {"profile": "mobile", "locale": "de-DE", "timezone": "Europe/Berlin"},
                },
            ]
        },
    )

    matter_id: Id
    url: Url
    certificate: Certificate = True
    urgent: bool = Field(
        default=False, description="Capture it first, and close the batch as soon as it is registered"
    )
    options: OptionsOrder = Field(default_factory=OptionsOrder)
    login_state: LoginState = None


class CaptureRow(BaseModel):
    """One row of a list."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    label: Line = Field(default="", description="Your own name of the row, given back with it")
    options: OptionsOrder = Field(
        default_factory=OptionsOrder, description="Outweigh those of the list, one by one"
    )
    key: Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_CONTROL)] | None = Field(
        default=None,
        description="Idempotency key of the row: repeated in this list or another, it captures nothing twice",
    )


class NewCaptureList(BaseModel):
    """An order to capture many listings for one matter."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "matter_id": "m-0123456789abcdef",
                    "options": {"locale": "en-GB"},
                    "rows": [
                        {"url": "https://example.com/item/1", "label": "shop A"},
                        {"url": "https://example.com/item/2", "options": {"profile": "mobile"}},
                    ],
                }
            ]
        },
    )

    matter_id: Id
    certificate: Certificate = True
    options: OptionsOrder = Field(default_factory=OptionsOrder, description="Of rows that say nothing else")
    login_state: LoginState = None
    # Each row is looked at by itself: a bad one refuses no other.
    rows: list[SkipValidation[CaptureRow]] = Field(min_length=1, max_length=MAX_ROWS)


class ProblemView(BaseModel):
    """Why a row was refused, as problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    what_to_do: str

    @classmethod
    def of(cls, problem: Mapping[str, str]) -> Self:
        """The view of a record."""
        return cls(
            type=f"urn:evidence-service:problem:{problem['kind']}",
            title=problem["title"],
            status=409 if problem["kind"] == "conflict" else 422,
            what_to_do=problem["what_to_do"],
        )


class RowView(BaseModel):
    """A row and what became of it; what belongs to its evidence is null where it was refused."""

    position: int = Field(description="From 1, in the list")
    url: str
    label: str
    result: Literal["accepted", "refused"]
    problem: ProblemView | None
    id: str | None = Field(description="Of the evidence")
    status: str | None
    progress: str | None
    waiting_for: str | None
    outcome: str | None = Field(description="How the capture ended")
    reasons: list[str] = Field(description="Why it ended so")
    stopped: bool = Field(description="The work on it has ended for good; progress says why")
    certificate_refused: str | None = Field(description=NO_CERTIFICATE)
    batch_by: datetime | None = Field(description="What its receipt promises")

    @classmethod
    def of(cls, row: Row) -> Self:
        """The view of a record."""
        return cls(
            position=row.position,
            url=row.url,
            label=row.label,
            result="accepted" if row.problem is None else "refused",
            problem=None if row.problem is None else ProblemView.of(row.problem),
            id=row.evidence_id,
            status=row.status,
            progress=row.progress,
            waiting_for=row.waiting_for,
            outcome=row.outcome,
            reasons=list(row.reasons or ()),
            stopped=bool(row.refused),
            certificate_refused=row.progress if row.refused else row.certificate_refused,
            batch_by=row.batch_by,
        )


class RowOutcome(BaseModel):
    """What an order answers for one row: accepted with a receipt, or refused with a problem."""

    position: int = Field(description="From 1, in the list")
    result: Literal["accepted", "refused"]
    id: str | None = Field(description="Of the evidence")
    receipt: dict[str, Any] | None = Field(description="Signed promise (evidence-receipt/1)")
    problem: ProblemView | None


class CaptureListView(BaseModel):
    """A list and where its rows stand."""

    id: str
    matter_id: str
    created_at: datetime
    accepted: int = Field(description="Rows that became evidence")
    refused: int = Field(description="Rows that were refused")
    stopped: int = Field(description="Accepted rows whose work has ended for good before its end")
    statuses: dict[str, int] = Field(description="Accepted rows by the status of their evidence")
    outcomes: dict[str, int] = Field(description="Captured rows by how the capture ended")

    @classmethod
    def of(cls, found: CaptureList) -> Self:
        """The view of a record."""
        return cls(
            id=found.id,
            matter_id=found.matter_id,
            created_at=found.created_at,
            accepted=found.accepted,
            refused=found.refused,
            stopped=found.stopped,
            statuses=dict(found.statuses),
            outcomes=dict(found.outcomes),
        )


class AcceptedListView(CaptureListView):
    """A list that was accepted, with the answer to each row."""

    rows: list[RowOutcome]


class RowPage(BaseModel):
    """Some rows, and where to go on."""

    items: list[RowView]
    next: int | None = Field(description="Give it as “after” for the next page; null on the last")
