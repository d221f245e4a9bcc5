"""What a campaign against the API has asked, and what was wrong with the answers."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass, field

from schemathesis.engine.events import EngineEvent, NonFatalError, ScenarioFinished

_KINDS = {
    "not_a_server_error": "unexpected_5xx",
    "status_code_conformance": "undocumented",
    "content_type_conformance": "undocumented",
    "response_schema_conformance": "schema_violations",
    "response_headers_conformance": "schema_violations",
}
_SHOWN = 3
"""Failures of one kind at one operation that are printed."""


@dataclass(slots=True)
class Outcome:
    """What was asked, and what was found.

    Attributes:
        operations: those that were asked at all.
        statuses: of all answers.
        findings: (kind, operation, words) of each failure.
    """

    cases: int = 0
    operations: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[tuple[str, str, str]] = field(default_factory=list)

    def result(self) -> str:
        """The figures."""
        counts = Counter(kind for kind, _, _ in self.findings)
        told = " ".join(
            f"{kind}={counts[kind]}"
            for kind in ("unexpected_5xx", "undocumented", "schema_violations", "other")
        )
        return f"cases={self.cases} operations={len(self.operations)} {told}"


_PREFIX = "urn:evidence-service:problem:"


def kind_of(body: bytes) -> str:
    """The last part of a problem's type; empty for another answer."""
    try:
        return str(json.loads(body)["type"]).removeprefix(_PREFIX)
    except (ValueError, KeyError, TypeError):
        return ""


def expected(path: str, status: int, body: bytes) -> bool:
    """A 5xx that is the right answer in this world.

    No worker runs beside it, so that it is not ready. The PDF of its certificate is none: whoever wants it
    extended has to be told that what is kept does not hold.
    """
    if path.startswith("/readyz"):
        return status == 503
    return path.partition("?")[0].endswith("/extend") and kind_of(body) == "evidence-does-not-hold"


def refused(body: bytes) -> bool:
    """A request that is valid by its form and refused for what it means, which no schema can say.

    Nor that a number is written without a fraction: 1.0 is an integer to JSON Schema, and none where sizes are
    stated.
    """
    words = (b'"title":"a value cannot be stored', b"Input should be a valid integer")
    return kind_of(body) == "refused" or any(item in body for item in words)


def note(event: EngineEvent, outcome: Outcome) -> None:
    """Count what an event tells."""
    if isinstance(event, NonFatalError):
        outcome.findings.append(("other", event.label, repr(event.value)))
    if not isinstance(event, ScenarioFinished):
        return
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        outcome.cases += 1
        if case_id in recorder.cases:
            outcome.operations.add(recorder.cases[case_id].value.operation.label)
        if interaction.response is not None:
            outcome.statuses[interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            label = recorder.cases[case_id].value.operation.label
            words = f"{check.failure_info.failure}\n    {check.failure_info.code_sample[:600]}"
            outcome.findings.append((_KINDS.get(check.name, "other"), label, f"{check.name}: {words}"))


def report(outcome: Outcome) -> None:
    """Print some of what was found."""
    shown: Counter[tuple[str, str, str]] = Counter()
    for kind, label, words in outcome.findings:
        which = (kind, label, words.split(":")[0])
        shown[which] += 1
        if shown[which] <= _SHOWN:
            print(f"{kind} {label}: {words}", file=sys.stderr)
    print(f"statuses {json.dumps(dict(sorted(outcome.statuses.items())))}", file=sys.stderr)
