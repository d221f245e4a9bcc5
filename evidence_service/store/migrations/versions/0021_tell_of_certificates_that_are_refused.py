"""Tell whoever waits for a certificate that there will be none; keep by which role something was ordered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_ROLES = {
    "evidence": "operator_role",
    "registrations": "operator_role",
    "exhibits": "operator_role",
    "certificate_orders": "role",
    "certificate_events": "role",
}


def upgrade() -> None:
    for table, column in _ROLES.items():
        # What custody logs and receipts said of everybody until now.
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default="operator"))
    # With every piece of evidence that is looked at, its orders are.
    op.create_index(op.f("ix_certificate_orders_evidence_id"), "certificate_orders", ["evidence_id"])
    op.execute(
        """
        CREATE FUNCTION evidence_tell_certificate_orders() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO events (type, subject_id, data, organisation_id)
            VALUES ('certificate.refused', NEW.id, jsonb_build_object(
                'id', NEW.id, 'evidence_id', NEW.evidence_id, 'matter_id',
                (SELECT matter_id FROM evidence WHERE evidence.id = NEW.evidence_id),
                'edition', NEW.edition, 'status', NEW.state), NEW.organisation_id);
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER tell_refusal AFTER UPDATE OF state ON certificate_orders FOR EACH ROW "
        "WHEN (NEW.state = 'refused' AND OLD.state <> 'refused') "
        "EXECUTE FUNCTION evidence_tell_certificate_orders()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_refusal ON certificate_orders")
    op.execute("DROP FUNCTION evidence_tell_certificate_orders()")
    op.drop_index(op.f("ix_certificate_orders_evidence_id"), table_name="certificate_orders")
    for table, column in _ROLES.items():
        op.drop_column(table, column)
