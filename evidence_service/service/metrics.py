"""Figures for monitoring, read from the database when they are asked for (Prometheus text format)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from evidence_service.anchor.submission import Journal
from evidence_service.errors import ConfigurationError, UnavailableError
from evidence_service.service.parts import Chain, Parts
from evidence_service.service.worker_metrics import observe_workers
from evidence_service.store.chain_status import Status


def metrics(parts: Parts) -> bytes:
    """Every figure, in the text format that Prometheus reads."""
    registry = CollectorRegistry()
    by_chain = _gauges(registry)
    statuses = parts.chain_status.all()
    for chain in parts.chains:
        _backlog(parts, chain, by_chain)
        keys = _keys(parts, chain)
        for status in statuses:
            if status.chain_id == chain.chain_id and status.submitter in keys:
                _status(parts, chain, status, by_chain)
    _events(registry, statuses)
    broken = Gauge(
        "evidence_promises_broken", "Receipts whose evidence was in no batch in time", registry=registry
    )
    broken.set(parts.batches.overdue(parts.now()))
    observe_workers(registry, parts.workers)
    _waiting(parts, registry)
    _audited(parts, registry)
    return generate_latest(registry)


def _waiting(parts: Parts, registry: CollectorRegistry) -> None:
    """What waits in which state, over all organisations, and for whom."""
    depths = Gauge(
        "evidence_queue_depth",
        "What is not done yet, by queue and state",
        ["queue", "state"],
        registry=registry,
    )
    for queue, state, count in parts.operations.queues():
        depths.labels(queue, state).inc(count)
    unstamped = Gauge(
        "evidence_unstamped", "Evidence that waits because no authority gives a time stamp", registry=registry
    )
    unstamped.set(parts.operations.unstamped())
    refusals = Counter(
        "evidence_tsa_refusals",
        "Time stamps an authority was asked for and did not give",
        ["authority"],
        registry=registry,
    )
    counted = parts.operations.refusals()
    # Also those that never failed: an alert on an increase needs the zero before it.
    for name in sorted({*counted, *(item.name for item in parts.stamping.authorities.members)}):
        refusals.labels(name).inc(counted.get(name, 0))


def _audited(parts: Parts, registry: CollectorRegistry) -> None:
    """The last audit; without one, these figures are absent."""
    last = parts.operations.last_fsck()
    if last is None:
        return
    for name, words, value in (
        ("age_seconds", "Time since the last audit of everything ended", _age(parts, last.finished_at)),
        ("seconds", "How long it took", last.seconds),
        ("examined", "Pieces of evidence, batches and exhibits it derived again", last.examined),
        ("problems", "How many of them did not hold", last.problems),
    ):
        Gauge(f"evidence_fsck_{name}", words, registry=registry).set(value)


def _age(parts: Parts, moment: datetime) -> float:
    return max((parts.now() - moment).total_seconds(), 0.0)


def nonce_gap(journal: Journal, chain_id: int, address: str, used: int) -> list[int]:
    """Nonces that nobody holds, below one that somebody holds and that waits for them.

    Args:
        used: the key's transactions in blocks, which is its next nonce.
    """
    held = journal.nonces(chain_id, address, used)
    waiting = [nonce for nonce, name in held.items() if name is not None]
    return [nonce for nonce in range(used, max(waiting, default=-1)) if held.get(nonce) is None]


def _keys(parts: Parts, chain: Chain) -> set[str]:
    """Keys that matter: those that are configured, and those that have something open.

    What was last seen of any other key grows old for ever, and is nobody's concern.
    """
    keys = set(parts.journal.submitters(chain.chain_id))
    for signer in chain.signers:
        # A custodian that is away, or has another kind of key, is the rounds' business: they tell of it.
        with suppress(UnavailableError, ConfigurationError):
            keys.add(signer.address)
    return keys


def _gauges(registry: CollectorRegistry) -> dict[str, Gauge]:
    def gauge(name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"evidence_{name}", words, ["chain", *labels], registry=registry)

    return {
        "lag": gauge("anchor_lag_seconds", "Age of the oldest batch whose anchor is not sealed"),
        "open": gauge("anchors_open", "Anchors that are not sealed, by state", "state"),
        "head": gauge("chain_head", "Number of the newest block seen", "key"),
        "final": gauge("chain_final", "Number of the newest block that counts as final", "key"),
        "gap": gauge("nonce_gap", "Nonces that nobody holds, below one that waits for them", "key"),
        "balance": gauge("signer_balance", "Balance of the key, in the chain's own currency", "key"),
        "low": gauge("signer_balance_low", "1 when the balance is below the alert", "key"),
        "age": gauge("round_age_seconds", "Time since the last look at the chain", "key"),
        "took": gauge("round_seconds", "How long the last look took", "key"),
        "resting": gauge("node_resting", "1 while a node is asked last, after a failure or a lie", "node"),
        "lies": gauge("node_lies", "Contradictions a node was caught in since the worker's start", "node"),
    }


def _backlog(parts: Parts, chain: Chain, gauges: dict[str, Gauge]) -> None:
    name = str(chain.chain_id)
    backlog = parts.anchors.backlog(chain.chain_id)
    age = 0.0 if backlog.oldest is None else (parts.now() - backlog.oldest).total_seconds()
    gauges["lag"].labels(name).set(max(age, 0.0))
    for state, count in backlog.states.items():
        gauges["open"].labels(name, state).set(count)


def _status(parts: Parts, chain: Chain, status: Status, gauges: dict[str, Gauge]) -> None:
    name, seen = str(chain.chain_id), status.seen
    gauges["age"].labels(name, status.submitter).set((parts.now() - status.at).total_seconds())
    for node in seen.get("nodes", ()):
        gauges["resting"].labels(name, node["name"]).set(int(node["resting"]))
        gauges["lies"].labels(name, node["name"]).set(node["lies"])
    if "head" not in seen:
        return
    gauges["head"].labels(name, status.submitter).set(seen["head"])
    gauges["final"].labels(name, status.submitter).set(seen["final"])
    gauges["balance"].labels(name, status.submitter).set(int(seen["balance"]) / 10**18)
    gauges["low"].labels(name, status.submitter).set(int(seen["balance_low"]))
    gauges["took"].labels(name, status.submitter).set(seen["round_seconds"])
    missing = nonce_gap(parts.journal, chain.chain_id, status.submitter, seen["nonce"])
    gauges["gap"].labels(name, status.submitter).set(len(missing))


def _events(registry: CollectorRegistry, statuses: list[Status]) -> None:
    events = Counter(
        "evidence_anchor_events",
        "What happened to anchors: mined, reorged, bumped, resent, stuck, unavailable, …",
        ["chain", "key", "event"],
        registry=registry,
    )
    for status in statuses:
        for event, count in status.events.items():
            events.labels(str(status.chain_id), status.submitter, event).inc(count)
