"""Write the JSON Schema of what ``evidence verify --json`` prints: ``docs/reference/report.schema.json``.

``--check`` compares instead of writing. Words that the schema allows come from the enumerations of the code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from evidence_service.core import renewal
from evidence_service.verify.register import CHECK as REGISTER
from evidence_service.verify.register import STANDINGS
from evidence_service.verify.report import FORMAT, ExitCode, Family, Status, Verdict
from evidence_service.verify.steps.run import NAMES

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "report.schema.json"

TEXT = {"type": "string"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
BOOLEAN = {"type": "boolean"}
CODES = {"enum": [int(code) for code in ExitCode]}


def record(**members: Any) -> dict[str, Any]:
    """An object with exactly these members."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(members),
        "properties": members,
    }


def list_of(item: Any) -> dict[str, Any]:
    """An array of one kind."""
    return {"type": "array", "items": item}


def optional(shape: dict[str, Any]) -> dict[str, Any]:
    """The shape, or null."""
    return {"anyOf": [shape, {"type": "null"}]}


def words(kind: Any) -> dict[str, Any]:
    """One of an enumeration's words."""
    return {"enum": [item.value for item in kind]}


CHECK = record(
    id={"enum": [*NAMES, REGISTER]},
    name=TEXT,
    status=words(Status),
    family=words(Family),
    required=BOOLEAN,
    why=TEXT,
    what_to_do=TEXT,
)
TIMESTAMP = record(
    of={"enum": ["manifest", "batch_header", "renewal", "seal", "document"]},
    time=TIME,
    authority=TEXT,
    trusted=BOOLEAN,
    serial=TEXT,
    policy=TEXT,
    accuracy_ms=optional({"type": "integer", "minimum": 0}),
)
EVIDENCE = record(
    evidence_id=optional(TEXT),
    purpose=optional({"enum": ["evidence", "demonstration"]}),
    commitment=optional({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    files=list_of(
        record(
            name=TEXT, status={"enum": ["unchanged", "changed", "foreign", "attachment"]}, path=optional(TEXT)
        )
    ),
    missing=list_of(TEXT),
    timestamps=list_of(TIMESTAMP),
    renewals=list_of(
        record(
            kind={"enum": list(renewal.KINDS)},
            suite={"enum": list(renewal.ALGORITHMS)},
            timestamps=list_of(TIMESTAMP),
        )
    ),
    anchors=list_of(
        record(
            chain_id={"type": "string", "pattern": "^[0-9]+$"},
            chain=optional(TEXT),
            contract=TEXT,
            submitter=TEXT,
            transaction=TEXT,
            block_number={"type": "string", "pattern": "^[0-9]+$"},
            block_hash=TEXT,
            block_time=TIME,
            state_proof=BOOLEAN,
            canonical=BOOLEAN,
        )
    ),
    seal=optional(
        record(
            signer=TEXT,
            level=TEXT,
            trusted=BOOLEAN,
            issuer=optional(TEXT),
            signing_time=optional(TIME),
            archive_timestamps=list_of(TIMESTAMP),
        )
    ),
)
REPORT = record(
    subject=TEXT,
    verified_at=TIME,
    verdict=words(Verdict),
    exit_code=CODES,
    sentence=TEXT,
    checks=list_of(CHECK),
    evidence=EVIDENCE,
    trusts=list_of(TEXT),
)
# There when a register was asked, and only then.
REPORT["properties"]["register"] = record(
    asked=TEXT,
    number=optional(TEXT),
    standing={"enum": list(STANDINGS)},
    since=optional(TEXT),
    reason=TEXT,
    superseded_by=optional(TEXT),
)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Answer of evidence verify --json",
    "description": "docs/spec/verification.md, section 12",
    **record(
        format={"const": FORMAT},
        exit_code=CODES,
        reports=list_of(REPORT),
        error=optional(record(message=TEXT, what_to_do=TEXT)),
    ),
}


def main() -> int:
    """Write or compare."""
    text = json.dumps(SCHEMA, indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(f"{TARGET.name} is stale: run scripts/generate_report_schema.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
