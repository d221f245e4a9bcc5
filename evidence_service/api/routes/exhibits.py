"""Exhibits: one package for court or opponent, with what is masked in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.downloads import stored_file
from evidence_service.api.idempotency import IdempotencyKey, new_id, once
from evidence_service.api.schemas import Text
from evidence_service.errors import ConflictError
from evidence_service.exhibit.plan import parse_plan
from evidence_service.service.exhibit import note_download, order_exhibit
from evidence_service.service.parts import Parts
from evidence_service.store.exhibits import Exhibit

router = APIRouter(prefix="/v1", tags=["exhibits"])

Maker = Annotated[Principal, may("exhibits:write")]
Copier = Annotated[Principal, may("evidence:download")]

Line = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NewExhibit(BaseModel):
    """An order of an exhibit of one piece of evidence."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "for": "opponent",
                    "recipient": "Kanzlei Beispiel, Hamburg",
                    "redact": {
                        "texts": [{"text": "13800138000", "reason": "telephone number of a third person"}],
                        "withheld": [{"path": "screenshot.png"}],
                        "without_certificate": True,
                    },
                }
            ]
        },
    )

    audience: Literal["court", "opponent"] = Field(alias="for", description="Who is to read it")
    recipient: Line = Field(description="Name, written into the custody log and the exhibit")
    purpose: Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    redact: dict[str, Any] = Field(
        default_factory=dict,
        repr=False,
        description="What is masked or withheld: evidence-redaction-plan/1, docs/spec/exhibit.md section 4",
    )


class NewExhibitOfSeveral(NewExhibit):
    """An order of one exhibit of several pieces of evidence."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "for": "court",
                    "recipient": "Landgericht Beispiel",
                    "evidence": ["ev-0123456789abcdef0123", "ev-3210fedcba9876543210"],
                }
            ]
        }
    )

    evidence: list[Text] = Field(min_length=1, max_length=100)


class ExhibitFileView(BaseModel):
    """What became of one file of the evidence."""

    evidence: str
    path: str
    treatment: str = Field(description="original, masked_text, masked_areas or withheld")
    count: int = Field(description="Places or areas that were masked")
    reason: str


class ExhibitView(BaseModel):
    """Where an exhibit stands; nothing of what is masked."""

    id: str
    evidence: list[str]
    audience: str
    recipient: str
    status: str = Field(description="ordered → made | refused")
    waiting_for: str | None
    problem: str | None = Field(description="Why it was refused")
    what_to_do: str | None
    sha256: str | None
    size: int | None
    files: list[ExhibitFileView]

    @classmethod
    def of(cls, exhibit: Exhibit) -> Self:
        """The view of a record."""
        problem = exhibit.problem or {}
        return cls(
            id=exhibit.id,
            evidence=list(exhibit.evidence),
            audience=exhibit.audience,
            recipient=exhibit.recipient,
            status=exhibit.status,
            waiting_for=exhibit.waiting_for,
            problem=problem.get("message"),
            what_to_do=problem.get("what_to_do"),
            sha256=None if exhibit.sha256 is None else exhibit.sha256.hex(),
            size=exhibit.size,
            files=[ExhibitFileView(**item) for item in exhibit.files or ()],
        )


@router.post("/evidence/{evidence_id}/exhibit", status_code=202, response_model=ExhibitView)
def order_one(
    evidence_id: str, order: NewExhibit, caller: Maker, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Order an exhibit of a piece of evidence; it is made by the worker."""
    return _ordered(parts, caller, order, [evidence_id], idempotency_key)


@router.post("/exhibits", status_code=202, response_model=ExhibitView)
def order_several(
    order: NewExhibitOfSeveral, caller: Maker, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Order one exhibit of several pieces of evidence, each in its folder."""
    return _ordered(parts, caller, order, list(dict.fromkeys(order.evidence)), idempotency_key)


@router.get("/exhibits/{exhibit_id}")
def show_exhibit(exhibit_id: str, _: Reader, parts: Wired) -> ExhibitView:
    """Where an exhibit stands."""
    return ExhibitView.of(parts.exhibits.exhibit(exhibit_id))


@router.get("/exhibits/{exhibit_id}/exhibit.zip", response_class=FileResponse)
def download_exhibit(exhibit_id: str, caller: Copier, parts: Wired) -> FileResponse:
    """The package of an exhibit; who takes it is noted in the custody log of each piece of evidence in it."""
    exhibit = parts.exhibits.exhibit(exhibit_id)
    parts.requests.refuse_deleted(exhibit.evidence)
    if exhibit.sha256 is None:
        raise ConflictError(
            f"exhibit {exhibit_id} is {exhibit.status}, not made", what_to_do="look at its status"
        )
    return stored_file(
        parts,
        exhibit.sha256,
        media_type="application/zip",
        filename=f"{exhibit_id}.zip",
        note=lambda: note_download(parts, exhibit, (caller.actor, caller.role)),
    )


def _ordered(
    parts: Parts, caller: Principal, order: NewExhibit, evidence: list[str], key: str | None
) -> JSONResponse:
    exhibit_id = new_id("ex", caller, key)

    def perform() -> ExhibitView:
        order_exhibit(
            parts,
            Exhibit(
                id=exhibit_id,
                evidence=evidence,
                operator=caller.actor,
                audience=order.audience,
                recipient=order.recipient,
                purpose=order.purpose,
                plan=parse_plan(order.redact).value,
                status="ordered",
                waiting_for=None,
                problem=None,
                sha256=None,
                size=None,
                files=None,
                ordered_at=parts.now(),
                operator_role=caller.role,
            ),
        )
        return ExhibitView.of(parts.exhibits.exhibit(exhibit_id))

    return once(parts, caller, key, ["exhibit", evidence, order.model_dump()], 202, perform)
