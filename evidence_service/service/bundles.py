"""Assemble the proof bundle of a piece of evidence from what the record holds."""

from __future__ import annotations

import base64
import json
from typing import Any

from evidence_service.core import bundle
from evidence_service.errors import ConflictError
from evidence_service.service.parts import Parts

NOT_COLLECTED = "no revocation lists were collected when the token was made"


def assemble(parts: Parts, evidence_id: str) -> bytes:
    """The bundle as complete as it is now.

    Raises:
        NotFoundError: no such evidence.
        ConflictError: its manifest is not sealed yet.
    """
    evidence = parts.records.evidence(evidence_id)
    if evidence.manifest is None or evidence.salt is None:
        raise ConflictError(
            f"evidence {evidence_id} has no manifest yet: {evidence.progress}",
            what_to_do="wait until it is captured and sealed",
        )
    tokens = [("manifest", token) for token in parts.records.tokens("manifest", evidence_id)]
    inclusion: dict[str, Any] | None = None
    header: Any = None
    anchors: list[dict[str, Any]] = []
    if evidence.batch_id is not None and evidence.leaf_index is not None:
        batch = parts.batches.batch(evidence.batch_id)
        path = parts.batches.path(evidence.batch_id, evidence.leaf_index)
        inclusion = {
            "index": evidence.leaf_index,
            "size": batch.size,
            "path": [node.hex() for node in path],
        }
        header = json.loads(batch.header)
        anchors = parts.batches.anchors(evidence.batch_id)
        tokens += [("batch_header", item) for item in parts.records.tokens("batch_header", evidence.batch_id)]
    return bundle.build(
        {
            "manifest": json.loads(evidence.manifest),
            "salt": evidence.salt.hex(),
            "inclusion": inclusion,
            "batch_header": header,
            "timestamps": [
                {
                    "of": of,
                    "token": base64.b64encode(token).decode(),
                    "revocation": {"status": "absent", "why": NOT_COLLECTED},
                }
                for of, token in tokens
            ],
            "attestations": [],
            "renewals": [],
            "anchors": anchors,
            "custody": parts.records.custody(evidence_id),
        }
    )
