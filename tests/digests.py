"""Digests that are registered in bulk, entered into a record as the service would."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, insert

from evidence_service.core.digest import Digest
from evidence_service.service.digest_manifest import NOT_BEFORE, Registration, StatedDigest, build
from evidence_service.store import schema
from evidence_service.store.records import Matter


def registration(matter: Matter, now: datetime) -> Registration:
    """What is common to the digests of a request."""
    return Registration(matter, "agent", now, "demonstration", "host", "evidence-service 1", NOT_BEFORE)


def enter_digests(
    engine: Engine, matter: Matter, digests: Sequence[Digest], *, now: datetime, urgent: bool = False
) -> list[str]:
    """Rows that wait for their batch, with their custody logs; no workflow is needed for any. The ids."""
    stated = [
        StatedDigest(f"ev-{secrets.token_hex(10)}", "photos/图片.png", "image/png", item) for item in digests
    ]
    sealed = build(registration(matter, now), stated)
    with engine.begin() as connection:
        connection.execute(
            insert(schema.evidence),
            [
                {
                    "id": item.evidence_id,
                    "matter_id": matter.id,
                    "kind": "digest",
                    "operator": "agent",
                    "certificate_wanted": False,
                    "status": "registered",
                    "progress": "registered",
                    "outcome": "received",
                    "manifest": item.manifest,
                    "salt": secrets.token_bytes(32),
                    "registered_at": now,
                    "created_at": now,
                    "urgent": urgent,
                }
                for item in sealed
            ],
        )
        connection.execute(
            insert(schema.custody_events),
            [
                {
                    "evidence_id": item.evidence_id,
                    "sequence": event["sequence"],
                    "step_key": event["action"],
                    "event": event,
                }
                for item in sealed
                for event in item.events
            ],
        )
    return [item.evidence_id for item in sealed]
