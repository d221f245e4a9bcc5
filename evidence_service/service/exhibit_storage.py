"""What an exhibit leaves in the object store: masked copies, the document on them, and the package.

All of it goes with the evidence. Whoever is killed in between, or is overtaken by another worker, leaves
nothing behind that nothing names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import MismatchError, RefusedError
from evidence_service.exhibit.redaction import Treated
from evidence_service.service.keep import keep, let_go
from evidence_service.service.parts import Parts
from evidence_service.store.exhibits import Exhibit

_CHUNK = 1 << 20


def store_redacted(parts: Parts, evidence_id: str, redactions: bytes, files: Sequence[Treated]) -> Digest:
    """Store masked copies and the document on them, which the evidence refers to then; the document's digest.

    Raises:
        MismatchError: a copy changed since it was made.
    """

    def put() -> list[Digest]:
        stored = [parts.objects.put_bytes(redactions)]
        for treated in files:
            if treated.derivative is not None:
                stored.append(parts.objects.put(treated.derivative.path))
                if stored[-1] != treated.derivative.digest:
                    raise MismatchError("a derivative changed between masking and storage")
        return stored

    def refer(stored: Sequence[Digest]) -> Digest:
        parts.requests.refer(evidence_id, {item.sha256 for item in stored})
        return stored[0]

    return keep(parts, put, refer)


def store_package(parts: Parts, order: Exhibit, package: Path, files: Sequence[Mapping[str, Any]]) -> None:
    """Store a package, and record that it is made; nothing stays of one that is not given out.

    Raises:
        MismatchError: it changed meanwhile.
    """
    announced = _digest(package)
    before = parts.exhibits.announce(order.id, announced.sha256)
    if before is not None:
        # Of one who was killed before he could record it, or who finds below that he was overtaken.
        _discard(parts, order, [before])
    stored = parts.objects.put(package)
    if stored != announced:
        raise MismatchError("the package changed while it was stored")
    if not parts.exhibits.made(order.id, sha256=stored.sha256, size=stored.size, files=files):
        # Overtaken: the evidence may be deleted by now, and nobody removes this later.
        redacted = [item for evidence_id in order.evidence for item in parts.requests.files_of(evidence_id)]
        _discard(parts, order, [stored.sha256, *redacted])


def _discard(parts: Parts, order: Exhibit, stored: Sequence[bytes]) -> None:
    """Remove what nothing refers to; what the object store does not let go of goes with the evidence."""
    for sha256 in stored:
        try:
            let_go(parts, [sha256])
        except RefusedError:
            for evidence_id in order.evidence:
                parts.requests.refer(evidence_id, [sha256])


def _digest(package: Path) -> Digest:
    digester = Digester()
    with package.open("rb") as reader:
        while chunk := reader.read(_CHUNK):
            digester.update(chunk)
    return digester.digest()
