"""Anchor a batch on several chains: a submission carries its batch and its own proof."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in (
        sa.Column("position", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("proof", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("proof_block", sa.Text(), nullable=True),
        sa.Column("noted", sa.Boolean(), server_default="false", nullable=False),
    ):
        op.add_column("submissions", column)
    # Ids of version 1 are “<batch>-on-<chain>”.
    op.execute("UPDATE submissions SET batch_id = substring(id FROM '^(.*)-on-[0-9]+$')")
    # A stored proof means that the anchor was final; it was noted unless the process died before the last
    # member's custody log told of it. Version 1 counted the batch as anchored even then.
    op.execute(
        "UPDATE batches b SET status = 'closed' WHERE status = 'anchored' AND EXISTS "
        "(SELECT FROM evidence e WHERE e.batch_id = b.id AND e.status = 'registered')"
    )
    op.execute(
        "UPDATE submissions s SET state = 'sealed', proof = a.proof, proof_block = s.block_hash, "
        "noted = (b.status = 'anchored') FROM anchors a JOIN batches b ON b.id = a.batch_id "
        "WHERE a.batch_id = s.batch_id AND a.chain_id = s.chain_id"
    )
    # The members it got to must not be told again: the key of that step names the chain from now on.
    op.execute(
        "UPDATE custody_events SET step_key = 'anchor ' || (event->'detail'->>'chain_id') "
        "WHERE step_key = 'anchor'"
    )
    _cancel_workflows_of_version_1()
    # An attempt names its nonce from now on: a submission may get another one.
    op.execute(
        "UPDATE submissions SET attempts = (SELECT jsonb_agg(item || jsonb_build_object('nonce', nonce)) "
        "FROM jsonb_array_elements(attempts) item) WHERE jsonb_array_length(attempts) > 0"
    )
    op.create_foreign_key(op.f("fk_submissions_batch_id"), "submissions", "batches", ["batch_id"], ["id"])
    op.create_index(op.f("ix_submissions_batch_id"), "submissions", ["batch_id"])
    op.create_index(
        "ix_submissions_open",
        "submissions",
        ["chain_id", "submitter"],
        postgresql_where="state <> 'sealed'",
    )
    op.drop_table("anchors")
    op.create_table(
        "chain_status",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("submitter", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "submitter", name=op.f("pk_chain_status")),
    )


def _cancel_workflows_of_version_1() -> None:
    """Its workflow “anchor-<batch>” does not exist any more; pending ones would stay so for ever."""
    there = "SELECT to_regclass('dbos.workflow_status') IS NOT NULL"
    if op.get_bind().execute(sa.text(there)).scalar_one():
        op.execute(
            "UPDATE dbos.workflow_status SET status = 'CANCELLED' "
            "WHERE workflow_uuid LIKE 'anchor-%' AND status IN ('PENDING', 'ENQUEUED')"
        )


def downgrade() -> None:
    op.drop_table("chain_status")
    op.create_table(
        "anchors",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("proof", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_anchors_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "chain_id", name=op.f("pk_anchors")),
    )
    op.execute(
        "INSERT INTO anchors SELECT batch_id, chain_id, proof FROM submissions "
        "WHERE state = 'sealed' AND batch_id IS NOT NULL"
    )
    op.execute("UPDATE submissions SET state = 'finalized' WHERE state = 'sealed'")
    # Version 1 knows one anchor in a custody log.
    op.execute(
        "UPDATE custody_events c SET step_key = 'anchor' WHERE step_key LIKE 'anchor %' AND sequence = "
        "(SELECT min(sequence) FROM custody_events o "
        "WHERE o.evidence_id = c.evidence_id AND o.step_key LIKE 'anchor %')"
    )
    op.execute(
        "UPDATE submissions SET attempts = (SELECT jsonb_agg(item - 'nonce') "
        "FROM jsonb_array_elements(attempts) item) WHERE jsonb_array_length(attempts) > 0"
    )
    op.drop_index("ix_submissions_open", table_name="submissions")
    op.drop_index(op.f("ix_submissions_batch_id"), table_name="submissions")
    op.drop_constraint(op.f("fk_submissions_batch_id"), "submissions", type_="foreignkey")
    for name in ("noted", "proof_block", "proof", "failures", "batch_id", "position"):
        op.drop_column("submissions", name)
