"""Assemble the proof bundle of a piece of evidence from what the record holds."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from evidence_service.core import bundle, renewal
from evidence_service.errors import ConflictError
from evidence_service.service.parts import Parts
from evidence_service.store.stamps import KeptToken

MOST_ATTESTATIONS = 5
"""As many as a bundle has room for (formats.md section 10)."""


def assemble(parts: Parts, evidence_id: str) -> bytes:
    """The bundle as complete as it is now.

    Raises:
        NotFoundError: no such evidence.
        ConflictError: its manifest is not sealed yet.
    """
    return bundle.build(
        {
            **proofs(parts, evidence_id),
            "attestations": _attestations(parts, parts.records.evidence(evidence_id).batch_id),
            "custody": parts.records.custody(evidence_id),
        }
    )


def proofs(parts: Parts, evidence_id: str) -> dict[str, Any]:
    """The members of the bundle that a renewal covers, with the renewals there are; errors as above."""
    evidence = parts.records.evidence(evidence_id)
    if evidence.manifest is None or evidence.salt is None:
        raise ConflictError(
            f"evidence {evidence_id} has no manifest yet: {evidence.progress}",
            what_to_do="wait until it is captured and sealed",
        )
    timestamps = _timestamps("manifest", parts.records.tokens("manifest", evidence_id))
    inclusion: dict[str, Any] | None = None
    header: Any = None
    anchors: list[dict[str, Any]] = []
    if evidence.batch_id is not None and evidence.leaf_index is not None:
        batch = parts.batches.batch(evidence.batch_id)
        path = parts.batches.path(evidence.batch_id, evidence.leaf_index)
        inclusion = _inclusion(evidence.leaf_index, batch.size, path)
        header = json.loads(batch.header)
        anchors = parts.batches.anchors(evidence.batch_id)
        timestamps += _timestamps("batch_header", parts.records.tokens("batch_header", evidence.batch_id))
    return {
        "manifest": json.loads(evidence.manifest),
        "salt": evidence.salt.hex(),
        "inclusion": inclusion,
        "batch_header": header,
        "timestamps": timestamps,
        "anchors": anchors,
        "renewals": _renewals(parts, evidence_id),
    }


def _timestamps(of: str, tokens: Iterable[KeptToken]) -> list[dict[str, Any]]:
    return [{"of": of, **_stamp(token)} for token in tokens]


def _stamp(token: KeptToken) -> dict[str, Any]:
    return {"token": base64.b64encode(token.der).decode(), "revocation": dict(token.revocation)}


def _inclusion(index: int, size: int, path: Iterable[bytes]) -> dict[str, Any]:
    return {"index": index, "size": size, "path": [node.hex() for node in path]}


def _attestations(parts: Parts, batch_id: str | None) -> list[dict[str, Any]]:
    found = [] if batch_id is None else parts.attestations.of_batch(batch_id)
    return [
        {
            "kind": "opentimestamps",
            "of": "batch_header",
            "proof": base64.b64encode(item.proof).decode(),
        }
        for item in found
        if item.proof is not None
    ][:MOST_ATTESTATIONS]


def _renewals(parts: Parts, evidence_id: str) -> list[dict[str, Any]]:
    found = []
    for item, member in parts.renewals.of_evidence(evidence_id):
        document = json.loads(item.document or b"")
        path = parts.renewals.path(
            member,
            size=document["size"],
            root=bytes.fromhex(document["root"]),
            algorithm=renewal.ALGORITHMS[document["suite"]],
        )
        found.append(
            {
                "document": document,
                "inclusion": _inclusion(member.position, document["size"], path),
                "timestamps": [_stamp(token) for token in parts.records.tokens("renewal", item.id)],
            }
        )
    return found
