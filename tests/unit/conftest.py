"""What several folders share: a real PostgreSQL, started once; commands that leave the log of the tests alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from evidence_service.cli import logs
from evidence_service.store import postgres
from tests.running import database


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with database(tmp_path_factory.mktemp("pg")) as url:
        engine = postgres.connect(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session", autouse=True)
def unconfigured_logs() -> Iterator[None]:
    """A command that serves sets up its process's log, which here is that of every later test too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "configure", lambda *_: None)
        yield
