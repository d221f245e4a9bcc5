"""A running API with one thing of every kind behind it, as campaigns ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastapi import FastAPI
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.api.app import create_app
from evidence_service.api.keys import KeyHolder
from evidence_service.api.rates import Rate, Rates
from evidence_service.api.routes import events
from evidence_service.config import Settings
from evidence_service.service.permissions import ROLES, SCOPES
from evidence_service.store.tenancy import API_ROLE, WORKER_ROLE
from tests.running import as_role, empty, serving
from tests.unit.api.conftest import Clock, Service
from tests.unit.api.isolation import COMMON, UNKNOWN, sha256
from tests.unit.api.test_isolation import client_of, furnish

UNBOUNDED = Rate(1e9, 10**9)
ORGANISATION = "o-default"
EVERYTHING = "everything"
"""The key of somebody who may do whatever there is to be done, in his organisation and beyond."""


@dataclass(frozen=True, slots=True)
class World:
    """Where to ask.

    Attributes:
        keys: role → a key of it; and one that may do everything.
        ids: kind of thing → the id of one that is there, where the tests of isolation make one.
    """

    url: str
    document: dict[str, Any]
    keys: Mapping[str, str]
    ids: Mapping[str, str]


def _short_streams() -> Any:
    """Streams of events that end soon: whoever asks everything reads each of them to its end."""
    return patch.multiple(events, _LIFE_SECONDS=0.3, _HEARTBEAT_SECONDS=0.2)


@contextmanager
def world(
    engine: Engine, directory: Path, *, planting: Callable[[FastAPI], None] = lambda _: None
) -> Iterator[World]:
    """An API with the database rights it has in production, while the block lasts.

    Args:
        planting: adds to the application what has to be found.
    """
    empty(engine)
    clock = Clock()
    settings = Settings(data_directory=directory, purpose="demonstration", batch_size=4)
    narrow, wide = as_role(engine, API_ROLE), as_role(engine, WORKER_ROLE)
    parts = replace(bootstrap.parts(settings, engine), now=clock)
    roles = {**ROLES, EVERYTHING: frozenset(SCOPES)}
    keys = {role: f"key of {role}" for role in roles}
    app = create_app(
        replace(bootstrap.parts(settings, narrow), now=clock),
        {
            sha256(keys[role]): KeyHolder(
                ORGANISATION, role, scopes, tuple(ROLES) if role == EVERYTHING else (role,)
            )
            for role, scopes in roles.items()
        },
        overall=replace(bootstrap.parts(settings, wide), now=clock),
        rates=Rates(UNBOUNDED, UNBOUNDED, UNBOUNDED),
    )
    planting(app)
    with _short_streams(), serving(app) as url, client_of(url, keys[EVERYTHING]) as client:
        ids, _ = furnish(Service(parts.within(ORGANISATION), clock, client))
        yield World(url, app.openapi(), keys, {**COMMON, **UNKNOWN, **ids})
    for used in (narrow, wide):
        used.dispose()
