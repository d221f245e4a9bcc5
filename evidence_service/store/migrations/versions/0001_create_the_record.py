"""Create the record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("commitment", name=op.f("uq_batches_commitment")),
        sa.UniqueConstraint("sequence", name=op.f("uq_batches_sequence")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "matters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("applicant", sa.Text(), nullable=False),
        sa.Column("rights", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matters")),
    )
    op.create_table(
        "nonces",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("submitter", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("submission_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "submitter", "nonce", name=op.f("pk_nonces")),
    )
    op.create_index(op.f("ix_nonces_submission_id"), "nonces", ["submission_id"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("submitter", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_count", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        sa.Column("attempts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.Text(), nullable=True),
        sa.Column("transaction_hash", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint(
            "chain_id", "submitter", "commitment", name=op.f("uq_submissions_chain_id_submitter_commitment")
        ),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("stamped", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint(
            "stamped", "subject_id", "authority", name=op.f("uq_tokens_stamped_subject_id_authority")
        ),
    )
    op.create_table(
        "anchors",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("proof", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_anchors_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "chain_id", name=op.f("pk_anchors")),
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("certificate_wanted", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("capture", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("manifest", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("leaf_index", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_evidence_batch_id")),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_evidence_matter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(
        op.f("ix_evidence_batch_id_leaf_index"), "evidence", ["batch_id", "leaf_index"], unique=True
    )
    op.create_index(
        op.f("ix_evidence_matter_id_created_at"), "evidence", ["matter_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_evidence_unbatched",
        "evidence",
        ["registered_at"],
        unique=False,
        postgresql_where="batch_id IS NULL",
    )
    op.create_table(
        "certificates",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_certificates_evidence_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_certificates")),
        sa.UniqueConstraint("evidence_id", name=op.f("uq_certificates_evidence_id")),
    )
    op.create_table(
        "custody_events",
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("step_key", sa.Text(), nullable=False),
        sa.Column("event", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_custody_events_evidence_id")),
        sa.PrimaryKeyConstraint("evidence_id", "sequence", name=op.f("pk_custody_events")),
        sa.UniqueConstraint("evidence_id", "step_key", name=op.f("uq_custody_events_evidence_id_step_key")),
    )


def downgrade() -> None:
    op.drop_table("custody_events")
    op.drop_table("certificates")
    op.drop_index("ix_evidence_unbatched", table_name="evidence", postgresql_where="batch_id IS NULL")
    op.drop_index(op.f("ix_evidence_matter_id_created_at"), table_name="evidence")
    op.drop_index(op.f("ix_evidence_batch_id_leaf_index"), table_name="evidence")
    op.drop_table("evidence")
    op.drop_table("anchors")
    op.drop_table("tokens")
    op.drop_table("submissions")
    op.drop_index(op.f("ix_nonces_submission_id"), table_name="nonces")
    op.drop_table("nonces")
    op.drop_table("matters")
    op.drop_table("idempotency_keys")
    op.drop_table("batches")
