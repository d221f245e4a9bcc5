"""Separate organisations: everything recorded belongs to one, and the database keeps them apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from evidence_service.store.migrations.isolation import isolate, make_roles, open_again, share
from evidence_service.store.tenancy import API_ROLE as API
from evidence_service.store.tenancy import WORKER_ROLE as WORKER

revision = "0009"
down_revision = "0008"

# Table → what refers to what (column, table, key) within one organisation from now on.
_OWNED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "matters": (),
    "evidence": (("matter_id", "matters", "id"),),
    "login_states": (),
    "login_uses": (("evidence_id", "evidence", "id"), ("login_state_id", "login_states", "id")),
    "capture_lists": (("matter_id", "matters", "id"),),
    "capture_list_rows": (("list_id", "capture_lists", "id"), ("evidence_id", "evidence", "id")),
    "custody_events": (("evidence_id", "evidence", "id"),),
    "receipts": (("evidence_id", "evidence", "id"),),
    "certificates": (("evidence_id", "evidence", "id"), ("superseded_by", "certificates", "number")),
    "certificate_events": (("number", "certificates", "number"), ("superseded_by", "certificates", "number")),
    "certificate_pdfs": (("number", "certificates", "number"),),
    "certificate_orders": (
        ("evidence_id", "evidence", "id"),
        ("supersedes", "certificates", "number"),
        ("number", "certificates", "number"),
    ),
    "exhibits": (),
    "idempotency_keys": (),
}
_REFERRED = {
    "matters": "id",
    "evidence": "id",
    "login_states": "id",
    "capture_lists": "id",
    "certificates": "number",
}
_ADDED_TO = ("custody_events", "receipts", "certificate_events", "certificate_pdfs")
"""Nobody changes a row of these, the service itself included."""
_SWEPT = ("login_states", "login_uses")
"""Rows of these end with what they were for."""
_DERIVED = {
    "batches": "EXISTS (SELECT FROM evidence WHERE evidence.batch_id = batches.id)",
    "entries": "EXISTS (SELECT FROM evidence WHERE evidence.batch_id = entries.batch_id "
    "AND evidence.leaf_index = entries.leaf_index)",
    "tokens": "stamped <> 'manifest' OR EXISTS (SELECT FROM evidence WHERE evidence.id = tokens.subject_id)",
    "refusals": "stamped <> 'manifest' OR EXISTS "
    "(SELECT FROM evidence WHERE evidence.id = refusals.subject_id)",
    "attestations": "EXISTS (SELECT FROM evidence WHERE evidence.batch_id = attestations.batch_id)",
    "submissions": "EXISTS (SELECT FROM evidence WHERE evidence.batch_id = submissions.batch_id)",
    "renewal_members": "EXISTS (SELECT FROM evidence WHERE evidence.id = renewal_members.evidence_id)",
}
"""Tables about evidence of many; the conditions see the evidence of the one organisation only."""
_SHARED = ("renewals", "chain_status")


def upgrade() -> None:
    make_roles()
    _make_organisations()
    for table in _OWNED:
        op.add_column(
            table,
            sa.Column(
                "organisation_id",
                sa.Text(),
                nullable=False,
                server_default=sa.text("evidence_organisation()"),
            ),
        )
        op.create_foreign_key(
            op.f(f"fk_{table}_organisation_id"), table, "organisations", ["organisation_id"], ["id"]
        )
    for table, key in _REFERRED.items():
        op.create_unique_constraint(
            op.f(f"uq_{table}_organisation_id_{key}"), table, ["organisation_id", key]
        )
    for table, references in _OWNED.items():
        for column, target, key in references:
            op.drop_constraint(op.f(f"fk_{table}_{column}"), table, type_="foreignkey")
            op.create_foreign_key(
                op.f(f"fk_{table}_{column}_organisation_id"),
                table,
                target,
                [column, "organisation_id"],
                [key, "organisation_id"],
            )
    op.drop_constraint(op.f("pk_idempotency_keys"), "idempotency_keys", type_="primary")
    op.create_primary_key(op.f("pk_idempotency_keys"), "idempotency_keys", ["organisation_id", "key"])
    op.create_index(op.f("ix_evidence_organisation_id_batch_id"), "evidence", ["organisation_id", "batch_id"])
    _separate()
    _make_views()
    _make_lookups()


def downgrade() -> None:
    op.execute("DROP FUNCTION evidence_key_holder(bytea)")
    op.execute("DROP FUNCTION evidence_member(text, text)")
    op.execute("DROP FUNCTION evidence_certificate_owner(text)")
    op.execute("DROP VIEW queued_captures")
    op.execute("DROP VIEW recent_captures")
    for table in (*_DERIVED, *_OWNED):
        open_again(table)
    for table in (*_SHARED, "nonces", "alembic_version"):
        op.execute(f"REVOKE ALL ON {table} FROM {API}, {WORKER}")
    op.drop_index(op.f("ix_evidence_organisation_id_batch_id"), table_name="evidence")
    op.drop_constraint(op.f("pk_idempotency_keys"), "idempotency_keys", type_="primary")
    op.create_primary_key(op.f("pk_idempotency_keys"), "idempotency_keys", ["key"])
    for table, references in _OWNED.items():
        for column, target, key in references:
            op.drop_constraint(op.f(f"fk_{table}_{column}_organisation_id"), table, type_="foreignkey")
            op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, target, [column], [key])
    for table in _OWNED:
        op.drop_column(table, "organisation_id")
    op.drop_table("api_keys")
    op.drop_table("members")
    op.drop_table("organisations")
    op.execute("DROP FUNCTION evidence_organisation()")


def _make_organisations() -> None:
    op.execute(
        """
        CREATE FUNCTION evidence_organisation() RETURNS text LANGUAGE sql STABLE AS
        $$ SELECT COALESCE(NULLIF(current_setting('evidence.organisation', true), ''), 'o-default') $$
        """
    )
    op.create_table(
        "organisations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("code", name=op.f("uq_organisations_code")),
    )
    op.execute("INSERT INTO organisations VALUES ('o-default', 'Default organisation', NULL, now())")
    op.create_table(
        "members",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("roles", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        _organisation(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_members_organisation_id")
        ),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_members_organisation_id_id")),
        sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_members_organisation_id_name")),
        sa.UniqueConstraint(
            "organisation_id", "issuer", "subject", name=op.f("uq_members_organisation_id_issuer_subject")
        ),
        sa.CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name=op.f("ck_members_identity")),
    )
    op.create_index(op.f("ix_members_issuer_subject"), "members", ["issuer", "subject"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        _organisation(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_api_keys_organisation_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id", "organisation_id"],
            ["members.id", "members.organisation_id"],
            name=op.f("fk_api_keys_member_id_organisation_id"),
        ),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_keys_sha256")),
    )
    op.create_index(op.f("ix_api_keys_member_id"), "api_keys", ["member_id"])


def _organisation() -> sa.Column[str]:
    return sa.Column(
        "organisation_id", sa.Text(), nullable=False, server_default=sa.text("evidence_organisation()")
    )


def _separate() -> None:
    for table in _OWNED:
        if table in _ADDED_TO:
            isolate(table, api="SELECT, INSERT")
        elif table in _SWEPT:
            isolate(table, api="SELECT, INSERT, UPDATE, DELETE")
        else:
            isolate(table)
    isolate("organisations", own="id = current_setting('evidence.organisation', true)", api="SELECT, INSERT")
    isolate("members")
    isolate("api_keys")
    for table, own in _DERIVED.items():
        isolate(table, own=own, api="SELECT", worker="SELECT, INSERT, UPDATE, DELETE")
    share(_SHARED)
    share(("alembic_version",), worker="SELECT")
    share(("nonces",), api="", worker="SELECT, INSERT, UPDATE, DELETE")


def _make_views() -> None:
    """What a promise reckons with: how much waits, and how long captures took; of nobody in particular.

    A view reads with its owner's rights: times of all organisations, and nothing but times.
    """
    op.execute(
        "CREATE VIEW queued_captures AS "
        "SELECT batch_by FROM evidence WHERE status = 'accepted' AND NOT refused"
    )
    op.execute(
        "CREATE VIEW recent_captures AS SELECT created_at, capture ->> 'started_at' AS started, "
        "capture ->> 'finished_at' AS finished "
        "FROM evidence WHERE kind = 'platform_capture' AND outcome IS NOT NULL"
    )
    op.execute(f"GRANT CREATE ON SCHEMA public TO {WORKER}")  # whoever is to own something has to have it
    for view in ("queued_captures", "recent_captures"):
        # In this order: an owner who inherits nothing could grant nothing of what is the worker's.
        op.execute(f"GRANT SELECT ON {view} TO {API}")
        op.execute(f"ALTER VIEW {view} OWNER TO {WORKER}")


def _make_lookups() -> None:
    """Whose a key, a person or a certificate is, asked before the organisation is known.

    They run with the worker's rights and answer for exactly what the caller holds already.
    """
    caller = "TABLE (organisation_id text, member_id text, name text, roles jsonb, scopes jsonb)"
    lookups = {
        "evidence_key_holder(held bytea)": (
            caller,
            """
            SELECT m.organisation_id, m.id, m.name, m.roles, k.scopes
            FROM api_keys k JOIN members m ON m.id = k.member_id
            WHERE k.sha256 = held AND k.revoked_at IS NULL AND m.ended_at IS NULL
            AND (k.expires_at IS NULL OR k.expires_at > now())
            """,
        ),
        "evidence_member(given_issuer text, given_subject text)": (
            caller,
            """
            SELECT m.organisation_id, m.id, m.name, m.roles, NULL::jsonb
            FROM members m
            WHERE m.issuer = given_issuer AND m.subject = given_subject AND m.ended_at IS NULL
            """,
        ),
        "evidence_certificate_owner(given text)": (
            "text",
            "SELECT organisation_id FROM certificates WHERE number = given",
        ),
    }
    for signature, (answer, query) in lookups.items():
        op.execute(
            f"CREATE FUNCTION {signature} RETURNS {answer} LANGUAGE sql STABLE SECURITY DEFINER "
            f"SET search_path = pg_catalog, public AS $$ {query} $$"
        )
        name, arguments = signature.rstrip(")").split("(")
        types = ", ".join(argument.split()[1] for argument in arguments.split(", "))
        op.execute(f"REVOKE ALL ON FUNCTION {name}({types}) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name}({types}) TO {API}")
        op.execute(f"ALTER FUNCTION {name}({types}) OWNER TO {WORKER}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {WORKER}")
