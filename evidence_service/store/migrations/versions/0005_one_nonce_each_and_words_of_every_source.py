"""One nonce for each submission, words of every source that waits, and indexes for what workers look for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_INDEXES = (
    ("ix_evidence_unregistered", "evidence", "id", "registered_at IS NULL"),
    ("ix_evidence_certifiable", "evidence", "id", "status = 'anchored' AND certificate_wanted"),
    ("ix_batches_unanchored", "batches", "sequence", "status = 'closed'"),
    ("ix_batches_late", "batches", "late", "late > 0"),
    (
        "ix_submissions_unnoted",
        "submissions",
        "position",
        "state = 'sealed' AND NOT noted AND batch_id IS NOT NULL",
    ),
)


def upgrade() -> None:
    # Settings took addresses in any case; logs of a chain are compared in lower case.
    op.execute("UPDATE submissions SET contract = lower(contract), submitter = lower(submitter)")
    op.execute("UPDATE nonces SET submitter = lower(submitter)")
    _release_second_nonces()
    op.drop_index(op.f("ix_nonces_submission_id"), table_name="nonces")
    op.create_index(
        "uq_nonces_holder",
        "nonces",
        ["chain_id", "submitter", "submission_id"],
        unique=True,
        postgresql_where="submission_id IS NOT NULL",
    )
    op.add_column(
        "batches",
        sa.Column("waiting", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    # Whose words the stored ones are is not known; who still waits says so again after the start.
    op.execute("UPDATE batches SET waiting_for = NULL WHERE waiting_for IS NOT NULL")
    op.execute(
        "UPDATE evidence SET waiting_for = NULL "
        "WHERE waiting_for IS NOT NULL AND status = 'registered' AND batch_id IS NOT NULL"
    )
    op.add_column("batches", sa.Column("late", sa.Integer(), server_default="0", nullable=False))
    op.execute(
        "UPDATE batches b SET late = found.late FROM (SELECT batch_id, count(*) AS late "
        "FROM evidence JOIN batches ON batches.id = batch_id WHERE batch_by < closed_at GROUP BY batch_id"
        ") found WHERE found.batch_id = b.id"
    )
    for name, table, column, where in _INDEXES:
        op.create_index(name, table, [column], postgresql_where=where)


def _release_second_nonces() -> None:
    """A submission keeps the nonce it is sent with; gaps among the others are filled by the sender."""
    op.execute(
        "UPDATE nonces SET submission_id = NULL FROM ("
        "SELECT n.chain_id, n.submitter, n.nonce, row_number() OVER ("
        "PARTITION BY n.chain_id, n.submitter, n.submission_id "
        "ORDER BY (n.nonce IS NOT DISTINCT FROM s.nonce) DESC, n.nonce) AS rank "
        "FROM nonces n LEFT JOIN submissions s ON s.id = n.submission_id WHERE n.submission_id IS NOT NULL"
        ") held WHERE held.rank > 1 AND held.chain_id = nonces.chain_id "
        "AND held.submitter = nonces.submitter AND held.nonce = nonces.nonce"
    )


def downgrade() -> None:
    for name, table, _, where in _INDEXES:
        op.drop_index(name, table_name=table, postgresql_where=where)
    op.drop_column("batches", "late")
    op.drop_column("batches", "waiting")
    op.drop_index("uq_nonces_holder", table_name="nonces", postgresql_where="submission_id IS NOT NULL")
    op.create_index(op.f("ix_nonces_submission_id"), "nonces", ["submission_id"])
