"""Traces: where the time between an order and its certificate goes.

Every piece of evidence and every batch has one trace. Its id is derived from the id of what it is about, so
that requests, workers and later starts find it without anything being stored or handed on, a repetition after
a crash goes on in the same trace, and a sampler that decides by the trace's id decides the same everywhere.

This module knows no tracing library: :class:`NoTracing` costs a call that does nothing, and
:mod:`evidence_service.service.opentelemetry` is imported only where an exporter is configured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Attributes = Mapping[str, str | int | float]
"""Of a span: ids, counts and kinds; never names of people, addresses of listings or secrets."""

_TRACE_DOMAIN = b"evidence-service trace\x00"

_about: ContextVar[tuple[str, str] | None] = ContextVar("about", default=None)
_ordered: ContextVar[list[str] | None] = ContextVar("ordered", default=None)


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that was answered.

    Attributes:
        route: template of its path, never the path itself.
        began, ended: nanoseconds since 1970.
        ordered: evidence it ordered.
        traceparent: as the caller gave it (W3C Trace Context), or nothing.
    """

    method: str
    route: str
    status: int
    request_id: str
    began: int
    ended: int
    ordered: Sequence[str] = ()
    traceparent: str = ""


class Tracing(Protocol):
    """Takes spans."""

    def span(self, subject: str, name: str, attributes: Attributes) -> AbstractContextManager[object]:
        """A span in the trace of a subject while the block lasts; an error that leaves it marks it."""

    def passed(self, request: Passed) -> None:
        """The span of a request: the first of the evidence's trace when it ordered exactly one piece."""

    def period(
        self,
        subject: str,
        name: str,
        began: datetime,
        ended: datetime,
        *,
        attributes: Attributes,
        cause: str | None = None,
    ) -> None:
        """A span over what is already past.

        Args:
            cause: whose trace tells more of the same time; linked.
        """

    def close(self) -> None:
        """Hand over what is not exported yet."""


class NoTracing:
    """Takes none."""

    def span(self, subject: str, name: str, attributes: Attributes) -> AbstractContextManager[object]:
        """See :class:`Tracing`."""
        return nullcontext()

    def passed(self, request: Passed) -> None:
        """See :class:`Tracing`."""

    def period(
        self,
        subject: str,
        name: str,
        began: datetime,
        ended: datetime,
        *,
        attributes: Attributes,
        cause: str | None = None,
    ) -> None:
        """See :class:`Tracing`."""

    def close(self) -> None:
        """See :class:`Tracing`."""


def trace_of(subject: str) -> tuple[int, int]:
    """Ids of a subject's trace (128 bits) and of its first span (64 bits); neither is ever zero."""
    derived = hashlib.sha256(_TRACE_DOMAIN + subject.encode()).digest()
    # W3C Trace Context, 3.2.2.3: an id of zeros is invalid.
    return int.from_bytes(derived[:16]) or 1, int.from_bytes(derived[16:24]) or 1


def whose(work_id: str) -> str:
    """Whose trace a workflow belongs to, by the id of what it works on.

    That of an anchor is its batch's (``b-…-on-1``), that of the certificate ordered with the evidence the
    evidence's (``co-ev-…``); what is asked of others carries further words behind a space.
    """
    word = work_id.split(" ", maxsplit=1)[0].rsplit("-on-", maxsplit=1)[0]
    return word.removeprefix("co-") if word.startswith("co-ev-") else word


@contextmanager
def about(workflow: str, subject: str) -> Iterator[None]:
    """Whose work is done while the block lasts; steps in it are of its trace."""
    token = _about.set((workflow, subject))
    try:
        yield
    finally:
        _about.reset(token)


def traced(tracing: Tracing, name: str, function: Callable[P, T]) -> Callable[P, T]:
    """A step that shows in the trace of what it is done for, each time it is really run."""
    current = _about.get()
    if current is None or isinstance(tracing, NoTracing):
        return function
    workflow, subject = current

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with tracing.span(subject, f"{workflow}: {name}", {"workflow": workflow, "step": name}):
            return function(*args, **kwargs)

    return run


@contextmanager
def noticing_orders() -> Iterator[list[str]]:
    """Collects what is ordered while the block lasts, also in threads that work for it."""
    found: list[str] = []
    token = _ordered.set(found)
    try:
        yield found
    finally:
        _ordered.reset(token)


def note_ordered(evidence_ids: Sequence[str]) -> None:
    """Tell the request under way, if there is one, what it has ordered."""
    found = _ordered.get()
    if found is not None:
        found.extend(evidence_ids)
