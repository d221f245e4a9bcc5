"""Find entries by their digest, keep intake receipts, and note what they promise."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("leaf_index", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_entries_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "leaf_index", name=op.f("pk_entries")),
    )
    op.execute(
        "INSERT INTO entries (batch_id, leaf_index, sha256) "
        "SELECT batch_id, leaf_index, sha256(manifest) FROM evidence WHERE batch_id IS NOT NULL"
    )
    op.create_index(op.f("ix_entries_sha256"), "entries", ["sha256"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_receipts_evidence_id")),
        sa.PrimaryKeyConstraint("evidence_id", name=op.f("pk_receipts")),
    )
    op.add_column("evidence", sa.Column("batch_by", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "evidence", sa.Column("urgent", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("evidence", "urgent")
    op.drop_column("evidence", "batch_by")
    op.drop_table("receipts")
    op.drop_index(op.f("ix_entries_sha256"), table_name="entries")
    op.drop_table("entries")
