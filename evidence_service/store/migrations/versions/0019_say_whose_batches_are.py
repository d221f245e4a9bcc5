"""Say who has an entry in a batch: asked of the evidence, it was looked for from one end to the other.

PostgreSQL takes half of the evidence for one batch's and reads until the first row of it comes, which for
somebody without an entry there is never.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evidence_service.store.migrations.isolation import as_worker, isolate, open_again
from evidence_service.store.tenancy import API_ROLE

revision = "0019"
down_revision = "0018"

_OF_BATCHES = {"batches": "id", "attestations": "batch_id", "submissions": "batch_id"}


def upgrade() -> None:
    op.create_table(
        "batch_owners",
        sa.Column("organisation_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "batch_id", name=op.f("pk_batch_owners")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_batch_owners_organisation_id")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_owners_batch_id")),
    )
    isolate("batch_owners", api="SELECT", worker="SELECT, INSERT")
    with as_worker():
        op.execute(
            "INSERT INTO batch_owners (organisation_id, batch_id) "
            "SELECT DISTINCT organisation_id, batch_id FROM evidence WHERE batch_id IS NOT NULL"
        )
    _see_through("batch_owners")


def downgrade() -> None:
    _see_through("evidence")
    open_again("batch_owners")
    op.drop_table("batch_owners")


def _see_through(owners: str) -> None:
    """Have what is about a batch be seen by who sees a row about the batch in a table."""
    for table, column in _OF_BATCHES.items():
        op.execute(
            f"ALTER POLICY own ON {table} TO {API_ROLE} "
            f"USING (EXISTS (SELECT FROM {owners} WHERE {owners}.batch_id = {table}.{column}))"
        )
