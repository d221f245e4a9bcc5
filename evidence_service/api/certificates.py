"""What goes in and out of the API where certificates are issued and looked after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from evidence_service.certificate.edition import DEFAULT
from evidence_service.errors import ConflictError, NotFoundError, RefusedError
from evidence_service.service.order_certificate import RowResult
from evidence_service.service.register_digest import digest_evidence_id
from evidence_service.store.certificate_orders import CertificateOrder
from evidence_service.store.certificates import Certificate, ReleasedPdf, StatusChange

MAX_ROWS = 1_000

Number = Annotated[
    str, Path(pattern=r"^[A-Z]{1,8}-[0-9]{4}-[0-9]{6,9}$", description="Number of a certificate")
]

Edition = Annotated[
    str,
    Field(
        max_length=60, description="Jurisdiction and languages, e.g. `cn:en+zh`, `us-vt:en`, `generic:en+zh`"
    ),
]
Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=400,
        pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
        description="Why, in a sentence. It is shown in the public register: no names, no personal data",
    ),
]
Status = Literal["reserved", "released", "superseded", "withdrawn"]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewCertificate(_Order):
    """An order of one certificate."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"edition": "cn:en+zh"}]})

    edition: Edition = DEFAULT


class NewCertificates(_Order):
    """An order of a certificate for each of many pieces of evidence."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"evidence": ["ev-0123456789abcdef0123", "ev-3210fedcba9876543210"], "edition": "us:en"}
            ]
        }
    )

    evidence: list[Annotated[str, Field(max_length=200)]] = Field(
        min_length=1, max_length=MAX_ROWS, description="Ids of evidence"
    )
    edition: Edition = DEFAULT


class Withdrawal(_Order):
    """The end of a certificate."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "The listing is of another seller"}]}
    )

    reason: Reason


class Succession(_Order):
    """Another certificate in the place of one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "The applicant's name has changed", "edition": "eu:en"}]}
    )

    reason: Reason
    edition: Edition | None = Field(default=None, description="Null: the same as before")


class Extension(_Order):
    """An extension of a certificate's seal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sequence": 1}]})

    sequence: int | None = Field(
        default=None,
        ge=1,
        description="Of the PDF to extend; where there is a newer one, nothing is done. Null: the newest",
    )


class CertificateOrderView(BaseModel):
    """An order and where it stands."""

    id: str
    evidence_id: str
    edition: str
    supersedes: str | None = Field(description="Number of the certificate whose place it takes")
    reason: str
    state: Literal["open", "issued", "refused"]
    number: str | None = Field(description="Of its certificate; the certificate is there when it is issued")
    waiting_for: str | None = Field(description="What is unavailable, and what to do about it")
    problem: str = Field(description="Why it was refused")
    ordered_at: datetime

    @classmethod
    def of(cls, order: CertificateOrder) -> Self:
        """The view of a record."""
        return cls(
            **{name: getattr(order, name) for name in cls.model_fields if name != "state"},
            state=order.state,  # type: ignore[arg-type]  # the record holds nothing else
        )


class CertificateView(BaseModel):
    """A certificate and where it stands."""

    number: str
    evidence_id: str
    edition: str
    status: Status = Field(description="reserved → released → superseded or withdrawn")
    since: datetime = Field(description="When it came to its status")
    reason: str = Field(description="Why it was superseded or withdrawn")
    superseded_by: str | None = Field(description="Number of the certificate that took its place")
    qualifications: list[str] = Field(description="What is said on it because a rule demands it")
    level: str
    sha256: str = Field(description="Of its newest PDF")
    released_at: datetime | None
    waiting_for: str | None = Field(description="Why its seal could not be extended when that was due")

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        """The view of a record."""
        return cls(**_members(certificate))


def _members(certificate: Certificate) -> dict[str, Any]:
    same = ("number", "evidence_id", "edition", "status", "since", "reason", "superseded_by", "released_at")
    return {
        **{name: getattr(certificate, name) for name in (*same, "waiting_for")},
        "qualifications": list(certificate.qualifications),
        "level": certificate.level or "",
        "sha256": (certificate.sha256 or b"").hex(),
    }


class PdfView(BaseModel):
    """A PDF that was released under a number."""

    sequence: int = Field(description="1: as it was sealed; then one more for each extension of the seal")
    sha256: str
    level: str
    at: datetime
    ends_at: datetime | None = Field(
        description="When the first certificate that holds its newest time stamp ends, where that is watched"
    )
    evidence_id: str = Field(description="Evidence of kind digest that its SHA-256 is registered as")

    @classmethod
    def of(cls, pdf: ReleasedPdf) -> Self:
        """The view of a record."""
        same = {name: getattr(pdf, name) for name in ("sequence", "level", "at", "ends_at")}
        return cls(**same, sha256=pdf.sha256.hex(), evidence_id=digest_evidence_id(pdf.sha256))


class DueView(BaseModel):
    """A certificate whose seal is to be extended."""

    number: str
    sequence: int = Field(description="Of its newest PDF")
    ends_at: datetime | None = Field(description="When the newest time stamp ends")


class ChangeView(BaseModel):
    """An entry of a certificate's history."""

    sequence: int
    status: Status
    at: datetime
    actor: str
    reason: str
    superseded_by: str | None

    @classmethod
    def of(cls, change: StatusChange) -> Self:
        """The view of a record."""
        return cls(**{name: getattr(change, name) for name in cls.model_fields})


class CertificateDetail(CertificateView):
    """A certificate with its history and all its PDFs, oldest first."""

    history: list[ChangeView]
    pdfs: list[PdfView]

    @classmethod
    def whole(
        cls, certificate: Certificate, history: Sequence[StatusChange], pdfs: Sequence[ReleasedPdf]
    ) -> Self:
        """The view of a record."""
        return cls(
            **_members(certificate),
            history=[ChangeView.of(item) for item in history],
            pdfs=[PdfView.of(item) for item in pdfs],
        )


class CertificatePage(BaseModel):
    """Some certificates, and where to go on."""

    items: list[CertificateView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class RefusalView(BaseModel):
    """Why a row was refused, as problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    what_to_do: str

    @classmethod
    def of(cls, error: RefusedError) -> Self:
        """The view of an error."""
        kind, status = next(
            ((kind, status) for family, kind, status in _KINDS if isinstance(error, family)), ("refused", 422)
        )
        return cls(
            type=f"urn:evidence-service:problem:{kind}",
            title=error.message,
            status=status,
            what_to_do=error.what_to_do,
        )


_KINDS = ((NotFoundError, "not-found", 404), (ConflictError, "conflict", 409))


class OrderedRow(BaseModel):
    """What became of one row: an order, or a problem."""

    evidence_id: str
    order: CertificateOrderView | None
    problem: RefusalView | None

    @classmethod
    def of(cls, row: RowResult) -> Self:
        """The view of a result."""
        return cls(
            evidence_id=row.evidence_id,
            order=None if row.order is None else CertificateOrderView.of(row.order),
            problem=None if row.problem is None else RefusalView.of(row.problem),
        )


class OrderedRows(BaseModel):
    """The answer to a list, row by row in its order."""

    rows: list[OrderedRow]


class RegisteredPdf(BaseModel):
    """A PDF that the register stands for."""

    sha256: str
    level: str
    at: datetime


class RegisterEntry(BaseModel):
    """What anybody may know about a number: hashes, times, and its status. No personal data."""

    format: Literal["evidence-register/1"] = "evidence-register/1"
    number: str
    status: Status = Field(
        description="reserved: no certificate was released under this number; released: it is current"
    )
    since: datetime
    reason: str
    superseded_by: str | None
    issued_at: datetime | None
    edition: str
    sha256: str | None = Field(description="Of the newest PDF")
    pdfs: list[RegisteredPdf] = Field(description="All PDFs released under this number, oldest first")
    qualifications: list[str] = Field(description="What is said on it because a rule demands it")
    evidence_sha256: str | None = Field(description="Digest of the evidence: SHA-256 of its manifest")

    @classmethod
    def public(
        cls, certificate: Certificate, pdfs: Sequence[ReleasedPdf], evidence_sha256: bytes | None
    ) -> Self:
        """The public part of a record."""
        return cls(
            number=certificate.number,
            status=certificate.status,  # type: ignore[arg-type]  # the record holds nothing else
            since=certificate.since,
            reason=certificate.reason,
            superseded_by=certificate.superseded_by,
            issued_at=certificate.released_at,
            edition=certificate.edition,
            sha256=None if certificate.sha256 is None else certificate.sha256.hex(),
            pdfs=[RegisteredPdf(sha256=item.sha256.hex(), level=item.level, at=item.at) for item in pdfs],
            qualifications=list(certificate.qualifications),
            evidence_sha256=None if evidence_sha256 is None else evidence_sha256.hex(),
        )
