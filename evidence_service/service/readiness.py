"""Whether orders can be accepted, and what else is away.

Names only: whoever asks needs no key, so no address, path or word of an error is told. The log has those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from evidence_service.errors import EvidenceServiceError
from evidence_service.service.parts import Parts

_log = structlog.get_logger(__name__)
_SILENT = timedelta(minutes=5)
"""Age of the last look at a chain from which on it counts as away; an idle one is looked at every minute."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is away.

    Attributes:
        failing: without these nothing is accepted: ``database``, ``schema``, ``objects``, ``receipt_key``.
        degraded: what was accepted waits for these: ``time_stamps``, ``chain 1``.
        schema: ``current``, ``older`` or ``newer`` than this release; empty when the database is away.
    """

    failing: tuple[str, ...]
    degraded: tuple[str, ...]
    schema: str

    @property
    def ready(self) -> bool:
        """Whether orders are accepted."""
        return not self.failing


def readiness(parts: Parts) -> Readiness:
    """Try what acceptance needs, and look at what the workers last saw of the rest."""
    failing: list[str] = []
    version = ""

    def tried(name: str, examine: Callable[[], object]) -> bool:
        try:
            examine()
        except (SQLAlchemyError, EvidenceServiceError, OSError) as error:
            _log.warning("readiness.failing", dependency=name, reason=str(error)[:300])
            failing.append(name)
            return False
        return True

    if tried("database", parts.operations.version):
        version = parts.operations.version()
        if version != "current":
            failing.append("schema")
    tried("objects", parts.objects.inspect)
    tried("receipt_key", parts.receipt_key.check)
    degraded = () if failing else tuple(_degraded(parts))
    return Readiness(tuple(failing), degraded, version)


def _degraded(parts: Parts) -> list[str]:
    found = ["time_stamps"] if parts.operations.unstamped() else []
    now = parts.now()
    statuses = parts.chain_status.all()
    for chain in parts.chains:
        looks = [status for status in statuses if status.chain_id == chain.chain_id]
        # Of several keys the one that was looked at last speaks for the nodes.
        last = max(looks, key=lambda status: status.at, default=None)
        if last is None or now - last.at > _SILENT or "problem" in last.seen:
            found.append(f"chain {chain.chain_id}")
    return found
