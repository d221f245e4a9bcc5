"""Tables of the record. Migrations in ``migrations/`` make them; a test compares the two.

Bytes that were hashed (manifest, batch header, token) are stored as bytes, never rebuilt from columns.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    ScalarSelect,
    Table,
    Text,
    UniqueConstraint,
    column,
    false,
    func,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_Time = DateTime(timezone=True)

DEFAULT_ORGANISATION = "o-default"
"""Owns what was recorded before there were organisations, and what the settings' own API keys record."""


def organisation_column() -> Column[str]:
    """Whose a row is. The database fills it with the organisation of the transaction (``store.tenancy``)."""
    return Column(
        "organisation_id",
        Text,
        ForeignKey("organisations.id"),
        nullable=False,
        server_default=text("evidence_organisation()"),
    )


def same_organisation(name: str, target: str) -> ForeignKeyConstraint:
    """Refers to a row of the same organisation, which the database checks.

    Args:
        name: of the column; target: table and column, e.g. ``evidence.id``.
    """
    return ForeignKeyConstraint(
        [name, "organisation_id"], [target, f"{target.split('.', maxsplit=1)[0]}.organisation_id"]
    )


def facts(of: Table) -> list[Column[Any]]:
    """The columns of a table without the one that says whose a row is."""
    return [item for item in of.c if item.name != "organisation_id"]


OPERATOR = "operator"
"""Role in custody logs of whoever ordered something before his role was kept with it."""

# What workers look for several times a second. Each is the condition of a partial index and, word for word,
# of its query: with a bound parameter in it, a prepared statement could not use the index.
UNREGISTERED = "registered_at IS NULL AND NOT refused"
UNCAPTURED = "status = 'accepted' AND NOT refused"
CAPTURED = "kind = 'platform_capture' AND outcome IS NOT NULL"
CERTIFIABLE = "status = 'anchored' AND certificate_wanted"
ORDERED = "state = 'open'"
CURRENT = "status = 'released'"
UNTOLD = "unnoted"
UNANCHORED = "status = 'closed'"
UNNOTED = "state = 'sealed' AND NOT noted AND batch_id IS NOT NULL"
LATE = "late > 0"
UNMADE = "status = 'ordered'"
UNNOTED_HOLD = "NOT noted"
EXECUTABLE = "kind = 'delete' AND state = 'approved'"
DELETION = "kind = 'delete' AND state IN ('requested', 'approved')"
UNENTERED = "NOT entered"
UNTOLD_EVENT = "position IS NULL"
DELIVERABLE = "state = 'pending'"

# Who uses the service. What belongs to whom is in each table's organisation_id, which row-level security
# compares with the transaction's organisation; see store.tenancy.
organisations = Table(
    "organisations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # Begins the numbers of its certificates; null: the prefix of the settings.
    Column("code", Text, unique=True),
    Column("created_at", _Time, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("id", Text, primary_key=True),
    # As custody logs name them; nobody else of the organisation ever gets the same name.
    Column("name", Text, nullable=False),
    # By whom and as whom an OpenID provider knows them; null for who only uses API keys.
    Column("issuer", Text),
    Column("subject", Text),
    Column("roles", JSONB, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("ended_at", _Time),
    # When he first named the organisation; null for who only uses API keys, too.
    Column("confirmed_at", _Time),
    organisation_column(),
    UniqueConstraint("organisation_id", "id"),
    UniqueConstraint("organisation_id", "name"),
    UniqueConstraint("organisation_id", "issuer", "subject"),
    Index(None, "issuer", "subject"),
    CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="identity"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("member_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    # Of the key; the key itself is shown once and kept nowhere.
    Column("sha256", LargeBinary, nullable=False, unique=True),
    # Narrower than what the member's roles allow; null: all of that.
    Column("scopes", JSONB(none_as_null=True)),
    Column("created_at", _Time, nullable=False),
    Column("expires_at", _Time),
    Column("revoked_at", _Time),
    organisation_column(),
    same_organisation("member_id", "members.id"),
    Index(None, "member_id"),
)

# What administrators did; a log that is only added to.
administration_events = Table(
    "administration_events",
    metadata,
    Column("sequence", BigInteger, nullable=False),
    Column("at", _Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    organisation_column(),
    PrimaryKeyConstraint("organisation_id", "sequence"),
)

matters = Table(
    "matters",
    metadata,
    Column("id", Text, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("applicant", Text, nullable=False),
    # As manifests name them.
    Column("rights", JSONB, nullable=False),
    Column("created_at", _Time, nullable=False),
    # Those of the rights that were given in their members.
    Column("structured_rights", JSONB, nullable=False, server_default="[]"),
    Column("respondent", Text),
    Column("court", Text),
    Column("case_number", Text),
    organisation_column(),
    UniqueConstraint("organisation_id", "id"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matter_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("url", Text),
    Column("operator", Text, nullable=False),
    Column("operator_role", Text, nullable=False, server_default=OPERATOR),
    Column("certificate_wanted", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("progress", Text, nullable=False),
    Column("waiting_for", Text),
    Column("outcome", Text),
    Column("capture", JSONB),
    Column("manifest", LargeBinary),
    Column("salt", LargeBinary),
    Column("registered_at", _Time),
    Column("batch_id", Text, ForeignKey("batches.id")),
    Column("leaf_index", Integer),
    Column("created_at", _Time, nullable=False),
    # What the intake receipt promises: the latest time by which the entry is in a closed batch.
    Column("batch_by", _Time),
    Column("urgent", Boolean, nullable=False, server_default=false()),
    # How a listing is captured, as ordered; null for what is not captured by the service.
    Column("options", JSONB(none_as_null=True)),
    # Whether its work has ended for good before the end of its way; progress says why.
    Column("refused", Boolean, nullable=False, server_default=false()),
    Index("ix_evidence_unbatched", "registered_at", postgresql_where="batch_id IS NULL"),
    Index("ix_evidence_unregistered", "id", postgresql_where=UNREGISTERED),
    Index("ix_evidence_uncaptured", "batch_by", postgresql_where=UNCAPTURED),
    Index("ix_evidence_captured", "created_at", postgresql_where=CAPTURED),
    Index("ix_evidence_certifiable", "id", postgresql_where=CERTIFIABLE),
    Index(None, "batch_id", "leaf_index", unique=True),
    Index(None, "matter_id", "created_at"),
    organisation_column(),
    same_organisation("matter_id", "matters.id"),
    UniqueConstraint("organisation_id", "id"),
    Index(None, "organisation_id", "batch_id"),
    Index(None, "organisation_id", "created_at", "id"),
)

# What evidence is found by, in lower case; a trigger on evidence keeps it.
evidence_terms = Table(
    "evidence_terms",
    metadata,
    Column("evidence_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("term", Text, primary_key=True),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    Index(
        "ix_evidence_terms_term",
        "organisation_id",
        "kind",
        "term",
        postgresql_ops={"term": "text_pattern_ops"},
    ),
)

# Views over captures of all organisations, for promises: times, and nothing of what is captured.
queued_captures = table("queued_captures", column("batch_by", _Time))
recent_captures = table(
    "recent_captures", column("created_at", _Time), column("started", Text), column("finished", Text)
)

# Cookies and storage of signed-in sessions, sealed with a key that is not in the database. A state goes with
# the last capture that needs it.
login_states = Table(
    "login_states",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    organisation_column(),
    UniqueConstraint("organisation_id", "id"),
)

login_uses = Table(
    "login_uses",
    metadata,
    Column("evidence_id", Text, primary_key=True),
    Column("login_state_id", Text, nullable=False),
    # Captures begun with it, finished or not.
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index(None, "login_state_id"),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    same_organisation("login_state_id", "login_states.id"),
)

capture_lists = Table(
    "capture_lists",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matter_id", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    organisation_column(),
    same_organisation("matter_id", "matters.id"),
    UniqueConstraint("organisation_id", "id"),
)

capture_list_rows = Table(
    "capture_list_rows",
    metadata,
    Column("list_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", Text, nullable=False),
    Column("label", Text, nullable=False),
    # One of the two: what the row became, or why it was refused.
    Column("evidence_id", Text),
    Column("problem", JSONB(none_as_null=True)),
    CheckConstraint("(evidence_id IS NULL) <> (problem IS NULL)", name="outcome"),
    Index(None, "evidence_id"),
    organisation_column(),
    same_organisation("list_id", "capture_lists.id"),
    same_organisation("evidence_id", "evidence.id"),
)

# Digests somebody states: the content stays with them. A worker makes evidence of each.
registration_lists = Table(
    "registration_lists",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matter_id", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("accepted_at", _Time, nullable=False),
    Column("batch_by", _Time, nullable=False),
    # Rows that came in, refused ones included.
    Column("size", Integer, nullable=False),
    # Position → name and problem of each row that was refused.
    Column("refused", JSONB, nullable=False),
    # Of the request; an idempotency key stands for one request only.
    Column("request_sha256", LargeBinary, nullable=False),
    # Null where every row was refused.
    Column("receipt", LargeBinary),
    organisation_column(),
    same_organisation("matter_id", "matters.id"),
    UniqueConstraint("organisation_id", "id"),
)

registrations = Table(
    "registrations",
    metadata,
    # Of the evidence it becomes.
    Column("id", Text, primary_key=True),
    # Null for a row of a list, whose matter is the list's: that reference is checked once, not for each row.
    Column("matter_id", Text),
    # Both null for one that came by itself.
    Column("list_id", Text),
    Column("position", Integer),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("sha3_512", LargeBinary, nullable=False),
    Column("operator", Text, nullable=False),
    Column("operator_role", Text, nullable=False, server_default=OPERATOR),
    Column("accepted_at", _Time, nullable=False),
    Column("batch_by", _Time, nullable=False),
    # Of one that came by itself; rows of lists get theirs when they are entered.
    Column("receipt", LargeBinary),
    Column("entered", Boolean, nullable=False, server_default=false()),
    # Without a reference of its own to organisations: its matter has one, and thousands of rows come at once.
    Column("organisation_id", Text, nullable=False, server_default=text("evidence_organisation()")),
    same_organisation("matter_id", "matters.id"),
    # That the list is there is checked by a trigger, once for all rows of a statement.
    CheckConstraint(
        "(list_id IS NULL) = (position IS NULL) AND (list_id IS NULL) = (matter_id IS NOT NULL)", name="place"
    ),
    # The digest first: it decides nearly every comparison.
    Index(None, "sha256", "organisation_id"),
    Index("ix_registrations_unentered", "batch_by", postgresql_where=UNENTERED),
)

custody_events = Table(
    "custody_events",
    metadata,
    Column("evidence_id", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("step_key", Text, nullable=False),
    Column("event", JSONB, nullable=False),
    UniqueConstraint("evidence_id", "step_key"),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
)

# Events that are recorded and not in their organisation's log yet; a trigger on custody_events queues them.
custody_pending = Table(
    "custody_pending",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("evidence_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    organisation_column(),
    UniqueConstraint("evidence_id", "sequence"),
    Index(None, "organisation_id", "id"),
)

# All custody events of an organisation in one chain. No reference to them: what is gone is still logged.
custody_log = Table(
    "custody_log",
    metadata,
    organisation_column(),
    Column("position", BigInteger, nullable=False),
    Column("evidence_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("event_hash", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organisation_id", "position"),
    UniqueConstraint("evidence_id", "sequence"),
)

custody_checkpoints = Table(
    "custody_checkpoints",
    metadata,
    organisation_column(),
    Column("size", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("evidence_id", Text, nullable=False, unique=True),
    PrimaryKeyConstraint("organisation_id", "size"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("stamped", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("revocation", JSONB, nullable=False),
    Column("ends_at", _Time, nullable=False),
    UniqueConstraint("stamped", "subject_id", "authority"),
    Index(None, "stamped", "ends_at"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("stamped", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("reason", Text, nullable=False),
)

attestations = Table(
    "attestations",
    metadata,
    Column("batch_id", Text, ForeignKey("batches.id"), primary_key=True),
    Column("calendar", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("proof", LargeBinary),
    Column("attempt", Integer, nullable=False),
    Column("next_at", _Time),
    Column("submitted_at", _Time),
    Column("waiting_for", Text),
    Index("ix_attestations_due", "next_at", postgresql_where="next_at IS NOT NULL"),
)

renewals = Table(
    "renewals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("document", LargeBinary),
    Column("expires_at", _Time, nullable=False),
    Column("opened_at", _Time, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("next_at", _Time),
    Column("waiting_for", Text),
    Index("ix_renewals_due", "next_at", postgresql_where="next_at IS NOT NULL"),
)

renewal_members = Table(
    "renewal_members",
    metadata,
    Column("evidence_id", Text, ForeignKey("evidence.id"), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("renewal_id", Text, ForeignKey("renewals.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("leaf", LargeBinary),
    UniqueConstraint("renewal_id", "position"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False, unique=True),
    Column("size", Integer, nullable=False),
    Column("closed_at", _Time, nullable=False),
    Column("waiting_for", Text),
    # Who waits (time stamps, a chain) → for what, in words; waiting_for is all of them together.
    Column("waiting", JSONB, nullable=False, server_default="{}"),
    # Entries whose receipt promised a batch before this one was closed.
    Column("late", Integer, nullable=False, server_default="0"),
    Index("ix_batches_unanchored", "sequence", postgresql_where=UNANCHORED),
    Index("ix_batches_late", "late", postgresql_where=LATE),
)

# Who has an entry in a batch, and may see it: found by its key, however many entries there are.
batch_owners = Table(
    "batch_owners",
    metadata,
    Column("organisation_id", Text, ForeignKey("organisations.id"), primary_key=True),
    Column("batch_id", Text, ForeignKey("batches.id"), primary_key=True),
)

entries = Table(
    "entries",
    metadata,
    Column("batch_id", Text, ForeignKey("batches.id"), primary_key=True),
    Column("leaf_index", Integer, primary_key=True),
    # Of the manifest. Not unique: nothing keeps one manifest from being entered into two batches.
    Column("sha256", LargeBinary, nullable=False),
    Index(None, "sha256"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("evidence_id", Text, primary_key=True),
    Column("document", LargeBinary, nullable=False),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("position", BigInteger, Identity(), nullable=False),
    Column("batch_id", Text, ForeignKey("batches.id")),
    Column("chain_id", BigInteger, nullable=False),
    Column("submitter", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("leaf_count", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("nonce", BigInteger),
    Column("attempts", JSONB, nullable=False),
    Column("block_number", BigInteger),
    Column("block_hash", Text),
    Column("transaction_hash", Text),
    Column("reason", Text, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("proof", JSONB),
    Column("proof_block", Text),
    Column("noted", Boolean, nullable=False, server_default="false"),
    UniqueConstraint("chain_id", "submitter", "commitment"),
    Index(None, "batch_id"),
    Index("ix_submissions_open", "chain_id", "submitter", postgresql_where="state <> 'sealed'"),
    Index("ix_submissions_unnoted", "position", postgresql_where=UNNOTED),
)

nonces = Table(
    "nonces",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("submitter", Text, primary_key=True),
    Column("nonce", Numeric(20, 0), primary_key=True),
    Column("submission_id", Text),
    # One nonce for each submission at a time.
    Index(
        "uq_nonces_holder",
        "chain_id",
        "submitter",
        "submission_id",
        unique=True,
        postgresql_where="submission_id IS NOT NULL",
    ),
)

chain_status = Table(
    "chain_status",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("submitter", Text, primary_key=True),
    Column("at", _Time, nullable=False),
    Column("status", JSONB, nullable=False),
)

# Where each certificate stands now. How it came there is in certificate_events, which nobody can change.
certificates = Table(
    "certificates",
    metadata,
    Column("number", Text, primary_key=True),
    Column("evidence_id", Text, nullable=False),
    Column("edition", Text, nullable=False),
    Column("status", Text, nullable=False),
    # Of its newest PDF.
    Column("sha256", LargeBinary),
    Column("level", Text),
    Column("reserved_at", _Time, nullable=False),
    Column("released_at", _Time),
    Column("since", _Time, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("superseded_by", Text),
    # What the gate demanded to be said on it, in words.
    Column("qualifications", JSONB, nullable=False, server_default="[]"),
    # Why its seal could not be extended when that was due.
    Column("waiting_for", Text),
    # Whether custody logs and digests are behind its history.
    Column("unnoted", Boolean, nullable=False, server_default=false()),
    # One certificate of each edition is current.
    Index("uq_certificates_current", "evidence_id", "edition", unique=True, postgresql_where=CURRENT),
    Index(None, "evidence_id"),
    Index("ix_certificates_unnoted", "number", postgresql_where=UNTOLD),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    same_organisation("superseded_by", "certificates.number"),
    UniqueConstraint("organisation_id", "number"),
)

certificate_events = Table(
    "certificate_events",
    metadata,
    Column("number", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("at", _Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False, server_default=OPERATOR),
    Column("reason", Text, nullable=False),
    Column("superseded_by", Text),
    organisation_column(),
    same_organisation("number", "certificates.number"),
    same_organisation("superseded_by", "certificates.number"),
)

# Every PDF that was released under a number: the sealed one, then those with an extended seal.
certificate_pdfs = Table(
    "certificate_pdfs",
    metadata,
    Column("number", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("level", Text, nullable=False),
    Column("at", _Time, nullable=False),
    # When the first certificate that holds its newest time stamp ends; null where that is not known.
    Column("ends_at", _Time),
    Index(None, "ends_at"),
    organisation_column(),
    same_organisation("number", "certificates.number"),
)

certificate_orders = Table(
    "certificate_orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("evidence_id", Text, nullable=False),
    Column("edition", Text, nullable=False),
    # The certificate whose place the new one takes, and why.
    Column("supersedes", Text),
    Column("reason", Text, nullable=False, server_default=""),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False, server_default=OPERATOR),
    Column("ordered_at", _Time, nullable=False),
    Column("state", Text, nullable=False),
    Column("number", Text, unique=True),
    Column("waiting_for", Text),
    Column("problem", Text, nullable=False, server_default=""),
    Index("uq_certificate_orders_open", "evidence_id", "edition", unique=True, postgresql_where=ORDERED),
    Index("ix_certificate_orders_evidence_id", "evidence_id"),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    same_organisation("supersedes", "certificates.number"),
    same_organisation("number", "certificates.number"),
)

exhibits = Table(
    "exhibits",
    metadata,
    Column("id", Text, primary_key=True),
    # Ids, in the order in which they were named.
    Column("evidence", JSONB, nullable=False),
    Column("operator", Text, nullable=False),
    Column("operator_role", Text, nullable=False, server_default=OPERATOR),
    Column("audience", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    # The personal data that is masked; gone when the exhibit is made or refused.
    Column("plan", JSONB(none_as_null=True)),
    Column("status", Text, nullable=False),
    Column("waiting_for", Text),
    Column("problem", JSONB(none_as_null=True)),
    Column("sha256", LargeBinary),
    Column("size", BigInteger),
    # What became of each file, for people.
    Column("files", JSONB(none_as_null=True)),
    Column("ordered_at", _Time, nullable=False),
    CheckConstraint("status = 'ordered' OR plan IS NULL", name="forgotten"),
    Index("ix_exhibits_ordered", "ordered_at", postgresql_where=UNMADE),
    organisation_column(),
)

# What keeps evidence from being deleted, and what became of it.
holds = Table(
    "holds",
    metadata,
    Column("id", Text, primary_key=True),
    # One of the two: what is held.
    Column("evidence_id", Text),
    Column("matter_id", Text),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("at", _Time, nullable=False),
    Column("lifted_by", Text),
    Column("lifted_at", _Time),
    Column("lift_reason", Text),
    # Of a whole matter: whether the custody logs of its evidence say so already.
    Column("noted", Boolean, nullable=False),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    same_organisation("matter_id", "matters.id"),
    CheckConstraint("(evidence_id IS NULL) <> (matter_id IS NULL)", name="subject"),
    CheckConstraint("(lifted_by IS NULL) = (lifted_at IS NULL)", name="lifted"),
    Index(None, "evidence_id"),
    Index(None, "matter_id"),
    Index("ix_holds_unnoted", "id", postgresql_where=UNNOTED_HOLD),
)

retentions = Table(
    "retentions",
    metadata,
    Column("evidence_id", Text, primary_key=True),
    Column("keep_until", _Time, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("at", _Time, nullable=False),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
)

# What one person asks for and another one approves.
requests = Table(
    "requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("evidence_id", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", _Time, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("decision_reason", Text),
    Column("decided_at", _Time),
    # Why it is not carried out yet, or never will be.
    Column("waiting_for", Text),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    UniqueConstraint("organisation_id", "id"),
    CheckConstraint("kind IN ('delete', 'release')", name="kind"),
    CheckConstraint("state IN ('requested', 'approved', 'refused', 'stopped', 'executed')", name="state"),
    CheckConstraint("(state = 'requested') = (decided_by IS NULL)", name="decided"),
    CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided_at"),
    CheckConstraint("decided_by <> requested_by", name="two_persons"),
    Index("uq_requests_deletion", "evidence_id", unique=True, postgresql_where=DELETION),
    Index("ix_requests_executable", "id", postgresql_where=EXECUTABLE),
    Index(None, "evidence_id"),
    Index(None, "organisation_id", "state", "id"),
)

# Evidence whose files are gone, or are going: from here on nothing brings them back.
tombstones = Table(
    "tombstones",
    metadata,
    Column("evidence_id", Text, primary_key=True),
    Column("request_id", Text, nullable=False, unique=True),
    Column("reason", Text, nullable=False),
    Column("at", _Time, nullable=False),
    Column("finished_at", _Time),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    same_organisation("request_id", "requests.id"),
)

# Which stored bytes evidence refers to; a trigger on evidence keeps it.
kept_files = Table(
    "kept_files",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("evidence_id", Text, primary_key=True),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    Index(None, "evidence_id"),
)

# Addresses under which something is given out without a key, and whether two persons decide about them.
release_rules = Table(
    "release_rules",
    metadata,
    organisation_column(),
    Column("two_persons", Boolean, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("at", _Time, nullable=False),
    PrimaryKeyConstraint("organisation_id"),
)

release_links = Table(
    "release_links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("evidence_id", Text, nullable=False),
    Column("what", Text, nullable=False),
    # Path of the file, id of the exhibit, number of the certificate; empty for the bundle.
    Column("name", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("at", _Time, nullable=False),
    Column("expires_at", _Time, nullable=False),
    Column("max_downloads", Integer, nullable=False),
    Column("downloads", Integer, nullable=False, server_default="0"),
    # Of the token in the address; the address itself is shown once and kept nowhere.
    Column("token_sha256", LargeBinary, nullable=False, unique=True),
    # What another person has to approve before it opens anything.
    Column("request_id", Text),
    Column("revoked_by", Text),
    Column("revoked_at", _Time),
    organisation_column(),
    same_organisation("evidence_id", "evidence.id"),
    same_organisation("request_id", "requests.id"),
    CheckConstraint("downloads <= max_downloads", name="downloads"),
    Index(None, "evidence_id", "id"),
)

# Files that are being received in portions; what is here of each is on disk.
upload_sessions = Table(
    "upload_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matter_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    # As it was announced; null where it was not.
    Column("sha256", LargeBinary),
    Column("media_type", Text, nullable=False),
    Column("certificate", Boolean, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("at", _Time, nullable=False),
    Column("expires_at", _Time, nullable=False),
    # Bytes that were acknowledged.
    Column("received", BigInteger, nullable=False, server_default="0"),
    # What the file became; the bytes are in the object store then.
    Column("evidence_id", Text),
    organisation_column(),
    same_organisation("matter_id", "matters.id"),
    same_organisation("evidence_id", "evidence.id"),
    CheckConstraint("received BETWEEN 0 AND size", name="received"),
    Index(None, "organisation_id", "actor", "id"),
)

# Bytes that were removed from the object store, numbered: who stores the same at that time stores them again.
removed_objects = Table(
    "removed_objects",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    organisation_column(),
    Column("key", Text, nullable=False),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("created_at", _Time, nullable=False),
    PrimaryKeyConstraint("organisation_id", "key"),
)

# What happened to evidence, certificates and exhibits; triggers there add it with the change itself.
events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    # From 1, without a gap, in each organisation; given after the commit, see store/events.py.
    Column("position", BigInteger),
    Column("type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("at", _Time, nullable=False, server_default=text("clock_timestamp()")),
    organisation_column(),
    UniqueConstraint("organisation_id", "position"),
    Index("ix_events_untold", "id", postgresql_where=UNTOLD_EVENT),
)

# Where organisations want to be told of events.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    # Of events; empty: all of them.
    Column("types", JSONB, nullable=False),
    # Its secret under the service's sealing key; those before that sign too, in hexadecimal, and until when.
    Column("sealed", LargeBinary, nullable=False),
    Column("previous", JSONB, nullable=False, server_default="[]"),
    Column("created_at", _Time, nullable=False),
    Column("disabled_at", _Time),
    Column("reason", Text, nullable=False, server_default=""),
    # Failures in a row, and until when it is left alone after them.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("rests_until", _Time),
    Column("delivered_at", _Time),
    # When it was last begun to be told something, and until when nobody else may: one at a time.
    Column("served_at", _Time),
    Column("leased_until", _Time),
    organisation_column(),
    UniqueConstraint("organisation_id", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    # Begun so far.
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("created_at", _Time, nullable=False),
    Column("next_at", _Time),
    Column("last_at", _Time),
    # Of HTTP, where there was an answer; and what was wrong, in words.
    Column("last_status", Integer),
    Column("problem", Text, nullable=False, server_default=""),
    organisation_column(),
    ForeignKeyConstraint(
        ["webhook_id", "organisation_id"], ["webhooks.id", "webhooks.organisation_id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(["organisation_id", "position"], ["events.organisation_id", "events.position"]),
    Index("ix_deliveries_due", "webhook_id", "next_at", postgresql_where=DELIVERABLE),
)

# Who serves the queues. A row is a lease: renewed on the database's clock, and gone when it is given back or
# taken away. Nothing of any organisation.
workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    # Of this start of the worker: under the same name another process may follow.
    Column("incarnation", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("workflow_version", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process", Integer, nullable=False),
    # Browsers at once.
    Column("captures", Integer, nullable=False),
    Column("started_at", _Time, nullable=False, server_default=func.now()),
    Column("heartbeat_at", _Time, nullable=False, server_default=func.now()),
    Column("draining", Boolean, nullable=False, server_default=false()),
    # What it holds, and what it leaves alone, as it last said.
    Column("status", JSONB, nullable=False, server_default="{}"),
)

# Work that went from a worker that was not heard of any more to another one.
takeovers = Table(
    "takeovers",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", _Time, nullable=False, server_default=func.now()),
    Column("lapsed", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("workflows", Integer, nullable=False),
)

# What audits of the whole record found; of no organisation.
fsck_runs = Table(
    "fsck_runs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("finished_at", _Time, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("examined", BigInteger, nullable=False),
    Column("problems", BigInteger, nullable=False),
    Index(None, "finished_at"),
)


def owner_of(evidence_id: str) -> ScalarSelect[str]:
    """Whose a piece of evidence is, for rows about it that are added on behalf of nobody in particular."""
    return select(evidence.c.organisation_id).where(evidence.c.id == evidence_id).scalar_subquery()
