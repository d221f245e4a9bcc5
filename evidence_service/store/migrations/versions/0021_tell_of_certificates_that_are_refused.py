"""Tell whoever waits for a certificate that there will be none."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
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
