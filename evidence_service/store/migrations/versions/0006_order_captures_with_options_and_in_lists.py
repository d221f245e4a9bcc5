"""Keep how a listing is captured, lists of captures, sealed login states, and what was refused for good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("evidence", sa.Column("options", postgresql.JSONB(), nullable=True))
    op.add_column(
        "evidence", sa.Column("refused", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    # Until now only words said so.
    op.execute("UPDATE evidence SET refused = true WHERE progress LIKE 'preserve refused: %'")
    op.drop_index("ix_evidence_unregistered", table_name="evidence")
    _index("ix_evidence_unregistered", ["id"], "registered_at IS NULL AND NOT refused")
    _index("ix_evidence_uncaptured", ["batch_by"], "status = 'accepted' AND NOT refused")
    _index("ix_evidence_captured", ["created_at"], "kind = 'platform_capture' AND outcome IS NOT NULL")
    op.create_table(
        "login_states",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_states")),
    )
    op.create_table(
        "login_uses",
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("login_state_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_login_uses_evidence_id")),
        sa.ForeignKeyConstraint(
            ["login_state_id"], ["login_states.id"], name=op.f("fk_login_uses_login_state_id")
        ),
        sa.PrimaryKeyConstraint("evidence_id", name=op.f("pk_login_uses")),
    )
    op.create_index(op.f("ix_login_uses_login_state_id"), "login_uses", ["login_state_id"])
    op.create_table(
        "capture_lists",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["matter_id"], ["matters.id"], name=op.f("fk_capture_lists_matter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capture_lists")),
    )
    op.create_table(
        "capture_list_rows",
        sa.Column("list_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=True),
        sa.Column("problem", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "(evidence_id IS NULL) <> (problem IS NULL)", name=op.f("ck_capture_list_rows_outcome")
        ),
        sa.ForeignKeyConstraint(["list_id"], ["capture_lists.id"], name=op.f("fk_capture_list_rows_list_id")),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name=op.f("fk_capture_list_rows_evidence_id")
        ),
        sa.PrimaryKeyConstraint("list_id", "position", name=op.f("pk_capture_list_rows")),
    )
    op.create_index(op.f("ix_capture_list_rows_evidence_id"), "capture_list_rows", ["evidence_id"])


def downgrade() -> None:
    for table in ("capture_list_rows", "capture_lists", "login_uses", "login_states"):
        op.drop_table(table)
    for index in ("ix_evidence_captured", "ix_evidence_uncaptured", "ix_evidence_unregistered"):
        op.drop_index(index, table_name="evidence")
    op.drop_column("evidence", "refused")
    op.drop_column("evidence", "options")
    _index("ix_evidence_unregistered", ["id"], "registered_at IS NULL")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "evidence", columns, postgresql_where=sa.text(where))
