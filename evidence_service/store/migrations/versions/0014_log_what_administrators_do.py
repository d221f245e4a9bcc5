"""Log what administrators do, where nobody can edit it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from evidence_service.store.migrations.isolation import isolate, open_again, owned

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "administration_events",
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        *owned("administration_events"),
        sa.PrimaryKeyConstraint("organisation_id", "sequence", name=op.f("pk_administration_events")),
    )
    isolate("administration_events", api="SELECT, INSERT")


def downgrade() -> None:
    open_again("administration_events")
    op.drop_table("administration_events")
