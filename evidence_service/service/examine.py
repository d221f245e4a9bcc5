"""Examine: what was uploaded is looked into, and what was found is sealed with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from evidence_service.core import manifest
from evidence_service.core.digest import Digest
from evidence_service.importing.confined import examine
from evidence_service.importing.findings import Examination
from evidence_service.service.keep import keep
from evidence_service.service.parts import Parts
from evidence_service.store.records import Evidence

FORMAT: Final = "evidence-examination/1"
ROLE: Final = "examination"
_MAX_REASONS = 50


def examine_upload(parts: Parts, evidence: Evidence) -> Evidence:
    """Examine the file of an upload, once; the evidence with the result among its files.

    The status stays ``received``, whatever was found: an examination says how far a file can be relied on, it
    does not decide whether it is kept. Only what a worker that died had not recorded is done again.
    """
    described = evidence.capture or {}
    if any(item["role"] == ROLE for item in described["files"]):
        return evidence
    (file,) = described["files"]
    parts.records.note_progress(evidence.id, "examining what was uploaded")
    with parts.objects.open(bytes.fromhex(file["sha256"])) as path:
        found = examine(path, file["path"], file["media_type"])
    data = _result(parts, file, found)

    def record(stored: Sequence[Digest]) -> None:
        parts.records.add_examination(evidence.id, _with_examination(described, file, found, stored[0]))

    keep(parts, lambda: [parts.objects.put_bytes(data)], record)
    return parts.records.evidence(evidence.id)


def _result(parts: Parts, file: Mapping[str, Any], found: Examination) -> bytes:
    value = {
        "format": FORMAT,
        "file": {"path": file["path"], "sha256": file["sha256"]},
        "announced_media_type": file["media_type"],
        "software": parts.tool,
        **found.to_json(),
    }
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _with_examination(
    described: Mapping[str, Any], file: Mapping[str, Any], found: Examination, stored: Digest
) -> dict[str, Any]:
    examined = found.kind != "unknown"
    return {
        **described,
        "outcome": {**described["outcome"], "reasons": _reasons(found)},
        "tool": {**described["tool"], "examination": found.summary},
        "files": [
            {**file, "media_type": found.media_type if examined else file["media_type"]},
            manifest.file_record(_path(file["path"]), "application/json", ROLE, stored),
        ],
    }


def _path(uploaded: str) -> str:
    """Where the result goes: beside the upload, never in its place."""
    taken = uploaded.split("/", maxsplit=1)[0].upper().lower() == "examination.json"
    return f"{uploaded}.examination.json" if taken else "examination.json"


def _reasons(found: Examination) -> list[str]:
    told = [item.told[:400] for item in found.findings if item.severity != "note"]
    if found.kind == "unknown" and not told:
        return [found.summary]
    if len(told) > _MAX_REASONS:
        more = len(told) - _MAX_REASONS + 1
        told = [*told[: _MAX_REASONS - 1], f"{more} more are in examination.json"]
    return told
