"""Migrations on records that are not empty."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import column as col
from sqlalchemy import insert, select, table

from evidence_service.store import postgres
from evidence_service.store.records import Records
from evidence_service.store.stamps import KeptToken
from tests.forgeries.keys import authority, later
from tests.running import database


def test_tokens_of_before_say_that_revocation_data_is_gone(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("migrations")
    token = authority("First").token(hashlib.sha512(b"data").digest(), later(seconds=1))
    with database(directory) as url:
        engine = postgres.connect(url)
        config = Config()
        config.set_main_option("script_location", str(Path(postgres.__file__).parent / "migrations"))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0003")
            older = table("tokens", col("stamped"), col("subject_id"), col("authority"), col("token"))
            connection.execute(
                insert(older).values(stamped="manifest", subject_id="e-1", authority="First", token=token)
            )
            assert len(connection.execute(select(older)).all()) == 1
            command.upgrade(config, "head")
        [found] = Records(engine).tokens("manifest", "e-1")
        engine.dispose()
    assert found == KeptToken(
        "First",
        token,
        {"status": "absent", "why": "obtained before revocation data was kept"},
        datetime(2040, 1, 1, tzinfo=UTC),
    )
