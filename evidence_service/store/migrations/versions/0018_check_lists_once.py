"""Check once for each statement that registered rows have their list, not once for each of thousands of rows.

The reference took a third of what a list of a thousand digests costs the database.
"""

from __future__ import annotations

from alembic import op

from evidence_service.store.tenancy import WORKER_ROLE

revision = "0018"
down_revision = "0017"

_REFERENCE = "fk_registrations_list_id_organisation_id"


def upgrade() -> None:
    op.drop_constraint(_REFERENCE, "registrations", type_="foreignkey")
    op.execute(
        """
        CREATE FUNCTION registrations_have_their_list() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM (
                    SELECT DISTINCT list_id, organisation_id FROM added WHERE list_id IS NOT NULL
                ) AS named
                WHERE NOT EXISTS (
                    SELECT FROM registration_lists AS list
                    WHERE list.id = named.list_id AND list.organisation_id = named.organisation_id
                )
            ) THEN
                RAISE foreign_key_violation USING
                    MESSAGE = 'a registration names a list that its organisation does not have',
                    TABLE = 'registrations', COLUMN = 'list_id';
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER have_their_list AFTER INSERT ON registrations REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION registrations_have_their_list()"
    )
    # What was checked stays so: nobody deletes a list or moves a row to another one.
    op.execute(f"REVOKE UPDATE ON registrations FROM {WORKER_ROLE}")
    op.execute(f"GRANT UPDATE (entered) ON registrations TO {WORKER_ROLE}")


def downgrade() -> None:
    op.execute(f"GRANT UPDATE ON registrations TO {WORKER_ROLE}")
    op.execute("DROP TRIGGER have_their_list ON registrations")
    op.execute("DROP FUNCTION registrations_have_their_list()")
    op.create_foreign_key(
        _REFERENCE,
        "registrations",
        "registration_lists",
        ["list_id", "organisation_id"],
        ["id", "organisation_id"],
    )
