"""``make campaign-api``: what the OpenAPI document allows and forbids, asked of the running service.

Schemathesis makes the requests and judges the answers with all its checks, in sequences of requests too; the
keys of several roles are used in turn. Raw requests follow that no client library sends. Prints ``RESULT
cases=… operations=… unexpected_5xx=… undocumented=… schema_violations=… other=… seconds=…``; ends with 1 when
anything was found, an operation was never asked, or there were fewer than 10,000 requests.
"""

from __future__ import annotations

import argparse
import copy
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import schemathesis
import structlog
from schemathesis import engine as schemathesis_engine
from schemathesis.config import SchemathesisConfig

from evidence_service.api.auth import ORGANISATION_HEADER
from evidence_service.store.postgres import connect
from tests.api.findings import Outcome, expected, note, refused, report
from tests.api.hostile import NO_HTTP, ask_raw
from tests.api.world import EVERYTHING, ORGANISATION, World, world
from tests.running import database
from tests.unit.api.isolation import METHODS as NAMES
from tests.unit.api.isolation import THINGS

ROLES = (EVERYTHING, "applicant", "auditor", "certifier")
FEWEST = 10_000
METHODS = frozenset(NAMES) | {"head"}
_UNKNOWN = "x-schemathesis-unknown-property"
"""A header field that Schemathesis adds; no answer depends on it."""


def prepared(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its answer for everything else, by which no status could be undocumented.

    Of organisations it names the key's own: another is refused before anything else is looked at.
    """
    document = copy.deepcopy(document)
    for operations in document["paths"].values():
        for method in METHODS & operations.keys():
            operations[method]["responses"].pop("default", None)
            for parameter in operations[method].get("parameters", ()):
                if parameter["name"] == ORGANISATION_HEADER:
                    parameter["schema"] = {"type": "string", "enum": [ORGANISATION]}
    return document


def undescribed(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Answers whose kind is not described: whatever they were, nothing could contradict them."""
    for label, operation in operations_of(document).items():
        for status, answer in operation["responses"].items():
            told = "$ref" in answer or answer.get("content")
            if not told and status != "204" and not label.startswith("HEAD "):
                yield "undocumented", label, f"{status} has no content type"


def configuration(
    of: World, key: str, examples: int, *, phases: Sequence[str], seed: int
) -> SchemathesisConfig:
    """How Schemathesis asks: half of the ids are of things that are there."""
    things = {thing: {"values": [value]} for thing, value in of.ids.items()}
    return SchemathesisConfig.from_dict(
        {
            "base-url": of.url,
            "seed": seed,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "dictionaries": things,
            "parameters": {
                name: {"dictionary": thing, "probability": 0.5}
                for name, thing in THINGS.items()
                if thing in things
            },
            "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
            "auth": {
                "openapi": {
                    scheme: {"bearer": key} for scheme in of.document["components"]["securitySchemes"]
                }
            },
            "phases": {
                name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")
            },
        }
    )


def examine(
    of: World,
    key: str,
    *,
    examples: int,
    outcome: Outcome,
    phases: Sequence[str] = ("examples", "coverage", "fuzzing", "stateful"),
    seed: int = 1,
) -> None:
    """Ask everything with one key."""
    schemathesis.serializer.alias("application/partial-upload", "application/octet-stream")
    schema = schemathesis.openapi.from_dict(
        prepared(of.document), config=configuration(of, key, examples, phases=phases, seed=seed)
    )

    @schema.hook
    def filter_failure(_: Any, failure: Any, case: Any, response: Any) -> bool:
        status, body, checks = response.status_code, response.content, type(failure).checks
        if status == 400 and body == NO_HTTP:
            return False
        if "negative_data_rejection" in checks and _UNKNOWN in {name.lower() for name in case.headers or {}}:
            return False  # unknown header fields are left alone (RFC 9110, section 5.1)
        if "not_a_server_error" in checks:
            return not expected(case.formatted_path, status, body)
        return not ("positive_data_acceptance" in checks and refused(body))

    for event in schemathesis_engine.from_schema(schema).execute():
        note(event, outcome)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=10, help="generated requests of each operation and key"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--role", choices=ROLES, action="append", help="this role alone")
    chosen = parser.parse_args(arguments)
    # A line for each request helps nobody here; what broke does.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began = time.monotonic()
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="campaign-api-") as name:
        Path(name).chmod(0o755)
        with database(Path(name)) as url:
            record = connect(url)
            for role in chosen.role or ROLES:
                with world(record, Path(name) / role) as of:
                    examine(of, of.keys[role], examples=chosen.examples, outcome=outcome, seed=chosen.seed)
                print(f"{role}: {outcome.cases} cases so far", file=sys.stderr)
            missed = operations_of(of.document).keys() - outcome.operations
            outcome.findings += undescribed(of.document)
            with world(record, Path(name) / "raw") as of:
                ask_raw(of, outcome)
            record.dispose()
    report(outcome)
    for label in sorted(missed):
        print(f"never asked: {label}", file=sys.stderr)
    print(f"RESULT {outcome.result()} seconds={time.monotonic() - began:.0f}")
    enough = outcome.cases >= FEWEST or bool(chosen.role)
    return 0 if enough and not outcome.findings and not missed else 1


def operations_of(document: dict[str, Any]) -> dict[str, Any]:
    """All of them by their labels, as Schemathesis names them."""
    return {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    }


if __name__ == "__main__":
    sys.exit(main())
