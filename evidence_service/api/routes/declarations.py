"""Declarations: who may sign which, and drafts of them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from evidence_service.api.auth import CertificateReader, Wired
from evidence_service.certificate.forms import forms
from evidence_service.service.declare import Wish, declare, participants

router = APIRouter(prefix="/v1/evidence/{evidence_id}/declarations", tags=["declarations"])


class FormView(BaseModel):
    """A declaration there is."""

    form: str
    title: str
    law: str = Field(description="The rule it is made for")
    languages: list[str] = Field(description="The first one is printed when none is asked for")
    signed_by: str = Field(description="Whose part in the evidence fits it")


class PartView(BaseModel):
    """A custody event somebody took part in."""

    sequence: int
    action: str
    at: str
    role: str


class PersonView(BaseModel):
    """Somebody who took part in the evidence."""

    person: str = Field(description="Name in the custody log")
    events: list[PartView]
    may_sign: list[str] = Field(description="Forms that fit what this person did")


class DeclarationsView(BaseModel):
    """Who may sign what."""

    forms: list[FormView]
    people: list[PersonView] = Field(description="The service itself is no person")


@router.get("")
def list_declarations(evidence_id: str, _: CertificateReader, parts: Wired) -> DeclarationsView:
    """Which declarations there are, and who may sign them as the custody log stands."""
    parts.records.evidence(evidence_id)
    return DeclarationsView(
        forms=[FormView(**form.described()) for form in forms()],
        people=[
            PersonView(
                person=found.id,
                events=[
                    PartView(
                        sequence=event["sequence"],
                        action=event["action"],
                        at=event["at"],
                        role=event["actor"]["role"],
                    )
                    for event in found.events
                ],
                may_sign=list(found.may_sign),
            )
            for found in participants(parts.records.custody(evidence_id))
        ],
    )


@router.get("/{form}.pdf", response_class=Response)
def download_declaration(
    evidence_id: str,
    form: str,
    caller: CertificateReader,
    parts: Wired,
    person: Annotated[
        str, Query(min_length=1, max_length=200, description="Who is to sign, by the name in the custody log")
    ],
    name: Annotated[
        str, Query(min_length=1, max_length=200, description="Full name, printed as given and not checked")
    ],
    language: Annotated[Literal["en", "zh", "en+zh"] | None, Query(description="One of the form's")] = None,
) -> Response:
    """A draft, not signed, filled for one person; noted in the custody log."""
    found = declare(parts, evidence_id, Wish(form, person, name, language), actor=(caller.actor, caller.role))
    return Response(
        found.pdf,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{found.form}-{found.certificate}.pdf"',
        },
    )
