"""The record, emptied before each test, and what the tests put into it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from evidence_service.store.batches import Batches
from evidence_service.store.records import Matter, Records
from evidence_service.store.trees import TreeFiles
from tests.running import empty

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def records(engine: Engine) -> Records:
    empty(engine)
    records = Records(engine)
    records.add_matter(Matter("m-1", "REF/1", "Example Brand Ltd", ("trade mark 1",), NOW))
    return records


@pytest.fixture
def batches(engine: Engine, records: Records, tmp_path: Path) -> Batches:
    """On an empty record; trees in ``tmp_path / "trees"``."""
    return Batches(engine, TreeFiles(tmp_path / "trees"))


def add(records: Records, evidence_id: str, *, registered: datetime | None = None, **more: Any) -> None:
    """One piece of evidence; its manifest is its id."""
    records.add_evidence(
        evidence_id=evidence_id,
        matter_id="m-1",
        kind="platform_capture",
        url="http://shop.example/",
        operator="agent",
        certificate_wanted=True,
        created_at=NOW,
        **more,
    )
    if registered is not None:
        records.advance(
            evidence_id,
            "registered",
            manifest=evidence_id.encode(),
            salt=hashlib.sha256(evidence_id.encode()).digest(),
            registered_at=registered,
        )
