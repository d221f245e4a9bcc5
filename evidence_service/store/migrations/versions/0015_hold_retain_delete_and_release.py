"""Hold, retain, delete and release evidence; know the parties and rights of matters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from evidence_service.store.migrations.isolation import isolate, owned, share
from evidence_service.store.tenancy import API_ROLE as API
from evidence_service.store.tenancy import WORKER_ROLE as WORKER

revision = "0015"
down_revision = "0014"

_OF_MATTERS = ("respondent", "court", "case_number")
_Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "matters",
        sa.Column("structured_rights", postgresql.JSONB(), nullable=False, server_default="[]"),
    )
    for name in _OF_MATTERS:
        op.add_column("matters", sa.Column(name, sa.Text(), nullable=True))
    _make_holds()
    _make_requests()
    _make_references()
    _make_releases()
    _make_upload_sessions()


def downgrade() -> None:
    op.drop_table("upload_sessions")
    op.execute("DROP FUNCTION evidence_release(bytea, timestamptz, boolean)")
    op.drop_table("release_links")
    op.drop_table("release_rules")
    op.execute("DROP TRIGGER refer_to_files ON evidence")
    op.execute("DROP FUNCTION evidence_refer_to_files()")
    for table in ("removed_objects", "kept_files", "tombstones", "requests", "retentions", "holds"):
        op.drop_table(table)
    for name in (*_OF_MATTERS, "structured_rights"):
        op.drop_column("matters", name)


def _make_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=True),
        sa.Column("matter_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_at", _Time, nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.Column("noted", sa.Boolean(), nullable=False),
        *owned("holds", ("evidence_id", "evidence"), ("matter_id", "matters")),
        sa.CheckConstraint("(evidence_id IS NULL) <> (matter_id IS NULL)", name=op.f("ck_holds_subject")),
        sa.CheckConstraint("(lifted_by IS NULL) = (lifted_at IS NULL)", name=op.f("ck_holds_lifted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_evidence_id"), "holds", ["evidence_id"])
    op.create_index(op.f("ix_holds_matter_id"), "holds", ["matter_id"])
    op.create_index("ix_holds_unnoted", "holds", ["id"], postgresql_where=sa.text("NOT noted"))
    op.create_table(
        "retentions",
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("keep_until", _Time, nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("at", _Time, nullable=False),
        *owned("retentions", ("evidence_id", "evidence")),
        sa.PrimaryKeyConstraint("evidence_id", name=op.f("pk_retentions")),
    )
    # What was placed stays recorded as it was placed.
    isolate("holds", api="SELECT, INSERT, UPDATE (lifted_by, lifted_at, lift_reason, noted)")
    isolate("retentions")


def _make_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("decided_at", _Time, nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        *owned("requests", ("evidence_id", "evidence")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_requests_organisation_id_id")),
        sa.CheckConstraint("kind IN ('delete', 'release')", name=op.f("ck_requests_kind")),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'refused', 'stopped', 'executed')",
            name=op.f("ck_requests_state"),
        ),
        sa.CheckConstraint("(state = 'requested') = (decided_by IS NULL)", name=op.f("ck_requests_decided")),
        sa.CheckConstraint(
            "(decided_by IS NULL) = (decided_at IS NULL)", name=op.f("ck_requests_decided_at")
        ),
        sa.CheckConstraint("decided_by <> requested_by", name=op.f("ck_requests_two_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index(
        "uq_requests_deletion",
        "requests",
        ["evidence_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'delete' AND state IN ('requested', 'approved')"),
    )
    op.create_index(
        "ix_requests_executable",
        "requests",
        ["id"],
        postgresql_where=sa.text("kind = 'delete' AND state = 'approved'"),
    )
    op.create_index(
        op.f("ix_requests_organisation_id_state_id"), "requests", ["organisation_id", "state", "id"]
    )
    op.create_table(
        "tombstones",
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.Column("finished_at", _Time, nullable=True),
        *owned("tombstones", ("evidence_id", "evidence"), ("request_id", "requests")),
        sa.UniqueConstraint("request_id", name=op.f("uq_tombstones_request_id")),
        sa.PrimaryKeyConstraint("evidence_id", name=op.f("pk_tombstones")),
    )
    # Who asked stays who asked; nobody who serves requests can say that something was deleted.
    isolate(
        "requests",
        api="SELECT, INSERT, UPDATE (state, decided_by, decision_reason, decided_at)",
        worker="SELECT, INSERT, UPDATE",
    )
    isolate("tombstones", api="SELECT", worker="SELECT, INSERT, UPDATE")


def _make_references() -> None:
    op.create_table(
        "kept_files",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        *owned("kept_files", ("evidence_id", "evidence")),
        sa.PrimaryKeyConstraint("sha256", "evidence_id", name=op.f("pk_kept_files")),
    )
    op.create_index(op.f("ix_kept_files_evidence_id"), "kept_files", ["evidence_id"])
    isolate("kept_files", api="SELECT, INSERT")
    op.create_table(
        "removed_objects",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removed_objects")),
    )
    share(("removed_objects",), worker="SELECT, INSERT")
    # Of a digest that was only stated nothing is stored. The lock is the one under which bytes are removed:
    # whoever records a reference waits for a removal that has begun, and then sees that they are gone.
    op.execute(
        """
        CREATE FUNCTION evidence_refer_to_files() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            digest text;
        BEGIN
            FOR digest IN
                SELECT DISTINCT file ->> 'sha256' FROM jsonb_array_elements(NEW.capture -> 'files') AS file
                WHERE file ->> 'role' <> 'digest' ORDER BY 1
            LOOP
                PERFORM pg_advisory_xact_lock_shared(hashtextextended('object ' || digest, 0));
                INSERT INTO kept_files (sha256, evidence_id, organisation_id)
                VALUES (decode(digest, 'hex'), NEW.id, NEW.organisation_id) ON CONFLICT DO NOTHING;
            END LOOP;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER refer_to_files AFTER INSERT OR UPDATE OF capture ON evidence FOR EACH ROW "
        "WHEN (NEW.capture IS NOT NULL) EXECUTE FUNCTION evidence_refer_to_files()"
    )
    op.execute(f"SET LOCAL ROLE {WORKER}")
    op.execute(
        "INSERT INTO kept_files (sha256, evidence_id, organisation_id) "
        "SELECT DISTINCT decode(file ->> 'sha256', 'hex'), evidence.id, evidence.organisation_id "
        "FROM evidence, jsonb_array_elements(capture -> 'files') AS file "
        "WHERE file ->> 'role' <> 'digest'"
    )
    op.execute("RESET ROLE")


def _make_releases() -> None:
    op.create_table(
        "release_rules",
        *owned("release_rules"),
        sa.Column("two_persons", sa.Boolean(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_release_rules")),
    )
    op.create_table(
        "release_links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.Column("expires_at", _Time, nullable=False),
        sa.Column("max_downloads", sa.Integer(), nullable=False),
        sa.Column("downloads", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.Column("revoked_at", _Time, nullable=True),
        *owned("release_links", ("evidence_id", "evidence"), ("request_id", "requests")),
        sa.CheckConstraint("downloads <= max_downloads", name=op.f("ck_release_links_downloads")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_release_links_token_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_links")),
    )
    op.create_index(op.f("ix_release_links_evidence_id_id"), "release_links", ["evidence_id", "id"])
    isolate("release_rules")
    # Downloads are counted by the function below alone.
    isolate(
        "release_links",
        api="SELECT, INSERT, UPDATE (revoked_by, revoked_at)",
        worker="SELECT, INSERT, UPDATE",
    )
    # Whose a token is, asked before the organisation is known; counted in the statement that finds it, so
    # that requests at the same time never get more than there are.
    op.execute(
        """
        CREATE FUNCTION evidence_release(held bytea, moment timestamptz, counted boolean)
        RETURNS SETOF release_links LANGUAGE sql VOLATILE SECURITY DEFINER
        SET search_path = pg_catalog, public AS $$
            UPDATE release_links SET downloads = downloads + counted::int
            WHERE token_sha256 = held AND revoked_at IS NULL AND expires_at > moment
            AND downloads < max_downloads AND (
                request_id IS NULL OR EXISTS (
                    SELECT FROM requests WHERE requests.id = request_id AND requests.state = 'approved'
                )
            )
            RETURNING *
        $$
        """
    )
    op.execute(f"GRANT CREATE ON SCHEMA public TO {WORKER}")  # whoever is to own something has to have it
    signature = "evidence_release(bytea, timestamptz, boolean)"
    op.execute(f"ALTER FUNCTION {signature} OWNER TO {WORKER}")
    op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {API}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {WORKER}")


def _make_upload_sessions() -> None:
    op.create_table(
        "upload_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Boolean(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.Column("expires_at", _Time, nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("evidence_id", sa.Text(), nullable=True),
        *owned("upload_sessions", ("matter_id", "matters"), ("evidence_id", "evidence")),
        sa.CheckConstraint("received BETWEEN 0 AND size", name=op.f("ck_upload_sessions_received")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_sessions")),
    )
    op.create_index(
        op.f("ix_upload_sessions_organisation_id_actor_id"),
        "upload_sessions",
        ["organisation_id", "actor", "id"],
    )
    isolate("upload_sessions", api="SELECT, INSERT, UPDATE, DELETE")
