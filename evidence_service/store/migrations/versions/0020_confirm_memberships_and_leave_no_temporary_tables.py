"""Have people confirm memberships that others give them; let nobody put a table before the service's own.

A function that runs with its owner's rights looks for tables in the caller's temporary schema first, unless
its path names that one last (PostgreSQL, CREATE FUNCTION, “Writing SECURITY DEFINER Functions Safely”).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evidence_service.store.migrations.isolation import as_worker
from evidence_service.store.tenancy import API_ROLE as API
from evidence_service.store.tenancy import WORKER_ROLE as WORKER

revision = "0020"
down_revision = "0019"

_MEMBER = "evidence_member(text, text)"
_FUNCTIONS = (
    "evidence_key_holder(bytea)",
    _MEMBER,
    "evidence_certificate_owner(text)",
    "evidence_release(bytea, timestamptz, boolean)",
)


def upgrade() -> None:
    op.add_column("members", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    with as_worker():
        # Those that are there have been worked with as they are.
        op.execute("UPDATE members SET confirmed_at = now() WHERE issuer IS NOT NULL")
    _make_member_lookup(", confirmed boolean", ", m.confirmed_at IS NOT NULL")
    with as_worker():
        for function in _FUNCTIONS:
            op.execute(f"ALTER FUNCTION {function} SET search_path = pg_catalog, public, pg_temp")
    _on_database("REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC")
    # What is set aside in a custody log is asked for by evidence, with each event of a caller.
    op.create_index(op.f("ix_requests_evidence_id"), "requests", ["evidence_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_requests_evidence_id"), table_name="requests")
    _on_database("GRANT TEMPORARY ON DATABASE %I TO PUBLIC")
    _make_member_lookup("", "")
    with as_worker():
        for function in _FUNCTIONS:
            op.execute(f"ALTER FUNCTION {function} SET search_path = pg_catalog, public")
    op.drop_column("members", "confirmed_at")


def _on_database(statement: str) -> None:
    op.execute(f"DO $$ BEGIN EXECUTE format('{statement}', current_database()); END $$")


def _make_member_lookup(column: str, value: str) -> None:
    """The lookup of revision 0009, with one column more or without it."""
    with as_worker():
        op.execute(f"DROP FUNCTION {_MEMBER}")
    op.execute(
        f"""
        CREATE FUNCTION evidence_member(given_issuer text, given_subject text)
        RETURNS TABLE (organisation_id text, member_id text, name text, roles jsonb, scopes jsonb{column})
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
            SELECT m.organisation_id, m.id, m.name, m.roles, NULL::jsonb{value}
            FROM members m
            WHERE m.issuer = given_issuer AND m.subject = given_subject AND m.ended_at IS NULL
        $$
        """  # noqa: S608 - constants of this migration
    )
    op.execute(f"REVOKE ALL ON FUNCTION {_MEMBER} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {_MEMBER} TO {API}")
    op.execute(f"GRANT CREATE ON SCHEMA public TO {WORKER}")  # whoever is to own something has to have it
    op.execute(f"ALTER FUNCTION {_MEMBER} OWNER TO {WORKER}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {WORKER}")
