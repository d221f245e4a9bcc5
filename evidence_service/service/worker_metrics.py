"""Figures about the workers on one database, for monitoring."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from evidence_service.store.workers import Workers


def observe_workers(registry: CollectorRegistry, workers: Workers) -> None:
    """Add who works, when each was last heard of, what it holds, and what no worker knows."""

    def gauge(name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"evidence_{name}", words, labels, registry=registry)

    age = gauge("worker_age_seconds", "Time since the worker was last heard of", "worker")
    draining = gauge("worker_draining", "1 while the worker takes no new work", "worker")
    holds = gauge("worker_holds", "Workflows the worker runs", "worker", "workflow")
    left = gauge("workflows_left_alone", "Workflows of a version that no worker here knows", "version")
    known = workers.all()
    versions = {worker.workflow_version for worker in known}
    for worker in known:
        age.labels(worker.name).set(worker.age)
        draining.labels(worker.name).set(int(worker.draining))
        for name, number in worker.status.get("holds", {}).items():
            holds.labels(worker.name, name).set(number)
        for version, number in worker.status.get("left_alone", {}).items():
            if version not in versions:
                left.labels(version).set(number)
    takeovers = Counter(
        "evidence_takeovers", "Workflows that were taken over from workers not heard of", registry=registry
    )
    takeovers.inc(workers.taken_over())
