"""What the database itself keeps apart, whatever the program above it asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from evidence_service import bootstrap
from evidence_service.api.app import create_app
from evidence_service.config import Settings
from evidence_service.store import schema
from evidence_service.store.postgres import connect, login, migrate
from evidence_service.store.records import Matter, Records
from evidence_service.store.tenancy import API_ROLE, WORKER_ROLE, scoped
from tests.running import as_role, empty, operator_key, serving
from tests.unit.store.test_migrations import config, fill

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROLES = (API_ROLE, WORKER_ROLE)
# Tables that hold nothing of any organisation, and why.
SHARED = {
    "renewals": "digests of Merkle roots over many organisations' time stamps",
    "chain_status": "what the last look at a chain showed",
    "nonces": "the worker's alone",
    "alembic_version": "the schema's release",
    "workers": "who works, since when, on which machine",
    "takeovers": "which worker took over how much of whose work",
    "removed_objects": "digests of files that were removed, so that nobody takes them for stored",
    "fsck_runs": "how many pieces of evidence were derived again, and how many had problems",
}
# Logs, and what was released: added to, and never changed or taken away, by neither role.
ADDED_TO = ("custody_events", "receipts", "certificate_events", "certificate_pdfs", "administration_events")


@pytest.fixture(scope="module")
def two(engine: Engine) -> Iterator[Engine]:
    """A record of two organisations, each with a matter."""
    empty(engine)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO organisations VALUES ('o-a', 'A', NULL, now()), ('o-b', 'B', NULL, now())")
        )
    for name in ("o-a", "o-b"):
        Records(scoped(engine, name)).add_matter(Matter(f"m-{name}", "R", name, (), NOW))
    yield engine
    empty(engine)


@pytest.fixture
def api(two: Engine) -> Iterator[Engine]:
    engine = as_role(two, API_ROLE)
    yield engine
    engine.dispose()


def ask(engine: Engine, query: str, **values: object) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def test_every_table_is_isolated_or_said_to_be_shared(engine: Engine) -> None:
    found = ask(
        engine,
        "SELECT relname, relrowsecurity AND relforcerowsecurity, "
        "(SELECT array_agg(polroles::regrole[]::text ORDER BY polroles::regrole[]::text) "
        " FROM pg_policy WHERE polrelid = pg_class.oid) "
        "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
    )
    known = {str(name): (forced, policies) for name, forced, policies in found}
    assert set(schema.metadata.tables) <= set(known)
    for name, (forced, policies) in known.items():
        if name in SHARED:
            assert not forced and policies is None, f"{name} is isolated: take it from SHARED"
        else:
            assert forced, f"{name} is not isolated: call isolate() in its migration, or say why in SHARED"
            assert policies == [f"{{{API_ROLE}}}", f"{{{WORKER_ROLE}}}"], name


def test_what_is_shared_the_api_only_reads(engine: Engine) -> None:
    for name in SHARED:
        for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            query = "SELECT has_table_privilege(:role, :table, :right)"
            assert ask(engine, query, role=API_ROLE, table=name, right=right) == [(False,)], (name, right)


def test_the_roles_own_nothing_and_bypass_nothing(engine: Engine) -> None:
    rights = ask(
        engine,
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication "
        "FROM pg_roles WHERE rolname = ANY(:roles) ORDER BY rolname",
        roles=list(ROLES),
    )
    assert rights == [(role, False, False, False, False, False) for role in ROLES]
    owned = ask(
        engine,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'S') AND relowner::regrole::text = ANY(:roles)",
        roles=list(ROLES),
    )
    assert owned == []
    memberships = ask(
        engine,
        "SELECT roleid::regrole::text FROM pg_auth_members WHERE member::regrole::text = ANY(:roles)",
        roles=list(ROLES),
    )
    assert memberships == [], "neither can become anybody else"


def test_no_table_is_put_before_those_of_functions_with_other_rights(engine: Engine) -> None:
    found = ask(
        engine,
        "SELECT proname, array_to_string(proconfig, ' ') FROM pg_proc "
        "WHERE prosecdef AND pronamespace = 'public'::regnamespace",
    )
    assert len(found) >= 4
    assert {path for _, path in found} == {"search_path=pg_catalog, public, pg_temp"}, found


def test_memberships_of_before_are_confirmed(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        command.downgrade(config(connection), "0020-1")
        connection.execute(
            text(
                "INSERT INTO members (id, name, issuer, subject, roles, created_at, organisation_id) VALUES "
                "('mb-1', 'A', 'https://login.example', '1', '[]', now(), 'o-default'), "
                "('mb-2', 'B', NULL, NULL, '[]', now(), 'o-default')"
            )
        )
        command.upgrade(config(connection), "head")
        found = connection.execute(text("SELECT id FROM members WHERE confirmed_at IS NOT NULL")).scalars()
        assert list(found) == ["mb-1"]
        [member] = connection.execute(text("SELECT * FROM evidence_member('https://login.example', '1')"))
        assert (member.member_id, member.confirmed) == ("mb-1", True)
        transaction.rollback()


@pytest.mark.parametrize("role", ROLES)
def test_the_roles_make_no_temporary_tables(engine: Engine, role: str) -> None:
    narrow = as_role(engine, role)
    with narrow.begin() as connection, pytest.raises(ProgrammingError, match="temporary tables"):
        connection.execute(text("CREATE TEMPORARY TABLE members (id text)"))
    narrow.dispose()


@pytest.mark.parametrize("table", ADDED_TO)
@pytest.mark.parametrize("role", ROLES)
def test_logs_are_added_to_and_never_edited(two: Engine, role: str, table: str) -> None:
    narrow = as_role(two, role)
    column = next(item.name for item in schema.metadata.tables[table].c if item.name != "organisation_id")
    try:
        for change in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
        ):
            with (
                pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
                scoped(narrow, "o-a").begin() as connection,
            ):
                connection.execute(text(change))
    finally:
        narrow.dispose()


def test_a_transaction_of_nobody_sees_nothing(api: Engine) -> None:
    for table in set(schema.metadata.tables) - set(SHARED):
        assert ask(api, f"SELECT count(*) FROM {table}") == [(0,)], table


def test_each_sees_and_changes_his_own_rows_alone(api: Engine) -> None:
    for name, other in (("o-a", "o-b"), ("o-b", "o-a")):
        own = scoped(api, name)
        assert ask(own, "SELECT id FROM matters") == [(f"m-{name}",)]
        assert ask(own, "SELECT id FROM organisations") == [(name,)]
        with own.begin() as connection:
            changed = connection.execute(text("UPDATE matters SET reference = 'R'")).rowcount
            assert changed == 1
        with pytest.raises(DBAPIError, match="row-level security"), own.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO matters (id, reference, applicant, rights, created_at, organisation_id) "
                    "VALUES ('m-x', 'R', 'A', '[]', now(), :other)"
                ),
                {"other": other},
            )
        with pytest.raises(DBAPIError, match="row-level security"), own.begin() as connection:
            connection.execute(text("UPDATE matters SET organisation_id = :other"), {"other": other})


def test_a_row_cannot_refer_to_another_organisations(two: Engine) -> None:
    with pytest.raises(DBAPIError, match="foreign key"), scoped(two, "o-a").begin() as connection:
        connection.execute(
            schema.evidence.insert().values(
                id="ev-x",
                matter_id="m-o-b",
                kind="upload",
                operator="x",
                certificate_wanted=False,
                status="accepted",
                progress="",
                created_at=NOW,
            )
        )


def test_a_connection_that_is_given_back_remembers_nobody(two: Engine) -> None:
    url = two.url.render_as_string(hide_password=False)
    one = connect(url, role=API_ROLE)
    one.dispose()
    pooled = one.execution_options()
    with scoped(pooled, "o-a").begin() as connection:
        first = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        assert connection.execute(text("SELECT id FROM matters")).scalars().all() == ["m-o-a"]
    with pytest.raises(DBAPIError), scoped(pooled, "o-a").begin() as connection:
        connection.execute(text("SELECT 1 / 0"))  # a transaction that failed remembers nobody either
    with pooled.begin() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == first
        assert connection.execute(text("SELECT current_user")).scalar_one() == API_ROLE
        assert connection.execute(
            text("SELECT current_setting('evidence.organisation', true)")
        ).scalar_one() in ("", None)
        assert connection.execute(text("SELECT count(*) FROM matters")).scalar_one() == 0
    one.dispose()


@pytest.fixture(scope="module")
def owned(engine: Engine) -> Iterator[Engine]:
    """A database of an ordinary login that may make roles, as a hosted PostgreSQL gives one.

    It inherits nothing: the tables' own security, which is forced, is all that shows it rows.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text("CREATE ROLE ordinary LOGIN CREATEROLE NOSUPERUSER NOINHERIT"))
        server.execute(text("CREATE DATABASE owned OWNER ordinary"))
        # Roles belong to the server: those of the other databases here were made by a superuser.
        for role in ROLES:
            server.execute(text(f"GRANT {role} TO ordinary WITH ADMIN OPTION"))
    url = engine.url.set(database="owned", username="ordinary").render_as_string(hide_password=False)
    found = connect(url)
    yield found
    found.dispose()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text("DROP DATABASE owned WITH (FORCE)"))
        server.execute(text("DROP ROLE ordinary"))


def test_an_owner_who_is_no_superuser_migrates(owned: Engine) -> None:
    """With rows of before there were organisations, which later migrations have to find again."""
    with owned.begin() as connection:
        command.upgrade(config(connection), "0001")
        fill(connection)
        connection.execute(text("UPDATE evidence SET url = 'https://shop.example/1' WHERE id = 'e-1-0'"))
    migrate(owned)
    migrate(owned)
    assert ask(owned, "SELECT count(*) FROM matters") == [(0,)], "owning shows nothing"
    wide = as_role(owned, WORKER_ROLE)
    [(events, queued, terms)] = ask(
        wide,
        "SELECT (SELECT count(*) FROM custody_events), (SELECT count(*) FROM custody_pending), "
        "(SELECT count(*) FROM evidence_terms)",
    )
    assert events == queued == 2 and terms == 1
    wide.dispose()


def test_a_process_of_the_api_alone_needs_no_rights_of_the_worker(owned: Engine, tmp_path: Path) -> None:
    """With a login of its own it can neither become the worker nor change the schema."""
    migrate(owned)
    url = login(owned.url.render_as_string(hide_password=False), API_ROLE)
    settings = Settings(data_directory=tmp_path, purpose="demonstration", database_url=url)
    with bootstrap.database(settings, role=API_ROLE) as (narrow, _):
        assert ask(narrow, "SELECT current_user, session_user") == [(API_ROLE, API_ROLE)]
        app = create_app(bootstrap.parts(settings, narrow), operator_key("key"))
        headers = {"Authorization": "Bearer key"}
        with serving(app) as address, httpx.Client(base_url=address, headers=headers) as client:
            answer = client.post("/v1/matters", json={"reference": "R", "applicant": "A"})
            query = {"matter_id": answer.json()["id"], "name": "n.txt"}
            assert client.post("/v1/uploads", params=query, content=b"x").status_code == 202
        for words in (
            f"SET ROLE {WORKER_ROLE}",
            "CREATE TABLE x (y int)",
            "ALTER TABLE matters DISABLE ROW LEVEL SECURITY",
        ):
            with pytest.raises(ProgrammingError), narrow.begin() as connection:
                connection.execute(text(words))


def test_a_worker_with_a_login_of_its_own(owned: Engine, tmp_path: Path) -> None:
    """It keeps the workflow engine's tables in a schema that it makes."""
    migrate(owned)
    url = login(owned.url.render_as_string(hide_password=False), WORKER_ROLE)
    settings = Settings(data_directory=tmp_path, purpose="demonstration", database_url=url)
    with bootstrap.database(settings) as (wide, found):
        parts = bootstrap.parts(settings, wide)
        running = bootstrap.worker(settings, parts, found)
        running.start()
        running.stop(drain=1)
    query = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'dbos'"
    assert ask(owned, query) == [(WORKER_ROLE,)]
