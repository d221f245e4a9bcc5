"""Hold, retain, delete and release evidence; know the parties and rights of matters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0016"

_OF_MATTERS = ("respondent", "court", "case_number")


def upgrade() -> None:
    op.add_column(
        "matters",
        sa.Column("structured_rights", postgresql.JSONB(), nullable=False, server_default="[]"),
    )
    for name in _OF_MATTERS:
        op.add_column("matters", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    for name in (*_OF_MATTERS, "structured_rights"):
        op.drop_column("matters", name)
