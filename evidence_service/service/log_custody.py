"""Log custody: each organisation's custody events in one chain, with checkpoints that are anchored.

A checkpoint's digest becomes evidence of kind ``digest`` and goes into a batch with everything else. From
then on nobody can take an event away, or an organisation's whole history, without contradicting the chain
it is in.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from evidence_service.core import custody_log, document
from evidence_service.core.digest import digest_of
from evidence_service.service.apart import apart
from evidence_service.service.custody_matter import APPLICANT, REFERENCE, matter_id_of
from evidence_service.service.digest_manifest import NOT_BEFORE, Registration, StatedDigest, build
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.store.custody_log import NewCheckpoint
from evidence_service.store.records import Matter

PATIENCE = timedelta(days=1)
"""Longest wait for a batch that is closed for other entries: a checkpoint costs no transaction of its own."""
NAME, MEDIA_TYPE = "custody-checkpoint.json", "application/json"


def log_custody(parts: Parts) -> None:
    """Log what waits, and make a checkpoint of every log that something happened in since its last one.

    Repeating it, after it failed or landed at any point, changes nothing. A log that cannot be continued
    keeps nothing from the others: it is told of, its events wait (``evidence_queue_depth``), and the audit
    says what is wrong with it.

    Args:
        parts: bound to no organisation.
    """
    for organisation_id in parts.custody_log.waiting():
        with apart(f"log the custody of {organisation_id}"):
            while parts.custody_log.log(organisation_id):
                pass
    for organisation_id in parts.custody_log.unchecked():
        with apart(f"make a checkpoint of the custody log of {organisation_id}"):
            make_checkpoint(parts, organisation_id)


def make_checkpoint(parts: Parts, organisation_id: str) -> None:
    """State length and head of an organisation's log, and register that as evidence.

    Where another worker makes one at the same time, one of the two is kept.
    """
    last, before = parts.custody_log.last(organisation_id), parts.custody_log.last_checkpoint(organisation_id)
    if last is None:
        return
    now = document.parse_time(document.format_time(parts.now()), "now")
    data = custody_log.checkpoint(
        {
            "organisation": organisation_id,
            "size": last.position,
            "head": last.head.hex(),
            "previous": None if before is None else hashlib.sha256(before.document).hexdigest(),
            "at": document.format_time(now),
        }
    )
    matter = Matter(matter_id_of(organisation_id), REFERENCE, APPLICANT, (), now)
    evidence_id = f"ev-{hashlib.sha256(data).hexdigest()[:20]}"
    [sealed] = build(
        Registration(matter, SERVICE[0], now, parts.purpose, parts.host, parts.tool, NOT_BEFORE),
        [StatedDigest(evidence_id, NAME, MEDIA_TYPE, digest_of(data))],
    )
    parts.custody_log.add_checkpoint(
        organisation_id,
        NewCheckpoint(
            size=last.position,
            follows=0 if before is None else before.size,
            document=data,
            matter={
                "id": matter.id,
                "reference": matter.reference,
                "applicant": matter.applicant,
                "rights": [],
                "created_at": now,
            },
            evidence={
                "id": evidence_id,
                "matter_id": matter.id,
                "kind": "digest",
                "operator": SERVICE[0],
                "certificate_wanted": False,
                "status": "registered",
                "progress": "registered",
                "outcome": "received",
                "manifest": sealed.manifest,
                "salt": parts.random_bytes(32),
                "registered_at": now,
                "created_at": now,
                "batch_by": now + PATIENCE,
            },
            events=sealed.events,
        ),
    )
