"""What is sent and answered. Made by scripts/generate_client.py; do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class AcceptedListView(BaseModel):
    """A list that was accepted, with the answer to each row."""

    model_config = ConfigDict(populate_by_name=True)

    accepted: int
    created_at: datetime
    id: str
    matter_id: str
    outcomes: dict[str, int]
    refused: int
    rows: list[RowOutcome]
    statuses: dict[str, int]
    stopped: int


class AcceptedRegistration(BaseModel):
    """A registered digest, durable, and the receipt for it; the same however often it is asked for."""

    model_config = ConfigDict(populate_by_name=True)

    accepted_at: datetime
    batch_by: datetime
    id: str
    matter_id: str
    receipt: dict[str, Any]
    sha256: str


class AcceptedRegistrationList(BaseModel):
    """A list, durable, with the answer to each row; the same however often it is asked for."""

    model_config = ConfigDict(populate_by_name=True)

    accepted: int
    accepted_at: datetime
    batch_by: datetime
    id: str
    matter_id: str
    receipt: dict[str, Any] | None
    refused: int
    rows: list[RowResult]


class AcceptedView(BaseModel):
    """Accepted evidence and the receipt for it."""

    model_config = ConfigDict(populate_by_name=True)

    batch: str | None
    certificate_refused: str | None
    certificate_wanted: bool
    created_at: datetime
    deleted_at: datetime | None
    id: str
    kind: Literal["platform_capture", "upload", "digest"]
    matter_id: str
    name: str | None
    options: dict[str, Any] | None
    outcome: str | None
    progress: str
    reasons: list[str]
    receipt: dict[str, Any]
    status: str
    stopped: bool
    url: str | None
    waiting_for: str | None


class AnchorPage(BaseModel):
    """Some anchors, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[AnchorView]
    next: int | None


class AnchorView(BaseModel):
    """A batch on a chain."""

    model_config = ConfigDict(populate_by_name=True)

    attempts: int
    batch: str
    block_hash: str | None
    block_number: int | None
    chain_id: int
    closed_at: datetime
    commitment: str
    contract: str
    expected_at: datetime | None
    nonce: int | None
    reason: str
    size: int
    state: str
    submitter: str
    transaction: str | None


class Because(BaseModel):
    """Why something is done; written into the custody log."""

    model_config = ConfigDict(populate_by_name=True)

    reason: str


class CaptureListView(BaseModel):
    """A list and where its rows stand."""

    model_config = ConfigDict(populate_by_name=True)

    accepted: int
    created_at: datetime
    id: str
    matter_id: str
    outcomes: dict[str, int]
    refused: int
    statuses: dict[str, int]
    stopped: int


class CaptureRow(BaseModel):
    """One row of a list."""

    model_config = ConfigDict(populate_by_name=True)

    key: str | None = None
    label: str = ""
    options: OptionsOrder | None = None
    url: str


class CertificateDetail(BaseModel):
    """A certificate with its history and all its PDFs, oldest first."""

    model_config = ConfigDict(populate_by_name=True)

    edition: str
    evidence_id: str
    history: list[ChangeView]
    level: str
    number: str
    pdfs: list[PdfView]
    qualifications: list[str]
    reason: str
    released_at: datetime | None
    sha256: str
    since: datetime
    status: Literal["reserved", "released", "superseded", "withdrawn"]
    superseded_by: str | None
    waiting_for: str | None


class CertificateOrderView(BaseModel):
    """An order and where it stands."""

    model_config = ConfigDict(populate_by_name=True)

    edition: str
    evidence_id: str
    id: str
    number: str | None
    ordered_at: datetime
    problem: str
    reason: str
    state: Literal["open", "issued", "refused"]
    supersedes: str | None
    waiting_for: str | None


class CertificatePage(BaseModel):
    """Some certificates, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[CertificateView]
    next: str | None


class CertificateView(BaseModel):
    """A certificate and where it stands."""

    model_config = ConfigDict(populate_by_name=True)

    edition: str
    evidence_id: str
    level: str
    number: str
    qualifications: list[str]
    reason: str
    released_at: datetime | None
    sha256: str
    since: datetime
    status: Literal["reserved", "released", "superseded", "withdrawn"]
    superseded_by: str | None
    waiting_for: str | None


class ChainView(BaseModel):
    """A key on a chain, as the last look at it showed."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    balance: str | None
    balance_low: bool | None
    block_seconds: float | None
    chain_id: int
    events: dict[str, int]
    final: int | None
    head: int | None
    name: str
    nodes: list[NodeView]
    nonce: int | None
    problem: str
    submitter: str


class ChangeView(BaseModel):
    """An entry of a certificate's history."""

    model_config = ConfigDict(populate_by_name=True)

    actor: str
    at: datetime
    reason: str
    sequence: int
    status: Literal["reserved", "released", "superseded", "withdrawn"]
    superseded_by: str | None


class ChangedWebhook(BaseModel):
    """What is to be otherwise."""

    model_config = ConfigDict(populate_by_name=True)

    enabled: bool | None = None
    types: (
        list[
            Literal[
                "evidence.accepted",
                "evidence.captured",
                "evidence.sealed",
                "evidence.stamped",
                "evidence.registered",
                "evidence.anchored",
                "evidence.certified",
                "evidence.stopped",
                "certificate.refused",
                "certificate.released",
                "certificate.superseded",
                "certificate.withdrawn",
                "exhibit.made",
                "exhibit.refused",
            ]
        ]
        | None
    ) = None
    url: str | None = None


class CheckpointPage(BaseModel):
    """Some checkpoints, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[CheckpointView]
    next: int | None


class CheckpointView(BaseModel):
    """A checkpoint."""

    model_config = ConfigDict(populate_by_name=True)

    document: dict[str, Any]
    evidence_id: str


class DeclarationsView(BaseModel):
    """Who may sign what."""

    model_config = ConfigDict(populate_by_name=True)

    forms: list[FormView]
    people: list[PersonView]


class DeliveryPage(BaseModel):
    """Some deliveries, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[DeliveryView]
    next: int | None


class DeliveryView(BaseModel):
    """What became of telling an endpoint of an event."""

    model_config = ConfigDict(populate_by_name=True)

    attempt: int
    created_at: datetime
    last_at: datetime | None
    last_status: int | None
    message_id: str
    next_at: datetime | None
    position: int
    problem: str
    state: str
    type: str


class DueView(BaseModel):
    """A certificate whose seal is to be extended."""

    model_config = ConfigDict(populate_by_name=True)

    ends_at: datetime | None
    number: str
    sequence: int


class EntryView(BaseModel):
    """An entry of the log."""

    model_config = ConfigDict(populate_by_name=True)

    event: dict[str, Any] | None
    event_hash: str
    evidence_id: str
    head: str
    position: int


class EventPage(BaseModel):
    """Some of the log, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[EventView]
    next: int | None


class EventView(BaseModel):
    """What an administrator did."""

    model_config = ConfigDict(populate_by_name=True)

    action: str
    actor: str
    at: datetime
    detail: dict[str, Any]
    sequence: int
    subject: str


class EvidencePage(BaseModel):
    """Some evidence, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[EvidenceView]
    next: str | None


class EvidenceView(BaseModel):
    """Where a piece of evidence stands."""

    model_config = ConfigDict(populate_by_name=True)

    batch: str | None
    certificate_refused: str | None
    certificate_wanted: bool
    created_at: datetime
    deleted_at: datetime | None
    id: str
    kind: Literal["platform_capture", "upload", "digest"]
    matter_id: str
    name: str | None
    options: dict[str, Any] | None
    outcome: str | None
    progress: str
    reasons: list[str]
    status: str
    stopped: bool
    url: str | None
    waiting_for: str | None


class ExhibitFileView(BaseModel):
    """What became of one file of the evidence."""

    model_config = ConfigDict(populate_by_name=True)

    count: int
    evidence: str
    path: str
    reason: str
    treatment: str


class ExhibitView(BaseModel):
    """Where an exhibit stands; nothing of what is masked."""

    model_config = ConfigDict(populate_by_name=True)

    audience: str
    evidence: list[str]
    files: list[ExhibitFileView]
    id: str
    problem: str | None
    recipient: str
    sha256: str | None
    size: int | None
    status: str
    waiting_for: str | None
    what_to_do: str | None


class Extension(BaseModel):
    """An extension of a certificate's seal."""

    model_config = ConfigDict(populate_by_name=True)

    sequence: int | None = None


class FileView(BaseModel):
    """A preserved file."""

    model_config = ConfigDict(populate_by_name=True)

    media_type: str
    path: str
    role: str
    sha256: str
    size: int


class FirstAdministrator(BaseModel):
    """Who looks after a new organisation's members."""

    model_config = ConfigDict(populate_by_name=True)

    identity: Identity | None = None
    name: str


class FormView(BaseModel):
    """A declaration there is."""

    model_config = ConfigDict(populate_by_name=True)

    form: str
    languages: list[str]
    law: str
    signed_by: str
    title: str


class HoldPage(BaseModel):
    """Some holds, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[HoldView]
    next: str | None


class HoldView(BaseModel):
    """A legal hold."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    evidence_id: str | None
    id: str
    lift_reason: str | None
    lifted_at: datetime | None
    lifted_by: str | None
    matter_id: str | None
    placed_by: str
    reason: str


class Identity(BaseModel):
    """Somebody as an OpenID provider knows him."""

    model_config = ConfigDict(populate_by_name=True)

    issuer: str
    subject: str


class IssuedKeyView(BaseModel):
    """A key that was made."""

    model_config = ConfigDict(populate_by_name=True)

    created_at: datetime
    expires_at: datetime | None
    id: str
    key: str | None
    label: str
    member_id: str
    note: str = ""
    revoked_at: datetime | None
    scopes: list[str] | None


class KeyPage(BaseModel):
    """Some keys, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[KeyView]
    next: str | None


class KeyView(BaseModel):
    """An API key, without the key."""

    model_config = ConfigDict(populate_by_name=True)

    created_at: datetime
    expires_at: datetime | None
    id: str
    label: str
    member_id: str
    revoked_at: datetime | None
    scopes: list[str] | None


class ListedRow(BaseModel):
    """A row of a list: registered, with where its evidence stands, or refused."""

    model_config = ConfigDict(populate_by_name=True)

    name: str
    position: int
    problem: ProblemView | None
    registration: RegistrationView | None


class LogPage(BaseModel):
    """Some entries, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[EntryView]
    next: int | None


class MadeReleaseLink(BaseModel):
    """A release link that was just made."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    created_by: str
    downloads: int
    evidence_id: str
    expires_at: datetime
    id: str
    max_downloads: int
    name: str
    path: str | None = None
    purpose: str
    recipient: str
    request_id: str | None
    revoked_at: datetime | None
    revoked_by: str | None
    what: str


class MatterChange(BaseModel):
    """New values of some members; those that are left out stay. Null removes a member that may be
    missing.
    """

    model_config = ConfigDict(populate_by_name=True)

    applicant: str = ""
    case_number: str | None = None
    court: str | None = None
    reference: str = ""
    respondent: str | None = None
    rights: list[str | MatterRight] | None = None


class MatterPage(BaseModel):
    """Some matters, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[MatterView]
    next: str | None


class MatterRight(BaseModel):
    """A right in its members; manifests and certificates name it in words made of them."""

    model_config = ConfigDict(populate_by_name=True)

    jurisdiction: str = ""
    kind: Literal["trade_mark", "copyright", "design", "patent"]
    registration: str = ""
    title: str = ""


class MatterView(BaseModel):
    """A registered matter."""

    model_config = ConfigDict(populate_by_name=True)

    applicant: str
    case_number: str | None
    court: str | None
    created_at: datetime
    id: str
    reference: str
    respondent: str | None
    rights: list[str]
    structured_rights: list[MatterRight]


class MemberPage(BaseModel):
    """Some members, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[MemberView]
    next: str | None


class MemberView(BaseModel):
    """A member."""

    model_config = ConfigDict(populate_by_name=True)

    confirmed_at: datetime | None
    created_at: datetime
    ended_at: datetime | None
    id: str
    issuer: str | None
    name: str
    roles: list[str]
    subject: str | None


class NewCapture(BaseModel):
    """An order to capture a listing."""

    model_config = ConfigDict(populate_by_name=True)

    certificate: bool = True
    login_state: dict[str, Any] | None = None
    matter_id: str
    options: OptionsOrder | None = None
    urgent: bool = False
    url: str


class NewCaptureList(BaseModel):
    """An order to capture many listings for one matter."""

    model_config = ConfigDict(populate_by_name=True)

    certificate: bool = True
    login_state: dict[str, Any] | None = None
    matter_id: str
    options: OptionsOrder | None = None
    rows: list[dict[str, Any]]


class NewCertificate(BaseModel):
    """An order of one certificate."""

    model_config = ConfigDict(populate_by_name=True)

    edition: str = "generic:en+zh"


class NewCertificates(BaseModel):
    """An order of a certificate for each of many pieces of evidence."""

    model_config = ConfigDict(populate_by_name=True)

    edition: str = "generic:en+zh"
    evidence: list[str]


class NewExhibit(BaseModel):
    """An order of an exhibit of one piece of evidence."""

    model_config = ConfigDict(populate_by_name=True)

    for_: Literal["court", "opponent"] = Field(alias="for")
    purpose: str = ""
    recipient: str
    redact: dict[str, Any] | None = None


class NewExhibitOfSeveral(BaseModel):
    """An order of one exhibit of several pieces of evidence."""

    model_config = ConfigDict(populate_by_name=True)

    evidence: list[str]
    for_: Literal["court", "opponent"] = Field(alias="for")
    purpose: str = ""
    recipient: str
    redact: dict[str, Any] | None = None


class NewKey(BaseModel):
    """An API key to be made."""

    model_config = ConfigDict(populate_by_name=True)

    expires_at: datetime | None = None
    label: str
    scopes: (
        list[
            Literal[
                "audit:read",
                "captures:write",
                "certificates:read",
                "certificates:write",
                "custody:approve",
                "custody:manage",
                "evidence:download",
                "evidence:read",
                "exhibits:write",
                "installation:manage",
                "installation:read",
                "matters:read",
                "matters:write",
                "organisation:manage",
                "organisation:read",
                "verification:run",
            ]
        ]
        | None
    ) = None


class NewMatter(BaseModel):
    """A dispute that evidence is collected for."""

    model_config = ConfigDict(populate_by_name=True)

    applicant: str
    case_number: str | None = None
    court: str | None = None
    reference: str
    respondent: str | None = None
    rights: list[str | MatterRight] | None = None


class NewMember(BaseModel):
    """Somebody to be added to the organisation."""

    model_config = ConfigDict(populate_by_name=True)

    identity: Identity | None = None
    name: str
    roles: list[
        Literal["administrator", "applicant", "auditor", "certifier", "custodian", "operator", "reviewer"]
    ]


class NewOrganisation(BaseModel):
    """An organisation to be registered."""

    model_config = ConfigDict(populate_by_name=True)

    administrator: FirstAdministrator | None = None
    code: str | None = None
    name: str


class NewRegistration(BaseModel):
    """A digest to be registered for a matter."""

    model_config = ConfigDict(populate_by_name=True)

    matter_id: str
    media_type: str = "application/octet-stream"
    name: str
    sha256: str
    sha3_512: str
    size: int


class NewRegistrationList(BaseModel):
    """Digests to be registered for one matter."""

    model_config = ConfigDict(populate_by_name=True)

    matter_id: str
    rows: list[dict[str, Any]]


class NewReleaseLink(BaseModel):
    """An order of an address under which one thing is given out without a key."""

    model_config = ConfigDict(populate_by_name=True)

    expires_in: int
    max_downloads: int = 1
    name: str = ""
    purpose: str
    recipient: str
    what: Literal["bundle", "certificate", "exhibit", "file"]


class NewRetention(BaseModel):
    """How long evidence is to be kept at least."""

    model_config = ConfigDict(populate_by_name=True)

    keep_until: datetime


class NewRoles(BaseModel):
    """Roles in the place of those a member has."""

    model_config = ConfigDict(populate_by_name=True)

    roles: list[
        Literal["administrator", "applicant", "auditor", "certifier", "custodian", "operator", "reviewer"]
    ]


class NewUploadSession(BaseModel):
    """What is said about a file before its bytes come."""

    model_config = ConfigDict(populate_by_name=True)

    certificate: bool = True
    matter_id: str
    media_type: str = "application/octet-stream"
    name: str
    sha256: str | None = None
    size: int
    urgent: bool = False


class NewWebhook(BaseModel):
    """An endpoint."""

    model_config = ConfigDict(populate_by_name=True)

    types: (
        list[
            Literal[
                "evidence.accepted",
                "evidence.captured",
                "evidence.sealed",
                "evidence.stamped",
                "evidence.registered",
                "evidence.anchored",
                "evidence.certified",
                "evidence.stopped",
                "certificate.refused",
                "certificate.released",
                "certificate.superseded",
                "certificate.withdrawn",
                "exhibit.made",
                "exhibit.refused",
            ]
        ]
        | None
    ) = None
    url: str


class NodeView(BaseModel):
    """A node of a chain, named by host and port."""

    model_config = ConfigDict(populate_by_name=True)

    failures: int
    head: int
    last_lie: str
    lies: int
    name: str
    resting: bool


class OptionsOrder(BaseModel):
    """How a listing is captured; what is left out is as the service is configured."""

    model_config = ConfigDict(populate_by_name=True)

    locale: str = ""
    mode: Literal["recording_proxy", "tunnel"] = "recording_proxy"
    profile: Literal["desktop", "mobile"] = "desktop"
    steps: list[StepOrder] | None = None
    timezone: str = ""


class OrderedRow(BaseModel):
    """What became of one row: an order, or a problem."""

    model_config = ConfigDict(populate_by_name=True)

    evidence_id: str
    order: CertificateOrderView | None
    problem: RefusalView | None


class OrderedRows(BaseModel):
    """The answer to a list, row by row in its order."""

    model_config = ConfigDict(populate_by_name=True)

    rows: list[OrderedRow]


class OrganisationPage(BaseModel):
    """Some organisations, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[OrganisationView]
    next: str | None


class OrganisationView(BaseModel):
    """An organisation."""

    model_config = ConfigDict(populate_by_name=True)

    code: str | None
    created_at: datetime
    id: str
    name: str


class PartView(BaseModel):
    """A custody event somebody took part in."""

    model_config = ConfigDict(populate_by_name=True)

    action: str
    at: str
    role: str
    sequence: int


class PdfView(BaseModel):
    """A PDF that was released under a number."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    ends_at: datetime | None
    evidence_id: str
    level: str
    sequence: int
    sha256: str


class PersonView(BaseModel):
    """Somebody who took part in the evidence."""

    model_config = ConfigDict(populate_by_name=True)

    events: list[PartView]
    may_sign: list[str]
    person: str


class ProblemView(BaseModel):
    """Why a row was refused, as problem details (RFC 9457)."""

    model_config = ConfigDict(populate_by_name=True)

    status: int
    title: str
    type: str
    what_to_do: str


class ProofPage(BaseModel):
    """Some proofs, in the order of their ids, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[ProofView]
    next: str | None


class ProofView(BaseModel):
    """A piece of evidence that a digest leads to."""

    model_config = ConfigDict(populate_by_name=True)

    accepted_at: datetime
    batch: str | None
    commitment: str | None
    id: str
    index: int | None
    matched: str
    matter_id: str
    path: list[str] | None
    size: int | None
    status: str


class ReadinessView(BaseModel):
    """Whether orders are accepted, and what is away."""

    model_config = ConfigDict(populate_by_name=True)

    database_schema: str
    degraded: list[str]
    failing: list[str]
    status: Literal["ready", "degraded", "not ready"]


class RefusalView(BaseModel):
    """Why a row was refused, as problem details (RFC 9457)."""

    model_config = ConfigDict(populate_by_name=True)

    status: int
    title: str
    type: str
    what_to_do: str


class RegisterEntry(BaseModel):
    """What anybody may know about a number: hashes, times, and its status. No personal data."""

    model_config = ConfigDict(populate_by_name=True)

    edition: str
    evidence_sha256: str | None
    format: Literal["evidence-register/1"] = "evidence-register/1"
    issued_at: datetime | None
    number: str
    pdfs: list[RegisteredPdf]
    qualifications: list[str]
    reason: str
    sha256: str | None
    since: datetime
    status: Literal["reserved", "released", "superseded", "withdrawn"]
    superseded_by: str | None


class RegisteredPdf(BaseModel):
    """A PDF that the register stands for."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    level: str
    sha256: str


class RegisteredView(BaseModel):
    """An organisation that was registered, with its first administrator and his key."""

    model_config = ConfigDict(populate_by_name=True)

    administrator: MemberView | None
    code: str | None
    created_at: datetime
    id: str
    key: str | None
    name: str
    note: str = ""


class RegistrationListView(BaseModel):
    """A list and where its rows stand."""

    model_config = ConfigDict(populate_by_name=True)

    accepted: int
    accepted_at: datetime
    batch_by: datetime
    id: str
    matter_id: str
    receipt: dict[str, Any] | None
    refused: int
    statuses: dict[str, int]


class RegistrationRows(BaseModel):
    """Some rows, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[ListedRow]
    next: int | None


class RegistrationView(BaseModel):
    """A registered digest and where its evidence stands."""

    model_config = ConfigDict(populate_by_name=True)

    accepted_at: datetime
    batch: str | None
    batch_by: datetime
    id: str
    list_id: str | None
    matter_id: str
    media_type: str
    name: str
    position: int | None
    sha256: str
    sha3_512: str
    size: int
    status: str


class ReleaseLinkPage(BaseModel):
    """Some release links, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[ReleaseLinkView]
    next: str | None


class ReleaseLinkView(BaseModel):
    """A release link, without its address."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    created_by: str
    downloads: int
    evidence_id: str
    expires_at: datetime
    id: str
    max_downloads: int
    name: str
    purpose: str
    recipient: str
    request_id: str | None
    revoked_at: datetime | None
    revoked_by: str | None
    what: str


class ReleaseRule(BaseModel):
    """Whether two persons decide about releases."""

    model_config = ConfigDict(populate_by_name=True)

    two_persons: bool


class Replay(BaseModel):
    """From where on events are told again."""

    model_config = ConfigDict(populate_by_name=True)

    after: int | None = None
    since: datetime | None = None


class ReplayView(BaseModel):
    """What was queued again."""

    model_config = ConfigDict(populate_by_name=True)

    next: int | None
    queued: int


class RequestPage(BaseModel):
    """Some requests, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[RequestView]
    next: str | None


class RequestView(BaseModel):
    """What one person asks for and another one approves."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decision_reason: str | None
    evidence_id: str
    id: str
    kind: Literal["delete", "release"]
    reason: str
    requested_by: str
    state: Literal["requested", "approved", "refused", "stopped", "executed"]
    waiting_for: str | None


class RetentionView(BaseModel):
    """How long evidence is kept at least."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    evidence_id: str
    keep_until: datetime
    set_by: str


class RowOutcome(BaseModel):
    """What an order answers for one row: accepted with a receipt, or refused with a problem."""

    model_config = ConfigDict(populate_by_name=True)

    id: str | None
    position: int
    problem: ProblemView | None
    receipt: dict[str, Any] | None
    result: Literal["accepted", "refused"]


class RowPage(BaseModel):
    """Some rows, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[RowView]
    next: int | None


class RowResult(BaseModel):
    """What became of one row: accepted, or refused with a problem."""

    model_config = ConfigDict(populate_by_name=True)

    id: str | None
    position: int
    problem: ProblemView | None


class RowView(BaseModel):
    """A row and what became of it; what belongs to its evidence is null where it was refused."""

    model_config = ConfigDict(populate_by_name=True)

    batch_by: datetime | None
    certificate_refused: str | None
    id: str | None
    label: str
    outcome: str | None
    position: int
    problem: ProblemView | None
    progress: str | None
    reasons: list[str]
    result: Literal["accepted", "refused"]
    status: str | None
    stopped: bool
    url: str
    waiting_for: str | None


class SecretView(BaseModel):
    """A webhook and its new secret."""

    model_config = ConfigDict(populate_by_name=True)

    created_at: datetime
    delivered_at: datetime | None
    disabled_at: datetime | None
    failures: int
    id: str
    previous_secret_until: datetime | None
    reason: str
    secret: str
    types: list[str]
    url: str


class StatedFile(BaseModel):
    """A file as its owner states it; its content is not sent."""

    model_config = ConfigDict(populate_by_name=True)

    media_type: str = "application/octet-stream"
    name: str
    sha256: str
    sha3_512: str
    size: int


class StepOrder(BaseModel):
    """One scripted step, carried out after the page has settled."""

    model_config = ConfigDict(populate_by_name=True)

    action: Literal["click", "choose", "fill", "open", "wait_for"]
    selector: str = ""
    text: str = ""
    value: str = ""


class Succession(BaseModel):
    """Another certificate in the place of one."""

    model_config = ConfigDict(populate_by_name=True)

    edition: str | None = None
    reason: str


class UploadSessionPage(BaseModel):
    """Some uploads, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[UploadSessionView]
    next: str | None


class UploadSessionView(BaseModel):
    """A file that is being received."""

    model_config = ConfigDict(populate_by_name=True)

    evidence_id: str | None
    expires_at: datetime
    id: str
    matter_id: str
    name: str
    offset: int
    sha256: str | None
    size: int


class WebhookPage(BaseModel):
    """Some webhooks, and where to go on."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[WebhookView]
    next: str | None


class WebhookView(BaseModel):
    """Where a webhook stands; not its secret."""

    model_config = ConfigDict(populate_by_name=True)

    created_at: datetime
    delivered_at: datetime | None
    disabled_at: datetime | None
    failures: int
    id: str
    previous_secret_until: datetime | None
    reason: str
    types: list[str]
    url: str


class Withdrawal(BaseModel):
    """The end of a certificate."""

    model_config = ConfigDict(populate_by_name=True)

    reason: str
