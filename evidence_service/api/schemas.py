"""What goes in and out of the API."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Query
from pydantic import BaseModel, Field

from evidence_service.store.anchors import Anchor
from evidence_service.store.chain_status import Status
from evidence_service.store.records import Evidence

Text = Annotated[str, Field(min_length=1, max_length=200)]
NO_CERTIFICATE = (
    "Why there will be no certificate, in words: a rule forbids it, or the work has ended before; "
    "null while one may come. Waiting for one ends here or with the status certified"
)
ServiceRecords = Annotated[
    bool,
    Query(
        description="Also what the service registers by itself: the digests of certificates, and checkpoints "
        "of the custody log"
    ),
]


class EvidenceView(BaseModel):
    """Where a piece of evidence stands."""

    id: str
    matter_id: str
    kind: Literal["platform_capture", "upload", "digest"]
    url: str | None
    name: str | None = Field(
        description="Of the file that was uploaded or whose digest was registered; null for captures"
    )
    status: str = Field(
        description="accepted → captured → sealed → stamped → registered → anchored → certified. "
        "Captured: of a capture, the page was visited and its files are stored, whatever its outcome; of an "
        "upload, its file was received. A digest that somebody registers begins as registered, that of a "
        "certificate as captured"
    )
    progress: str = Field(description="What is being done now, in words")
    waiting_for: str | None = Field(description="What is unavailable, and what to do about it")
    outcome: str | None = Field(description="How the capture ended")
    stopped: bool = Field(description="The work on it has ended for good; progress says why")
    certificate_wanted: bool = Field(description="One is issued by itself, once the evidence is anchored")
    certificate_refused: str | None = Field(description=NO_CERTIFICATE)
    options: dict[str, Any] | None = Field(description="How it is captured, as ordered; null for uploads")
    reasons: list[str] = Field(description="Why it ended so; of an upload, what its examination found")
    batch: str | None
    created_at: datetime
    deleted_at: datetime | None = Field(
        description="When its files were deleted; its manifest, custody log and proofs stay"
    )

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """The view of a record."""
        return cls(
            id=evidence.id,
            matter_id=evidence.matter_id,
            kind=evidence.kind,  # type: ignore[arg-type]  # the record holds nothing else
            url=evidence.url,
            name=_name(evidence),
            status=evidence.status,
            progress=evidence.progress,
            waiting_for=evidence.waiting_for,
            outcome=evidence.outcome,
            stopped=evidence.refused,
            certificate_wanted=evidence.certificate_wanted,
            certificate_refused=evidence.progress if evidence.refused else evidence.certificate_refused,
            options=None if evidence.options is None else dict(evidence.options),
            reasons=(evidence.capture or {}).get("outcome", {}).get("reasons", []),
            batch=evidence.batch_id,
            created_at=evidence.created_at,
            deleted_at=evidence.deleted_at,
        )


def _name(evidence: Evidence) -> str | None:
    """The one file that was handed in, or whose digest was."""
    if evidence.kind == "platform_capture":
        return None
    described = evidence.capture
    if described is None and evidence.manifest is not None:
        # A digest that somebody states is entered with its manifest, and has no description beside it.
        described = json.loads(evidence.manifest)
    return None if described is None else str(described["files"][0]["path"])


class AcceptedView(EvidenceView):
    """Accepted evidence and the receipt for it."""

    receipt: dict[str, Any] = Field(
        description="Signed promise of a closed batch by a stated time (evidence-receipt/1)"
    )

    @classmethod
    def with_receipt(cls, evidence: Evidence, receipt: dict[str, Any]) -> Self:
        """The view of a record with its receipt."""
        return cls(**EvidenceView.of(evidence).model_dump(), receipt=receipt)


class EvidencePage(BaseModel):
    """Some evidence, and where to go on."""

    items: list[EvidenceView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class FileView(BaseModel):
    """A preserved file."""

    path: str
    media_type: str
    role: str
    size: int
    sha256: str


class AnchorView(BaseModel):
    """A batch on a chain."""

    batch: str
    size: int = Field(description="Entries of the batch")
    commitment: str = Field(description="What the contract records, 0x and hexadecimal")
    closed_at: datetime
    chain_id: int
    submitter: str
    contract: str
    state: str = Field(
        description="created → nonce_reserved → signed → broadcast ⇄ bumped → mined → finalized → sealed; "
        "aside: reorged, stuck, reverted, foreign_nonce"
    )
    nonce: int | None
    attempts: int = Field(description="Transactions signed for it; at most one can be mined")
    transaction: str | None
    block_number: int | None
    block_hash: str | None
    reason: str = Field(description="What holds it up, in words; empty when nothing does")
    expected_at: datetime | None = Field(description="When it will probably be sealed: an estimate")

    @classmethod
    def of(cls, anchor: Anchor, expected: datetime | None) -> Self:
        """The view of a record."""
        return cls(
            batch=anchor.batch_id,
            size=anchor.size,
            commitment="0x" + anchor.commitment.hex(),
            closed_at=anchor.closed_at,
            chain_id=anchor.chain_id,
            submitter=anchor.submitter,
            contract=anchor.contract,
            state=anchor.state,
            nonce=anchor.nonce,
            attempts=anchor.attempts,
            transaction=anchor.transaction_hash,
            block_number=anchor.block_number,
            block_hash=anchor.block_hash,
            reason=anchor.reason,
            expected_at=expected,
        )


class AnchorPage(BaseModel):
    """Some anchors, and where to go on."""

    items: list[AnchorView]
    next: int | None = Field(description="Give it as “before” for the next page; null on the last")


class NodeView(BaseModel):
    """A node of a chain, named by host and port."""

    name: str
    head: int
    failures: int = Field(description="Failures in a row")
    resting: bool = Field(description="Whether it is asked last for now")
    lies: int = Field(description="Contradictions it was caught in")
    last_lie: str


class ChainView(BaseModel):
    """A key on a chain, as the last look at it showed."""

    chain_id: int
    name: str
    submitter: str
    at: datetime
    head: int | None
    final: int | None
    nonce: int | None
    balance: str | None = Field(description="In wei")
    balance_low: bool | None
    block_seconds: float | None
    problem: str = Field(description="Why the chain could not be looked at; empty when it could")
    nodes: list[NodeView]
    events: dict[str, int] = Field(description="How often each thing happened to anchors")

    @classmethod
    def of(cls, status: Status, name: str) -> Self:
        """The view of a record."""
        seen = {field: status.seen.get(field) for field in cls.model_fields if field in _SEEN}
        return cls(
            chain_id=status.chain_id,
            name=name,
            submitter=status.submitter,
            at=status.at,
            problem=status.seen.get("problem", ""),
            nodes=[NodeView(**node) for node in status.seen.get("nodes", ())],
            events=dict(status.events),
            **seen,
        )


_SEEN = frozenset({"head", "final", "nonce", "balance", "balance_low", "block_seconds"})
