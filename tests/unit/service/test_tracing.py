"""One trace for each piece of evidence, found again without anything being stored; nothing when it is off."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.errors import ConfigurationError
from evidence_service.service.opentelemetry import OpenTelemetry
from evidence_service.service.tracing import (
    NoTracing,
    Passed,
    about,
    note_ordered,
    noticing_orders,
    trace_of,
    traced,
    whose,
)

EVIDENCE = "ev-0123456789abcdef0123"
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Recorder:
    """A process with traces on, and what it exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = OpenTelemetry(
            version="0", worker="worker-1", processors=[SimpleSpanProcessor(self.exporter)]
        )

    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def passed(*ordered: str, status: int = 202, traceparent: str = "") -> Passed:
    return Passed("POST", "/v1/captures", status, "0011", 1_000, 2_000, ordered, traceparent)


def test_the_order_is_the_first_span_and_every_process_finds_its_trace(recorder: Recorder) -> None:
    worker = Recorder()
    recorder.tracing.passed(passed(EVIDENCE))
    with about("preserve", EVIDENCE):
        assert traced(worker.tracing, "seal", lambda number: number + 1)(1) == 2
    [order], [step] = recorder.spans(), worker.spans()
    assert (order.context.trace_id, order.context.span_id) == trace_of(EVIDENCE)
    assert order.parent is None
    assert (order.name, order.start_time, order.end_time) == ("POST /v1/captures", 1_000, 2_000)
    assert step.context.trace_id == order.context.trace_id
    assert step.parent.span_id == order.context.span_id
    assert step.name == "preserve: seal"
    assert step.context.span_id != order.context.span_id


def test_a_callers_trace_is_gone_on_with_and_linked_where_evidence_has_its_own(recorder: Recorder) -> None:
    recorder.tracing.passed(passed(traceparent=CALLER))
    recorder.tracing.passed(passed(EVIDENCE, traceparent=CALLER))
    recorder.tracing.passed(passed(EVIDENCE, "ev-2", traceparent="nonsense"))
    read, order, many = recorder.spans()
    assert f"{read.context.trace_id:032x}" == CALLER[3:35]
    assert [f"{link.context.trace_id:032x}" for link in order.links] == [CALLER[3:35]]
    assert [link.context.trace_id for link in many.links] == [trace_of(EVIDENCE)[0], trace_of("ev-2")[0]]
    assert many.parent is None


def test_errors_are_named_by_kind_and_their_words_are_left_out(recorder: Recorder) -> None:
    def fails() -> None:
        raise ConfigurationError("https://shop.example/?q=a-secret", what_to_do="a-secret")

    with about("preserve", EVIDENCE), pytest.raises(ConfigurationError):
        traced(recorder.tracing, "capture", fails)()
    recorder.tracing.passed(passed(status=503))
    step, request = recorder.spans()
    assert step.status.status_code is request.status.status_code is StatusCode.ERROR
    assert step.attributes["error.type"] == "ConfigurationError"
    assert "a-secret" not in step.to_json() and step.events == ()


def test_what_is_past_is_shown_with_a_link_to_what_happened(recorder: Recorder) -> None:
    began, ended = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    recorder.tracing.period(EVIDENCE, "anchor", began, ended, cause="b-1", attributes={"chain_id": 1})
    [span] = recorder.spans()
    assert span.context.trace_id == trace_of(EVIDENCE)[0]
    assert [link.context.trace_id for link in span.links] == [trace_of("b-1")[0]]
    assert span.end_time - span.start_time == 86_400 * 10**9


def test_a_sampler_decides_the_same_for_a_trace_wherever_it_is_asked(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    first, second = Recorder(), Recorder()
    names = [f"ev-{number}" for number in range(100)]
    for name in names:
        first.tracing.passed(passed(name))
        with about("preserve", name):
            traced(second.tracing, "seal", lambda: None)()
    kept = [span.context.trace_id for span in first.spans()]
    assert kept == [span.context.trace_id for span in second.spans()]
    assert 0 < len(kept) < 100


@pytest.mark.parametrize(
    ("work", "subject"),
    [
        (EVIDENCE, EVIDENCE),
        (f"co-{EVIDENCE}", EVIDENCE),
        ("co-0123456789abcdef0123", "co-0123456789abcdef0123"),
        ("b-12-on-1", "b-12"),
        ("b-12 https://calendar.example 3", "b-12"),
    ],
)
def test_a_workflow_belongs_to_what_it_works_for(work: str, subject: str) -> None:
    assert whose(work) == subject


def test_orders_are_noticed_only_within_a_request() -> None:
    note_ordered(["nobody asks"])
    with noticing_orders() as found:
        note_ordered([EVIDENCE])
    assert found == [EVIDENCE]


def test_off_a_step_is_the_very_function_and_no_library_is_imported() -> None:
    def step() -> None: ...

    with about("preserve", EVIDENCE):
        assert traced(NoTracing(), "seal", step) is step
    code = (
        "import sys; from evidence_service import bootstrap; from evidence_service.config import Settings;"
        "assert type(bootstrap.tracing(Settings())).__name__ == 'NoTracing';"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "names 'zipkin', which there is not"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf only, not over grpc"),
    ],
)
def test_an_exporter_that_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=words):
        bootstrap.tracing(Settings())


def test_the_standard_variables_turn_it_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    on = bootstrap.tracing(Settings())
    assert isinstance(on, OpenTelemetry)
    on.close()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert isinstance(bootstrap.tracing(Settings()), NoTracing)
