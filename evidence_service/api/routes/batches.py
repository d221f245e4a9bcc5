"""Batches."""

from __future__ import annotations

import json
from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from evidence_service.api.auth import Reader, Wired
from evidence_service.core.merkle import HASH_SIZE

router = APIRouter(prefix="/v1/batches", tags=["batches"])

_LINES = 500
"""Lines sent at once."""


@router.get("/{batch_id}/proofs", response_class=StreamingResponse)
def stream_proofs(batch_id: str, _: Reader, parts: Wired) -> StreamingResponse:
    """Every entry's manifest SHA-256, index and inclusion path, one JSON object a line, in leaf order."""
    proofs = parts.batches.paths(batch_id)
    return StreamingResponse(_lines(proofs), media_type="application/x-ndjson")


def _lines(proofs: Iterator[tuple[bytes, int, bytes]]) -> Iterator[str]:
    lines: list[str] = []
    for sha256, index, path in proofs:
        nodes = [path[start : start + HASH_SIZE].hex() for start in range(0, len(path), HASH_SIZE)]
        lines.append(json.dumps({"sha256": sha256.hex(), "index": index, "path": nodes}))
        if len(lines) == _LINES:
            yield "\n".join(lines) + "\n"
            lines.clear()
    if lines:
        yield "\n".join(lines) + "\n"
