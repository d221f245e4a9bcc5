"""Remember what each audit found, and let readiness see how much waits for time stamps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evidence_service.store.migrations.isolation import share
from evidence_service.store.tenancy import API_ROLE as API
from evidence_service.store.tenancy import WORKER_ROLE as WORKER

revision = "0015"
down_revision = "0013"


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
    share(("fsck_runs",), worker="SELECT, INSERT")
    _make_view()


def _make_view() -> None:
    """How much waits for the authorities: a number, of nobody in particular, that readiness tells of.

    A view reads with its owner's rights, and whoever is to own something has to be able to make it.
    """
    op.execute(
        "CREATE VIEW unstamped AS SELECT count(*) AS waiting FROM evidence "
        "WHERE registered_at IS NULL AND NOT refused AND status = 'sealed' AND waiting_for IS NOT NULL"
    )
    op.execute(f"GRANT SELECT ON unstamped TO {API}")
    op.execute(f"GRANT CREATE ON SCHEMA public TO {WORKER}")
    op.execute(f"ALTER VIEW unstamped OWNER TO {WORKER}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {WORKER}")


def downgrade() -> None:
    op.execute("DROP VIEW unstamped")
    op.drop_table("fsck_runs")
