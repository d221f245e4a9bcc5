"""The API over a real record, without chain, authorities or browser."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.api.app import create_app
from evidence_service.config import Settings
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import register, seal_manifest
from evidence_service.store.tenancy import API_ROLE
from tests.running import as_role, empty, operator_key, serving

KEY = "test key"
SECOND = "key of a second person"


class Clock:
    """Time that only tests move."""

    def __init__(self) -> None:
        self.now = datetime.fromisoformat("2026-01-02T03:04:05.678Z")

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Service:
    """A client of the API, and the parts behind it.

    Attributes:
        environment: what a command needs to talk to it.
    """

    def __init__(self, parts: Parts, clock: Clock, http: httpx.Client) -> None:
        self.parts = parts
        self.clock = clock
        self.http = http
        self.environment = {"EVIDENCE_API_URL": str(http.base_url), "EVIDENCE_API_KEY": KEY}
        answer = self.http.post("/v1/matters", json={"reference": "R-1", "applicant": "Test SA"})
        self.matter = answer.json()["id"]

    def upload(self, content: bytes = b"content", *, key: str | None = None, **more: Any) -> dict[str, Any]:
        """The answer to an upload."""
        answer = self.http.post(
            "/v1/uploads",
            params={"matter_id": self.matter, "name": "note.txt", "certificate": False, **more},
            content=content,
            headers={} if key is None else {"Idempotency-Key": key},
        )
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def register(self, evidence_id: str) -> None:
        """What the worker does up to the registration, without time stamps."""
        seal_manifest(self.parts, evidence_id)
        register(self.parts, evidence_id)


def narrowed(service: Service, *scopes: str) -> str:
    """A key of an operator; of those scopes alone, where some are named."""
    body: dict[str, Any] = {"name": f"night {secrets.token_hex(4)}", "roles": ["operator"]}
    member = service.http.post("/v1/organisation/members", json=body).json()["id"]
    order = {"label": "nightly captures", "scopes": list(scopes) or None}
    answer = service.http.post(f"/v1/organisation/members/{member}/keys", json=order)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Service]:
    empty(engine)
    clock = Clock()
    settings = Settings(data_directory=tmp_path, purpose="demonstration", batch_seconds=60, batch_size=4)
    # What the API does, it does with the rights it has in production; what tests do beside it, as its owner.
    narrow = as_role(engine, API_ROLE)
    parts = replace(bootstrap.parts(settings, engine), now=clock)
    app = create_app(
        replace(bootstrap.parts(settings, narrow), now=clock, capturing=parts.capturing),
        {**operator_key(KEY), **operator_key(SECOND, "second")},
        overall=parts,
    )
    headers = {"Authorization": f"Bearer {KEY}"}
    with serving(app) as url, httpx.Client(base_url=url, headers=headers, trust_env=False) as http:
        yield Service(parts, clock, http)
    narrow.dispose()
