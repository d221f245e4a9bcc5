"""Everything the use cases work with, wired once by ``bootstrap`` and passed along."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from evidence_service.anchor.fees import FeePolicy
from evidence_service.anchor.finality import Finality
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import Signer
from evidence_service.anchor.submission import Journal, Submission
from evidence_service.capture.browser import BrowserSettings
from evidence_service.capture.environment import Checks
from evidence_service.capture.session import CaptureLimits
from evidence_service.certificate.facts import Issuer
from evidence_service.certificate.sealing import Level, Revocation, SealKey
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import ConfigurationError
from evidence_service.service.login_state import SealingKey
from evidence_service.service.ports import Objects
from evidence_service.service.receipt_key import ReceiptKey
from evidence_service.service.tracing import NoTracing, Tracing
from evidence_service.store.administration import Administration
from evidence_service.store.anchors import Anchors
from evidence_service.store.attestations import Attestations
from evidence_service.store.batches import Batches
from evidence_service.store.certificates import Certificates
from evidence_service.store.chain_status import ChainStatus
from evidence_service.store.closing import Due
from evidence_service.store.custody_log import CustodyLog
from evidence_service.store.custody_room import Room
from evidence_service.store.deliveries import Deliveries
from evidence_service.store.events import Events
from evidence_service.store.exhibits import Exhibits
from evidence_service.store.holds import Holds
from evidence_service.store.journal import PostgresJournal
from evidence_service.store.lists import Lists
from evidence_service.store.logins import Logins
from evidence_service.store.members import Members
from evidence_service.store.operations import Operations
from evidence_service.store.organisations import Organisations
from evidence_service.store.proofs import Proofs
from evidence_service.store.queue import CaptureQueue
from evidence_service.store.records import Records
from evidence_service.store.registrations import Registrations
from evidence_service.store.releases import Releases
from evidence_service.store.renewals import Renewals
from evidence_service.store.requests import Requests
from evidence_service.store.searching import Searching
from evidence_service.store.tenancy import scoped
from evidence_service.store.upload_sessions import UploadSessions
from evidence_service.store.webhooks import Webhooks
from evidence_service.store.workers import Workers
from evidence_service.timestamp.calendar import Calendar
from evidence_service.timestamp.tsa import Authorities
from evidence_service.verify.policy import Policy


@dataclass(frozen=True, slots=True)
class Capturing:
    """How listings are captured.

    Attributes:
        directory: scratch space; emptied after each capture.
        at_once: browsers at once that promises reckon with: those of one worker, or fewer where a limit is.
        profile: of orders that name none.
        roots: PEM file of root certificates that servers may lead to beside the system's.
        websockets: whether a page's WebSockets are recorded; otherwise they are refused.
        recipients: age public keys that can open unredacted originals.
        checks: who is asked beside a capture for its environment.
    """

    directory: Path
    browser: BrowserSettings = field(default_factory=BrowserSettings)
    policy: EgressPolicy = field(default_factory=EgressPolicy)
    limits: CaptureLimits = field(default_factory=CaptureLimits)
    at_once: int = 1
    profile: str = "desktop"
    roots: Path | None = None
    websockets: bool = True
    recipients: tuple[str, ...] = ()
    checks: Checks = field(default_factory=Checks)


@dataclass(frozen=True, slots=True)
class Chain:
    """One of the chains batches are anchored on.

    Attributes:
        signers: the first one sends; the others only finish what they began.
        rpc_urls: of the same nodes, for the separate process that checks a certificate.
        required: whether a batch counts as anchored only with its anchor on this chain.
    """

    name: str
    node: Node
    signers: tuple[Signer, ...]
    contract: str
    rpc_urls: tuple[str, ...]
    fees: FeePolicy = field(default_factory=FeePolicy)
    finality: Finality = field(default_factory=Finality)
    required: bool = True

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""
        return self.node.chain_id

    @property
    def signer(self) -> Signer:
        """The one that sends."""
        return self.signers[0]


@dataclass(frozen=True, slots=True)
class Stamping:
    """The time-stamping authorities, the calendars beside them, and when a time stamp is renewed.

    Attributes:
        renewed_before: time between a renewal and the end of the first certificate it is made for.
        weak_digests: algorithms that are not trusted any more, ``sha256`` or ``sha512``.
    """

    authorities: Authorities
    calendars: tuple[Calendar, ...] = ()
    renewed_before: timedelta = timedelta(days=180)
    weak_digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Issuing:
    """Who issues certificates, with which key, judged by which policy.

    Attributes:
        level: seals have to reach.
        revocation: collects what has to be kept with a seal from level B-LT on.
        trust_file: the policy as a file, for the separate process; None uses the shipped policy.
        prefix: of certificate numbers.
        register: public address of the register, as printed; None when there is none.
    """

    issuer: Issuer
    key: SealKey | None
    level: Level
    revocation: Revocation
    policy: Policy
    trust_file: Path | None
    prefix: str
    register: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The service's parts.

    Attributes:
        database: what the stores below work on.
        promised_delay: from the begin of a capture to its entry in a closed batch, at most; what receipts
            promise besides the wait for the captures before it.
        purpose: ``evidence`` or ``demonstration``, written into every manifest.
        host: name of this machine, for the custody log.
        tool: name and version of this software.
    """

    database: Engine
    organisations: Organisations
    members: Members
    administration: Administration
    records: Records
    batches: Batches
    certificates: Certificates
    exhibits: Exhibits
    holds: Holds
    requests: Requests
    releases: Releases
    upload_sessions: UploadSessions
    attestations: Attestations
    renewals: Renewals
    queue: CaptureQueue
    workers: Workers
    custody_log: CustodyLog
    lists: Lists
    registrations: Registrations
    proofs: Proofs
    searching: Searching
    logins: Logins
    operations: Operations
    events: Events
    webhooks: Webhooks
    deliveries: Deliveries
    journal: PostgresJournal[Submission]
    objects: Objects
    capturing: Capturing
    stamping: Stamping
    chains: tuple[Chain, ...]
    anchors: Anchors
    chain_status: ChainStatus
    issuing: Issuing
    batching: Due
    promised_delay: timedelta
    receipt_key: ReceiptKey
    sealing_key: SealingKey
    purpose: str
    host: str
    tool: str
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    tracing: Tracing = field(default_factory=NoTracing)

    def within(self, organisation_id: str) -> Parts:
        """The same parts, with the record bound to one organisation.

        Requests of the API and workflows on what is one organisation's work with these. The journal of the
        anchoring belongs to nobody and stays as it is.
        """
        database = scoped(self.database, organisation_id)
        return replace(
            self,
            database=database,
            **{name: getattr(self, name).bound(database) for name in _OF_ORGANISATIONS},
        )

    def nonce(self) -> int:
        """A random number of 64 bits for a request to an authority."""
        return int.from_bytes(self.random_bytes(8))

    def rpc_urls(self) -> tuple[str, ...]:
        """The nodes of all chains.

        Raises:
            ConfigurationError: no chain is configured.
        """
        if not self.chains:
            raise ConfigurationError(
                "no chain is configured",
                what_to_do="set chains with rpc_urls, chain_id and a key; see docs/reference/settings.md",
            )
        return tuple(url for chain in self.chains for url in chain.rpc_urls)

    def custody(
        self,
        evidence_id: str,
        step_key: str,
        action: str,
        *,
        actor: tuple[str, str],
        purpose: str,
        before: str | None = None,
        after: str | None = None,
        detail: dict[str, str] | None = None,
        room: Room = Room.OF_SERVICE,
    ) -> dict[str, Any]:
        """Append an event to a custody log, once for each step key.

        Args:
            actor: id and role.
            before, after: SHA-256 (hexadecimal) of what the action was done to, and of what it left behind.

        Raises:
            ConflictError: the log has no room for it.
        """
        members = self.event(action, actor=actor, purpose=purpose, before=before, after=after, detail=detail)
        return self.records.append_custody(evidence_id, step_key, members, now=self.now(), room=room)

    def event(
        self,
        action: str,
        *,
        actor: tuple[str, str],
        purpose: str,
        before: str | None = None,
        after: str | None = None,
        detail: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Members of a custody event as the record takes them."""
        return {
            "action": action,
            "actor": {"id": actor[0], "role": actor[1]},
            "host": self.host,
            "purpose": purpose,
            "before": before,
            "after": after,
            "tool": self.tool,
            "detail": detail or {},
        }


_OF_ORGANISATIONS = (
    "organisations",
    "members",
    "administration",
    "records",
    "custody_log",
    "batches",
    "certificates",
    "exhibits",
    "holds",
    "requests",
    "releases",
    "upload_sessions",
    "attestations",
    "renewals",
    "queue",
    "lists",
    "registrations",
    "proofs",
    "searching",
    "logins",
    "events",
    "webhooks",
    "anchors",
    "chain_status",
)

SERVICE = ("evidence-service", "custodian")
"""The actor of what the service does by itself."""


def journal_port(parts: Parts) -> Journal:
    """The journal as the sender's port; mypy checks here that the two fit."""
    return parts.journal
