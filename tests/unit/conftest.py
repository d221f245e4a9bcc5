"""A real PostgreSQL that several folders share, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from evidence_service.store import postgres
from tests.running import database


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with database(tmp_path_factory.mktemp("pg")) as url:
        engine = postgres.connect(url)
        yield engine
        engine.dispose()
