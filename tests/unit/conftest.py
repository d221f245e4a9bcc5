"""A real PostgreSQL that several folders share, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from evidence_service.store import postgres


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory = tmp_path_factory.mktemp("pg")
    for parent in (directory, *directory.parents):
        # As root the server runs as another user, which has to reach its directory.
        if parent.is_relative_to(tmp_path_factory.getbasetemp().parent):
            parent.chmod(0o755)
    server = postgres.EmbeddedPostgres(directory / "data")
    engine = postgres.connect(server.url)
    postgres.migrate(engine)
    yield engine
    engine.dispose()
    server.stop()
