"""Chain the custody events of each organisation, with checkpoints that are anchored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evidence_service.store.migrations.isolation import as_worker, isolate, owned

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "custody_pending",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        *owned("custody_pending"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody_pending")),
        sa.UniqueConstraint("evidence_id", "sequence", name=op.f("uq_custody_pending_evidence_id_sequence")),
    )
    op.create_index(
        op.f("ix_custody_pending_organisation_id_id"), "custody_pending", ["organisation_id", "id"]
    )
    op.create_table(
        "custody_log",
        *owned("custody_log"),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("event_hash", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "position", name=op.f("pk_custody_log")),
        sa.UniqueConstraint("evidence_id", "sequence", name=op.f("uq_custody_log_evidence_id_sequence")),
    )
    op.create_table(
        "custody_checkpoints",
        *owned("custody_checkpoints"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "size", name=op.f("pk_custody_checkpoints")),
        sa.UniqueConstraint("evidence_id", name=op.f("uq_custody_checkpoints_evidence_id")),
    )
    isolate("custody_pending", api="SELECT, INSERT", worker="SELECT, INSERT, DELETE")
    isolate("custody_log", api="SELECT", worker="SELECT, INSERT")
    isolate("custody_checkpoints", api="SELECT", worker="SELECT, INSERT")
    with as_worker():
        op.execute(
            "INSERT INTO custody_pending (evidence_id, sequence, organisation_id) "
            "SELECT evidence_id, sequence, organisation_id FROM custody_events "
            "ORDER BY event ->> 'at', evidence_id, sequence"
        )
    # Whoever records an event queues it with that.
    op.execute(
        """
        CREATE FUNCTION evidence_queue_custody() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO custody_pending (evidence_id, sequence, organisation_id)
            SELECT evidence_id, sequence, organisation_id FROM added ORDER BY event ->> 'at', sequence;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER queue_custody AFTER INSERT ON custody_events REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION evidence_queue_custody()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER queue_custody ON custody_events")
    op.execute("DROP FUNCTION evidence_queue_custody()")
    op.drop_table("custody_checkpoints")
    op.drop_table("custody_log")
    op.drop_table("custody_pending")
