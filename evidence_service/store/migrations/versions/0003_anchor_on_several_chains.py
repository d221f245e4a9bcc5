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
    # Ids of version 1 are “<batch>-on-<chain>”; a stored proof means that the anchor was final and noted.
    op.execute("UPDATE submissions SET batch_id = substring(id FROM '^(.*)-on-[0-9]+$')")
    op.execute(
        "UPDATE submissions s SET state = 'sealed', proof = a.proof, proof_block = s.block_hash, "
        "noted = true FROM anchors a WHERE a.batch_id = s.batch_id AND a.chain_id = s.chain_id"
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
    op.drop_index("ix_submissions_open", table_name="submissions")
    op.drop_index(op.f("ix_submissions_batch_id"), table_name="submissions")
    op.drop_constraint(op.f("fk_submissions_batch_id"), "submissions", type_="foreignkey")
    for name in ("noted", "proof_block", "proof", "failures", "batch_id", "position"):
        op.drop_column("submissions", name)
