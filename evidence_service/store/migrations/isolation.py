"""Row-level security of tables that hold organisations' rows, as migrations set it up.

Two roles work with the record and own nothing of it: ``evidence_api`` sees the rows of the organisation its
transaction is for and no others; ``evidence_worker`` serves all of them. The security is *forced*: it binds
the owner of the tables too (PostgreSQL, ALTER TABLE … FORCE ROW LEVEL SECURITY). A migration that reads or
changes rows does so within :func:`as_worker`, or an owner who is no superuser sees none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

from evidence_service.store.tenancy import API_ROLE as API
from evidence_service.store.tenancy import WORKER_ROLE as WORKER

OWN_ROWS = "organisation_id = current_setting('evidence.organisation', true)"


def make_roles() -> None:
    """The two roles, where they do not exist yet: roles belong to the server, not to one database.

    They may log in, but have no password: where passwords are asked for, nobody can until one is set.
    """
    for role in (API, WORKER):
        op.execute(
            f"""
            DO $$ BEGIN
                CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
            """
        )
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        # The owner may act as either: a service with a single login drops its rights that way.
        op.execute(f"DO $$ BEGIN EXECUTE format('GRANT {role} TO %I', current_user); END $$")
    # The workflow engine keeps its tables in a schema of its own.
    op.execute(
        f"DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {WORKER}', current_database()); END $$"
    )


def owned(table: str, *references: tuple[str, str]) -> tuple[sa.schema.SchemaItem, ...]:
    """For a new table: whose a row is, and what it refers to within the same organisation.

    Args:
        references: column, and the table whose ``id`` it names.
    """
    return (
        sa.Column(
            "organisation_id", sa.Text(), nullable=False, server_default=sa.text("evidence_organisation()")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f(f"fk_{table}_organisation_id")
        ),
        *(
            sa.ForeignKeyConstraint(
                [column, "organisation_id"],
                [f"{target}.id", f"{target}.organisation_id"],
                name=op.f(f"fk_{table}_{column}_organisation_id"),
            )
            for column, target in references
        ),
    )


def isolate(
    table: str, *, own: str = OWN_ROWS, api: str = "SELECT, INSERT, UPDATE", worker: str = ""
) -> None:
    """Let each organisation see its own rows of a table, and the worker all of them.

    Args:
        own: which rows are an organisation's, where that is not said by a column of the table.
        api, worker: privileges of the two roles; what is empty for the worker is as for the API.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON {table} TO {API} USING ({own})")
    op.execute(f"CREATE POLICY every ON {table} TO {WORKER} USING (true)")
    op.execute(f"GRANT {api} ON {table} TO {API}")
    op.execute(f"GRANT {worker or api} ON {table} TO {WORKER}")


@contextmanager
def as_worker() -> Iterator[None]:
    """Move rows that are there already: an owner who is no superuser sees none of them."""
    op.execute(f"SET LOCAL ROLE {WORKER}")
    yield
    op.execute("RESET ROLE")


def share(tables: Iterable[str], *, api: str = "SELECT", worker: str = "SELECT, INSERT, UPDATE") -> None:
    """Privileges on tables that hold nothing of any organisation."""
    for table in tables:
        if api:
            op.execute(f"GRANT {api} ON {table} TO {API}")
        op.execute(f"GRANT {worker} ON {table} TO {WORKER}")


def open_again(table: str) -> None:
    """Undo :func:`isolate`."""
    op.execute(f"DROP POLICY own ON {table}")
    op.execute(f"DROP POLICY every ON {table}")
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute(f"REVOKE ALL ON {table} FROM {API}, {WORKER}")
