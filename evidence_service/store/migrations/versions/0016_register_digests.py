"""Register digests: one by one and in lists, before a worker makes evidence of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from evidence_service.store.migrations.isolation import isolate, open_again, owned

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "registration_lists",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("refused", postgresql.JSONB(), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=True),
        *owned("registration_lists", ("matter_id", "matters")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_lists")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_registration_lists_organisation_id_id")),
    )
    op.create_table(
        "registrations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.Text(), nullable=True),
        sa.Column("list_id", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("sha3_512", sa.LargeBinary(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=True),
        sa.Column("entered", sa.Boolean(), server_default=sa.false(), nullable=False),
        *_owned_by_what_it_refers_to(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
        sa.CheckConstraint(
            "(list_id IS NULL) = (position IS NULL) AND (list_id IS NULL) = (matter_id IS NOT NULL)",
            name=op.f("ck_registrations_place"),
        ),
    )
    op.create_index(
        op.f("ix_registrations_sha256_organisation_id"), "registrations", ["sha256", "organisation_id"]
    )
    op.create_index(
        "ix_registrations_unentered",
        "registrations",
        ["batch_by"],
        postgresql_where=sa.text("NOT entered"),
    )
    isolate("registration_lists", api="SELECT, INSERT")
    isolate("registrations", api="SELECT, INSERT", worker="SELECT, INSERT, UPDATE")


def downgrade() -> None:
    for table in ("registrations", "registration_lists"):
        open_again(table)
        op.drop_table(table)


def _owned_by_what_it_refers_to() -> list[sa.schema.SchemaItem]:
    """Thousands of rows come at once: their owner is checked with their matter or their list."""
    column, _, *references = owned(
        "registrations", ("matter_id", "matters"), ("list_id", "registration_lists")
    )
    return [column, *references]
