"""The workers of a database, for the one who runs them."""

from __future__ import annotations

from collections.abc import Sequence

from evidence_service.service.durable import WORKFLOW_VERSION
from evidence_service.store.workers import Known


def workers_outlook(workers: Sequence[Known]) -> str:
    """Who serves the queues, when it was last heard of, what it holds, and what nobody of them can do."""
    if not workers:
        return "none runs; what is ordered waits"
    lines = [_one(worker) for worker in workers]
    known = {worker.workflow_version for worker in workers}
    for version, number in sorted(_left_alone(workers).items()):
        if version not in known:
            lines.append(
                f"{number} workflows of version {version} wait: no worker here knows them (this release has "
                f"version {WORKFLOW_VERSION}); run one of the release that began them until they are done"
            )
    if len({worker.captures for worker in workers}) > 1:
        lines.append("captures_at_once differs between them: the last one that started decides for all")
    return "\n".join(lines)


def _one(worker: Known) -> str:
    holds = ", ".join(f"{number} {name}" for name, number in sorted(worker.status.get("holds", {}).items()))
    draining = ", takes nothing new" if worker.draining else ""
    return (
        f"{worker.name} (release {worker.version}, process {worker.process} on {worker.host}): "
        f"heard of {worker.age:.0f} s ago, holds {holds or 'nothing'}{draining}"
    )


def _left_alone(workers: Sequence[Known]) -> dict[str, int]:
    found: dict[str, int] = {}
    for worker in workers:
        for version, number in worker.status.get("left_alone", {}).items():
            found[version] = max(found.get(version, 0), int(number))
    return found
