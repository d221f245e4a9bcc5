"""Record what happens as events, and where organisations want to be told of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from evidence_service.store.migrations.isolation import isolate, owned

revision = "0017"
down_revision = "0016"

# Table → type of an event, whose it is about, and what is told of it: nothing that needs a key to be read.
_TOLD = {
    "evidence": (
        "'evidence.' || CASE WHEN TG_OP = 'INSERT' THEN 'accepted' "
        "WHEN NEW.refused THEN 'stopped' ELSE NEW.status END",
        "NEW.id",
        "jsonb_build_object('id', NEW.id, 'matter_id', NEW.matter_id, 'kind', NEW.kind, "
        "'status', NEW.status, 'outcome', NEW.outcome, 'stopped', NEW.refused)",
    ),
    "certificates": (
        "'certificate.' || NEW.status",
        "NEW.number",
        "jsonb_build_object('id', NEW.number, 'evidence_id', NEW.evidence_id, 'matter_id', "
        "(SELECT matter_id FROM evidence WHERE evidence.id = NEW.evidence_id), "
        "'edition', NEW.edition, 'status', NEW.status, 'superseded_by', NEW.superseded_by)",
    ),
    "exhibits": (
        "'exhibit.' || NEW.status",
        "NEW.id",
        "jsonb_build_object('id', NEW.id, 'status', NEW.status, 'evidence_ids', NEW.evidence, 'matter_ids', "
        "(SELECT jsonb_agg(DISTINCT matter_id) FROM evidence "
        "WHERE evidence.id IN (SELECT jsonb_array_elements_text(NEW.evidence))))",
    ),
}
# Digests are registered by the thousand; who registers them follows their list.
_WHEN = {
    "tell_new": "AFTER INSERT ON evidence FOR EACH ROW WHEN (NEW.kind <> 'digest')",
    "tell": "AFTER UPDATE OF status, outcome, refused ON evidence FOR EACH ROW "
    "WHEN (NEW.kind <> 'digest' AND "
    "(NEW.status, NEW.outcome, NEW.refused) IS DISTINCT FROM (OLD.status, OLD.outcome, OLD.refused))",
    "tell_certificate": "AFTER UPDATE OF status ON certificates FOR EACH ROW WHEN (NEW.status <> OLD.status)",
    "tell_exhibit": "AFTER UPDATE OF status ON exhibits FOR EACH ROW WHEN (NEW.status <> OLD.status)",
}


def upgrade() -> None:
    _make_events()
    _make_webhooks()
    for table, (kind, subject, data) in _TOLD.items():
        op.execute(
            f"""
            CREATE FUNCTION evidence_tell_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO events (type, subject_id, data, organisation_id)
                VALUES ({kind}, {subject}, {data}, NEW.organisation_id);
                RETURN NULL;
            END $$
            """  # noqa: S608 - constants of this migration
        )
    for trigger, when in _WHEN.items():
        table = when.split(" ON ")[1].split()[0]
        op.execute(f"CREATE TRIGGER {trigger} {when} EXECUTE FUNCTION evidence_tell_{table}()")


def downgrade() -> None:
    for trigger, when in _WHEN.items():
        op.execute(f"DROP TRIGGER {trigger} ON {when.split(' ON ')[1].split()[0]}")
    for table in _TOLD:
        op.execute(f"DROP FUNCTION evidence_tell_{table}()")
    op.drop_table("deliveries")
    op.drop_table("webhooks")
    op.drop_table("events")


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        *owned("events"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("organisation_id", "position", name=op.f("uq_events_organisation_id_position")),
    )
    op.create_index("ix_events_untold", "events", ["id"], postgresql_where="position IS NULL")
    # Whoever changes something tells it; where it stands among the others, the worker says.
    isolate("events", api="SELECT, INSERT", worker="SELECT, INSERT, UPDATE (position)")


def _make_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", postgresql.JSONB(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("previous", postgresql.JSONB(), nullable=False, server_default="[]"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        *owned("webhooks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_webhooks_organisation_id_id")),
    )
    op.create_table(
        "deliveries",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("state", sa.Text(), nullable=False, server_default="pending"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False, server_default=""),
        *owned("deliveries"),
        sa.PrimaryKeyConstraint("webhook_id", "position", name=op.f("pk_deliveries")),
        sa.ForeignKeyConstraint(
            ["webhook_id", "organisation_id"],
            ["webhooks.id", "webhooks.organisation_id"],
            name=op.f("fk_deliveries_webhook_id_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "position"],
            ["events.organisation_id", "events.position"],
            name=op.f("fk_deliveries_organisation_id_position"),
        ),
    )
    op.create_index(
        "ix_deliveries_due", "deliveries", ["webhook_id", "next_at"], postgresql_where="state = 'pending'"
    )
    isolate("webhooks", api="SELECT, INSERT, UPDATE, DELETE", worker="SELECT, UPDATE")
    isolate("deliveries", api="SELECT, INSERT, UPDATE, DELETE", worker="SELECT, INSERT, UPDATE")
