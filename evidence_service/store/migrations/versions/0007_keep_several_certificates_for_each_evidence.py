"""Keep several certificates for each piece of evidence, with orders, history and all their PDFs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

_BEFORE = "generic:en+zh"
"""The only edition there was."""


def upgrade() -> None:
    for column in (
        sa.Column("edition", sa.Text(), nullable=False, server_default=_BEFORE),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("superseded_by", sa.Text(), nullable=True),
        sa.Column("qualifications", postgresql.JSONB(), nullable=False, server_default="[]"),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("unnoted", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    ):
        op.add_column("certificates", column)
    op.execute("UPDATE certificates SET since = coalesce(released_at, reserved_at)")
    op.alter_column("certificates", "edition", server_default=None)
    op.alter_column("certificates", "since", nullable=False)
    op.create_foreign_key(
        op.f("fk_certificates_superseded_by"), "certificates", "certificates", ["superseded_by"], ["number"]
    )
    op.drop_constraint(op.f("uq_certificates_evidence_id"), "certificates", type_="unique")
    op.create_index(op.f("ix_certificates_evidence_id"), "certificates", ["evidence_id"])
    _unique("uq_certificates_current", "certificates", "status = 'released'")
    op.create_index(
        "ix_certificates_unnoted", "certificates", ["number"], postgresql_where=sa.text("unnoted")
    )
    _create_history()
    _create_orders()
    _fill()


def _create_history() -> None:
    op.create_table(
        "certificate_events",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("superseded_by", sa.Text(), nullable=True),
        _certificate("certificate_events", "number"),
        _certificate("certificate_events", "superseded_by"),
        sa.PrimaryKeyConstraint("number", "sequence", name=op.f("pk_certificate_events")),
    )
    op.create_table(
        "certificate_pdfs",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        _certificate("certificate_pdfs", "number"),
        sa.PrimaryKeyConstraint("number", "sequence", name=op.f("pk_certificate_pdfs")),
        sa.UniqueConstraint("sha256", name=op.f("uq_certificate_pdfs_sha256")),
    )
    op.create_index(op.f("ix_certificate_pdfs_ends_at"), "certificate_pdfs", ["ends_at"])
    # What was said of a certificate once stays: not even the service's own database user changes it.
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME; END $$
        """
    )
    for table in ("certificate_events", "certificate_pdfs"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def _create_orders() -> None:
    op.create_table(
        "certificate_orders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("supersedes", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name=op.f("fk_certificate_orders_evidence_id")
        ),
        _certificate("certificate_orders", "supersedes"),
        _certificate("certificate_orders", "number"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_orders")),
        sa.UniqueConstraint("number", name=op.f("uq_certificate_orders_number")),
    )
    _unique("uq_certificate_orders_open", "certificate_orders", "state = 'open'")


def _fill() -> None:
    """Tell the history of the certificates that are there already, as far as the record knows it."""
    op.execute(
        """
        INSERT INTO certificate_orders (id, evidence_id, edition, actor, ordered_at, state, number)
        SELECT 'co-' || e.id, e.id, c.edition, e.operator, c.reserved_at,
               CASE c.status WHEN 'released' THEN 'issued' ELSE 'open' END, c.number
        FROM certificates c JOIN evidence e ON e.id = c.evidence_id
        """
    )
    op.execute(
        """
        INSERT INTO certificate_events (number, sequence, status, at, actor, reason)
        SELECT c.number, 1, 'reserved', c.reserved_at, o.actor, ''
        FROM certificates c JOIN certificate_orders o ON o.number = c.number
        UNION ALL
        SELECT c.number, 2, 'released', c.released_at, o.actor, ''
        FROM certificates c JOIN certificate_orders o ON o.number = c.number WHERE c.status = 'released'
        """
    )
    op.execute(
        """
        INSERT INTO certificate_pdfs (number, sequence, sha256, level, at)
        SELECT number, 1, sha256, level, released_at FROM certificates WHERE status = 'released'
        """
    )
    # Their digests are registered by the worker.
    op.execute("UPDATE certificates SET unnoted = true WHERE status = 'released'")


def downgrade() -> None:
    """One certificate for each piece of evidence is kept: the one that was released first and is current."""
    for table in ("certificate_orders", "certificate_pdfs", "certificate_events"):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_constraint(op.f("fk_certificates_superseded_by"), "certificates", type_="foreignkey")
    op.execute(
        """
        DELETE FROM certificates WHERE number NOT IN (
            SELECT DISTINCT ON (evidence_id) number FROM certificates WHERE status IN ('released', 'reserved')
            ORDER BY evidence_id, status, released_at, number
        )
        """
    )
    op.drop_index("uq_certificates_current", table_name="certificates")
    op.drop_index(op.f("ix_certificates_evidence_id"), table_name="certificates")
    op.drop_index("ix_certificates_unnoted", table_name="certificates")
    for column in ("unnoted", "waiting_for", "qualifications", "superseded_by", "reason", "since", "edition"):
        op.drop_column("certificates", column)
    op.create_unique_constraint(op.f("uq_certificates_evidence_id"), "certificates", ["evidence_id"])


def _certificate(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["certificates.number"], name=op.f(f"fk_{table}_{column}"))


def _unique(name: str, table: str, where: str) -> None:
    op.create_index(name, table, ["evidence_id", "edition"], unique=True, postgresql_where=sa.text(where))
