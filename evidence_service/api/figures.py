"""Figures of this process's requests: how many, by route and status, and how long they took.

Labels are templates of routes and known methods: neither an id nor a word of a caller ever becomes one.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. A list of 5,000 rows and a package of an exhibit are the long ones."""


class RequestFigures:
    """Counts requests; one for each application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "evidence_http_requests",
            "Requests this process answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "evidence_http_request_seconds",
            "From the request's head to the end of its answer",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """In the text format that Prometheus reads."""
        return generate_latest(self._registry)
