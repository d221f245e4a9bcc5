"""Traces through OpenTelemetry; needs the optional group ``otel``, imported only where it is wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Literal

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from evidence_service.service.tracing import Attributes, Passed, trace_of

_LINKS = 128
"""Most links of a span: the library's own default for what an exporter has to take."""

_derived: ContextVar[tuple[int, int] | None] = ContextVar("derived", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, except for the first span of a subject's trace."""

    def generate_trace_id(self) -> int:
        """Of a span without a parent."""
        derived = _derived.get()
        return super().generate_trace_id() if derived is None else derived[0]

    def generate_span_id(self) -> int:
        """Of any span."""
        derived = _derived.get()
        return super().generate_span_id() if derived is None else derived[1]


class OpenTelemetry:
    """Spans for an exporter. The library reads ``OTEL_…`` for the sampler, limits and resource by itself.

    Args:
        version: of this software.
        worker: name of this process among the installation's.
        processors: make what takes the spans.
    """

    def __init__(self, *, version: str, worker: str, processors: Sequence[SpanProcessor]) -> None:
        self._provider = TracerProvider(
            resource=Resource.create(
                {
                    "service.name": "evidence-service",
                    "service.version": version,
                    "service.instance.id": worker,
                }
            ),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("evidence_service", version)

    @contextmanager
    def span(self, subject: str, name: str, attributes: Attributes) -> Iterator[None]:
        """See :class:`evidence_service.service.tracing.Tracing`."""
        # Errors are named by kind: their words may name listings and people.
        with self._tracer.start_as_current_span(
            name,
            self._within(subject),
            attributes=dict(attributes) | {"evidence.subject": subject},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR))
                span.set_attribute("error.type", type(error).__name__)
                raise

    def passed(self, request: Passed) -> None:
        """See :class:`evidence_service.service.tracing.Tracing`."""
        caller = TraceContextTextMapPropagator().extract({"traceparent": request.traceparent}, Context())
        if len(request.ordered) == 1:
            context, derived, links = Context(), trace_of(request.ordered[0]), _links_to(caller)
        else:
            context, derived = caller, None
            links = [Link(self._context(subject)) for subject in request.ordered[:_LINKS]]
        token = _derived.set(derived)
        try:
            span = self._tracer.start_span(
                f"{request.method} {request.route}",
                context,
                kind=SpanKind.SERVER,
                links=links,
                start_time=request.began,
                attributes={
                    "http.request.method": request.method,
                    "http.route": request.route,
                    "http.response.status_code": request.status,
                    "evidence.request_id": request.request_id,
                    "evidence.ordered": len(request.ordered),
                },
            )
        finally:
            _derived.reset(token)
        if request.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(request.ended)

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
        """See :class:`evidence_service.service.tracing.Tracing`."""
        self._tracer.start_span(
            name,
            self._within(subject),
            links=[] if cause is None else [Link(self._context(cause))],
            start_time=_nanoseconds(began),
            attributes=dict(attributes) | {"evidence.subject": subject},
        ).end(_nanoseconds(ended))

    def close(self) -> None:
        """See :class:`evidence_service.service.tracing.Tracing`."""
        self._provider.shutdown()

    def _within(self, subject: str) -> Context:
        return set_span_in_context(NonRecordingSpan(self._context(subject)), Context())

    def _context(self, subject: str) -> SpanContext:
        """The first span of a trace, which another process may have recorded, or nobody yet."""
        trace_id, span_id = trace_of(subject)
        # What the sampler says of the first span holds for the others: it decides by the trace's id.
        sampled = self._provider.sampler.should_sample(None, trace_id, subject).decision.is_sampled()
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)


def processor(exporter: Literal["otlp", "console"]) -> SpanProcessor:
    """Hands spans over in the background: an exporter that is away costs spans, never work."""
    if exporter == "console":
        return BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr, formatter=_line))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - only where it is used
        OTLPSpanExporter,
    )

    return BatchSpanProcessor(OTLPSpanExporter())


def _line(span: ReadableSpan) -> str:
    return str(span.to_json(indent=None)) + "\n"


def _links_to(caller: Context) -> list[Link]:
    found = get_current_span(caller).get_span_context()
    return [Link(found)] if found.is_valid else []


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1_000
