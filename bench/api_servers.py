"""The two servers ``make bench-api`` compares, each for a process of its own; uvicorn makes them.

:func:`bare` is what one writes in an afternoon: a FastAPI handler that validates, inserts and commits for
each request, and one that validates a list and copies it. Nobody is asked who they are, nothing keeps rows
apart, a repetition is a second row. :func:`ours` is the service's API with the rights it has in production.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field

from evidence_service import bootstrap
from evidence_service.api.app import create_app
from evidence_service.api.rates import Rate, Rates
from evidence_service.cli import logs
from evidence_service.config import Settings
from evidence_service.store.postgres import connect
from evidence_service.store.tenancy import API_ROLE

URL, DATA = "BENCH_URL", "BENCH_DATA"
POOL = 16
"""Connections of the bare server."""
TABLE = """
CREATE TABLE bare (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  matter_id text NOT NULL, name text NOT NULL, media_type text NOT NULL, size bigint NOT NULL,
  sha256 bytea NOT NULL, sha3_512 bytea NOT NULL, accepted_at timestamptz NOT NULL DEFAULT now()
)
"""
_COLUMNS = "matter_id, name, media_type, size, sha256, sha3_512"


class File(BaseModel):
    """What is stated of a file."""

    name: Annotated[str, Field(min_length=1, max_length=400)]
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    sha3_512: Annotated[str, Field(pattern="^[0-9a-f]{128}$")]
    media_type: str = "application/octet-stream"

    def values(self, matter_id: str) -> tuple[object, ...]:
        """Its row."""
        return (
            matter_id,
            self.name,
            self.media_type,
            self.size,
            bytes.fromhex(self.sha256),
            bytes.fromhex(self.sha3_512),
        )


class One(File):
    """A file of a matter."""

    matter_id: str


class Many(BaseModel):
    """Files of a matter."""

    matter_id: str
    rows: list[File]


def bare() -> FastAPI:
    """The bare server."""
    pool = AsyncConnectionPool(os.environ[URL], min_size=POOL, max_size=POOL, open=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/registrations", status_code=202)
    async def insert(order: One) -> dict[str, int]:
        async with pool.connection() as connection:
            added = await connection.execute(
                f"INSERT INTO bare ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
                order.values(order.matter_id),
            )
            row = await added.fetchone()
        assert row is not None
        return {"id": row[0]}

    @app.post("/v1/registration-lists", status_code=202)
    async def copy(order: Many) -> dict[str, int]:
        async with (
            pool.connection() as connection,
            connection.cursor() as cursor,
            cursor.copy(f"COPY bare ({_COLUMNS}) FROM STDIN") as copying,
        ):
            for row in order.rows:
                await copying.write_row(row.values(order.matter_id))
        return {"accepted": len(order.rows)}

    return app


def ours() -> FastAPI:
    """The service's API; its workers are other processes, and none runs."""
    logs.configure()
    settings = Settings(data_directory=Path(os.environ[DATA]), purpose="demonstration")
    engine = connect(os.environ[URL], role=API_ROLE)
    # Every request is counted as in production, against a limit that nobody here reaches.
    wide = Rates(caller=Rate(per_second=1e6, burst=1_000_000))
    app = create_app(bootstrap.parts(settings, engine), {}, rates=wide)
    bootstrap.settle()  # as “evidence serve” does
    return app
