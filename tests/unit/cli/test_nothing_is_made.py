"""Commands that look leave the database at its release and the data directory as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from evidence_service import bootstrap
from evidence_service.cli import main
from evidence_service.config import Settings
from evidence_service.store import migrations, postgres
from tests.running import empty
from tests.unit.service.backing import another_database

COMMANDS = [["doctor", "--json"], ["fsck"], ["backup", "{directory}", "--without-keys"]]


@pytest.fixture(scope="module")
def older(engine: Engine) -> Iterator[Engine]:
    """A database of the release before this one."""
    before = ScriptDirectory(str(migrations.DIRECTORY)).get_revision(migrations.head()).down_revision
    with another_database(engine, "older") as found:
        with found.begin() as connection:
            postgres.upgrade(connection, str(before))
        yield found


def run(command: list[str], directory: Path, engine: Engine | None) -> Result:
    url = "" if engine is None else engine.url.render_as_string(hide_password=False)
    arguments = [item.format(directory=directory.parent / "backups") for item in command]
    environment = {
        "EVIDENCE_DATA_DIRECTORY": str(directory),
        "EVIDENCE_DATABASE_URL": url,
        "EVIDENCE_PURPOSE": "demonstration",
    }
    return CliRunner().invoke(main, arguments, env=environment)


def revision(engine: Engine) -> str:
    with engine.connect() as connection:
        found: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return found


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_older_database_stays_as_it_is(
    engine: Engine, older: Engine, tmp_path: Path, command: list[str], *, used: bool
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    if used:
        bootstrap.parts(Settings(data_directory=directory, purpose="demonstration"), engine)
    files, before = sorted(directory.rglob("*")), revision(older)
    done = run(command, directory, older)
    assert revision(older) == before != migrations.head()
    assert sorted(directory.rglob("*")) == files
    assert done.exit_code == (6 if command[0] == "doctor" else 2), done.output
    if used or command[0] != "backup":
        assert f"is at revision {before}, this release needs {migrations.head()}" in done.output
        assert "evidence migrate" in done.output


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("missing", ["objects", "receipt-key.pem", "login-state.key"])
def test_what_is_gone_is_named_and_not_made_again(
    engine: Engine, tmp_path: Path, command: list[str], missing: str
) -> None:
    empty(engine)
    directory = tmp_path / "data"
    bootstrap.parts(Settings(data_directory=directory, purpose="demonstration"), engine)
    path = directory / missing
    path.rmdir() if path.is_dir() else path.unlink()
    done = run(command, directory, engine)
    assert not path.exists()
    if (command[0], missing) == ("backup", "login-state.key"):
        assert done.exit_code == 0, "it is not needed for a backup without keys"
    else:
        assert done.exit_code == (6 if command[0] == "doctor" else 2), done.output
        assert f"{path} is not there" in done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_no_database_is_made_in_a_data_directory_without_one(tmp_path: Path, command: list[str]) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "receipt-key.pem").write_text("put here before the first start")
    done = run(command, directory, None)
    assert [path.name for path in directory.iterdir()] == ["receipt-key.pem"]
    assert f"there is no database in {directory / 'postgres'}" in done.output
    assert "evidence migrate" in done.output
