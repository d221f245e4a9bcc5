"""Remember what each audit found: when it ended, how much it looked at, how much does not hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "fsck_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("examined", sa.BigInteger(), nullable=False),
        sa.Column("problems", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fsck_runs")),
    )
    op.create_index(op.f("ix_fsck_runs_finished_at"), "fsck_runs", ["finished_at"])


def downgrade() -> None:
    op.drop_table("fsck_runs")
