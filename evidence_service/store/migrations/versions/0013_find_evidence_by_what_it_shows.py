"""Find evidence by what it shows: addresses, sellers, listing ids, digests of files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evidence_service.store.migrations.isolation import as_worker, isolate, owned

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "evidence_terms",
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        *owned("evidence_terms", ("evidence_id", "evidence")),
        sa.PrimaryKeyConstraint("evidence_id", "kind", "term", name=op.f("pk_evidence_terms")),
    )
    # Beginnings of terms are looked for as well, whatever the database's collation is.
    op.create_index(
        "ix_evidence_terms_term",
        "evidence_terms",
        ["organisation_id", "kind", "term"],
        postgresql_ops={"term": "text_pattern_ops"},
    )
    op.create_index(
        op.f("ix_evidence_organisation_id_created_at_id"), "evidence", ["organisation_id", "created_at", "id"]
    )
    isolate("evidence_terms", api="SELECT, INSERT, DELETE")
    op.execute(
        """
        CREATE FUNCTION evidence_terms_of(found evidence) RETURNS TABLE (kind text, term text)
        LANGUAGE sql IMMUTABLE AS $$
            SELECT DISTINCT named.kind, lower(left(named.term, 500)) FROM (
                SELECT 'url', found.url
                UNION ALL SELECT 'url', found.capture #>> '{subject,final_url}'
                UNION ALL SELECT 'listing_id', found.capture #>> '{subject,listing,listing_id,value}'
                UNION ALL SELECT 'seller', found.capture #>> ARRAY['subject', 'listing', fact, 'value']
                    FROM unnest(ARRAY['seller_name', 'seller_id', 'seller_url', 'shop', 'shop_id']) AS fact
                UNION ALL SELECT 'sha256', file ->> 'sha256'
                    FROM jsonb_array_elements(COALESCE(found.capture -> 'files', '[]')) AS file
            ) AS named (kind, term)
            WHERE named.term <> ''
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION evidence_note_terms() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM evidence_terms WHERE evidence_id = NEW.id;
            INSERT INTO evidence_terms (evidence_id, kind, term, organisation_id)
            SELECT NEW.id, named.kind, named.term, NEW.organisation_id FROM evidence_terms_of(NEW) AS named;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER note_terms AFTER INSERT ON evidence FOR EACH ROW "
        "WHEN (NEW.url IS NOT NULL OR NEW.capture IS NOT NULL) EXECUTE FUNCTION evidence_note_terms()"
    )
    op.execute(
        "CREATE TRIGGER note_changed_terms AFTER UPDATE OF capture ON evidence FOR EACH ROW "
        "WHEN (NEW.capture IS DISTINCT FROM OLD.capture) EXECUTE FUNCTION evidence_note_terms()"
    )
    with as_worker():
        op.execute(
            "INSERT INTO evidence_terms (evidence_id, kind, term, organisation_id) "
            "SELECT e.id, named.kind, named.term, e.organisation_id "
            "FROM evidence e, LATERAL evidence_terms_of(e) AS named"
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER note_terms ON evidence")
    op.execute("DROP TRIGGER note_changed_terms ON evidence")
    op.execute("DROP FUNCTION evidence_note_terms()")
    op.execute("DROP FUNCTION evidence_terms_of(evidence)")
    op.drop_index(op.f("ix_evidence_organisation_id_created_at_id"), table_name="evidence")
    op.drop_table("evidence_terms")
