"""Keep revocation data and ends of certificates beside tokens; add attestations and renewals."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from asn1crypto import cms
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

_JSON = postgresql.JSONB(astext_type=sa.Text())
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("tokens", sa.Column("revocation", _JSON, nullable=True))
    op.add_column("tokens", sa.Column("ends_at", _TIME, nullable=True))
    _describe_older_tokens()
    op.alter_column("tokens", "revocation", nullable=False)
    op.alter_column("tokens", "ends_at", nullable=False)
    op.create_index(op.f("ix_tokens_stamped_ends_at"), "tokens", ["stamped", "ends_at"])
    op.create_table(
        "refusals",
        sa.Column("stamped", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stamped", "subject_id", "authority", name=op.f("pk_refusals")),
    )
    op.create_table(
        "attestations",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("submitted_at", _TIME, nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_attestations_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "calendar", name=op.f("pk_attestations")),
    )
    op.create_index(
        "ix_attestations_due", "attestations", ["next_at"], postgresql_where="next_at IS NOT NULL"
    )
    op.create_table(
        "renewals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renewals")),
        sa.UniqueConstraint("sequence", name=op.f("uq_renewals_sequence")),
    )
    op.create_index("ix_renewals_due", "renewals", ["next_at"], postgresql_where="next_at IS NOT NULL")
    op.create_table(
        "renewal_members",
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("renewal_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name=op.f("fk_renewal_members_evidence_id")
        ),
        sa.ForeignKeyConstraint(["renewal_id"], ["renewals.id"], name=op.f("fk_renewal_members_renewal_id")),
        sa.PrimaryKeyConstraint("evidence_id", "generation", name=op.f("pk_renewal_members")),
        sa.UniqueConstraint("renewal_id", "position", name=op.f("uq_renewal_members_renewal_id_position")),
    )


def _describe_older_tokens() -> None:
    """Tokens of before: their revocation data is gone, when their certificates end is inside."""
    table = sa.table(
        "tokens",
        sa.column("id"),
        sa.column("token"),
        sa.column("revocation", _JSON),
        sa.column("ends_at", _TIME),
    )
    absent = {"status": "absent", "why": "obtained before revocation data was kept"}
    connection = op.get_bind()
    for row in connection.execute(sa.select(table.c.id, table.c.token)).all():
        connection.execute(
            table.update()
            .where(table.c.id == row.id)
            .values(revocation=absent, ends_at=_first_end(row.token))
        )


def _first_end(token: bytes) -> datetime:
    certificates = cms.ContentInfo.load(token)["content"]["certificates"]
    ends: list[datetime] = [
        item.chosen["tbs_certificate"]["validity"]["not_after"].native for item in certificates
    ]
    return min(ends)


def downgrade() -> None:
    op.drop_table("renewal_members")
    op.drop_index("ix_renewals_due", table_name="renewals", postgresql_where="next_at IS NOT NULL")
    op.drop_table("renewals")
    op.drop_index("ix_attestations_due", table_name="attestations", postgresql_where="next_at IS NOT NULL")
    op.drop_table("attestations")
    op.drop_table("refusals")
    op.drop_index(op.f("ix_tokens_stamped_ends_at"), table_name="tokens")
    op.drop_column("tokens", "ends_at")
    op.drop_column("tokens", "revocation")
