"""``evidence fsck``: what does not hold is named, what does not answer ends it, and nothing is kept in memory."""

from __future__ import annotations

import io
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from sqlalchemy import Engine, exc

from evidence_service.cli import bars, main, operation
from evidence_service.core.digest import digest_of
from evidence_service.errors import ConfigurationError, NotFoundError, StorageUnavailableError
from evidence_service.service.audit import Audited
from evidence_service.store.objects import LocalObjects
from tests.unit.api.conftest import Service
from tests.writes import failing


@pytest.fixture
def environment(service: Service, engine: Engine, tmp_path: Path) -> dict[str, str]:
    service.upload(b"accepted")
    service.register(service.upload(b"registered")["id"])
    return {
        "EVIDENCE_DATA_DIRECTORY": str(tmp_path),
        "EVIDENCE_DATABASE_URL": engine.url.render_as_string(hide_password=False),
    }


def fsck(environment: dict[str, str]) -> Result:
    return CliRunner().invoke(main, ["fsck"], env=environment)


@pytest.mark.parametrize(
    ("error", "code", "noted"),
    [
        (StorageUnavailableError("the bucket does not answer"), 6, False),
        (exc.OperationalError("SELECT 1", {}, Exception("server closed the connection")), 6, False),
        (ConfigurationError("the bucket does not lock"), 2, False),
        (NotFoundError("no object is stored"), 3, True),
    ],
)
def test_a_store_that_does_not_answer_says_nothing_about_evidence(
    service: Service,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    *,
    noted: bool,
) -> None:
    with failing(monkeypatch, LocalObjects, "check", error, landed=False):
        done = fsck(environment)
    assert done.exit_code == code, done.output
    assert (service.parts.operations.last_fsck() is not None) == noted
    assert ("(captured): no object" in done.stdout) == noted


def test_an_accepted_upload_that_is_lost_is_named_before_it_has_a_manifest(
    service: Service, environment: dict[str, str]
) -> None:
    lost = digest_of(b"accepted").sha256
    service.parts.objects.path(lost).unlink()
    done = fsck(environment)
    assert done.exit_code == 3
    assert f"(captured): no object {lost.hex()} is stored" in done.stdout
    assert done.stdout.endswith(", 1 with problems\n")


@pytest.mark.parametrize(
    "error",
    [
        exc.OperationalError("SELECT 1", {}, Exception("connection refused\nmore")),
        exc.InterfaceError("SELECT 1", {}, Exception("connection refused\nmore")),
        exc.TimeoutError("connection refused"),
        psycopg.OperationalError("connection refused"),
    ],
)
@pytest.mark.parametrize("command", [["doctor"], ["fsck"], ["backup", "--verify", "somewhere"], ["migrate"]])
def test_a_database_that_does_not_answer_is_unavailable_in_every_command(
    monkeypatch: pytest.MonkeyPatch, command: list[str], error: Exception
) -> None:
    def dying(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("evidence_service.config.load", dying)
    monkeypatch.setattr("evidence_service.service.backups.manifest.read", dying)
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 6, done.output
    assert done.stderr.splitlines()[0] == "error: PostgreSQL does not answer: connection refused"


def test_problems_are_told_as_they_are_found(
    service: Service, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def found(_: object) -> object:
        for number in range(3):
            assert len(told) == number, "one at a time"
            yield Audited(f"ev-{number}", "sealed", ("does not hold",))

    monkeypatch.setattr(operation, "audit", found)
    monkeypatch.setattr(operation.click, "secho", lambda words, **_: told.append(words))
    assert fsck(environment).exit_code == 3
    last = service.parts.operations.last_fsck()
    assert last is not None and last.problems == 3


def test_a_terminal_is_shown_how_far_it_is_and_a_pipe_is_not(
    service: Service, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = fsck(environment)
    assert quiet.exit_code == 0 and quiet.stderr == ""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(bars, "Console", lambda **_: console)
    shown = fsck(environment)
    assert shown.stdout == quiet.stdout
    assert "pieces of evidence" in screen.getvalue() and "2/2" in screen.getvalue()
    with failing(monkeypatch, LocalObjects, "check", NotFoundError("no object is stored"), landed=False):
        damaged = fsck(environment)
    assert "no object is stored" in damaged.stdout and "no object" not in screen.getvalue()
