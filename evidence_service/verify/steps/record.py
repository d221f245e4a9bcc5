"""Steps 2 and 3: the record is whole, and it is in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence_service.core import batch, bundle, custody
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError
from evidence_service.verify.report import Status
from evidence_service.verify.steps.run import Run


def check_custody(run: Run, value: Mapping[str, Any], manifest_bytes: bytes) -> list[dict[str, Any]]:
    """Check 2.2; the events when the chain holds."""
    events: list[dict[str, Any]] = value["custody"]
    sha256 = digest_of(manifest_bytes).sha256
    try:
        custody.verify_chain(events, evidence_id=value["manifest"]["evidence_id"])
        custody.verify_binding(events, manifest=value["manifest"], manifest_sha256=sha256)
    except MismatchError as error:
        run.failed("2.2", error)
        return []
    sealed = value["manifest"]["custody"]["events"]
    run.passed("2.2", f"{len(events)} events in a chain, {sealed} of them bound by the manifest")
    return events


def check_inclusion(run: Run, value: Mapping[str, Any], manifest_bytes: bytes) -> bytes | None:
    """Check 3.1; the batch header's bytes when the manifest is in that batch."""
    if value["batch_header"] is None:
        run.add(
            "3.1",
            Status.PENDING,
            "the evidence is not in a closed batch yet",
            "get the bundle again after its batch has been anchored",
        )
        return None
    header, proof = value["batch_header"], value["inclusion"]
    leaf = batch.entry_leaf(digest_of(manifest_bytes), bytes.fromhex(value["salt"]))
    try:
        batch.verify_entry(header, proof, leaf)
    except MismatchError as error:
        run.failed("3.1", error)
        return None
    run.passed("3.1", f"entry {proof['index'] + 1} of {proof['size']} in batch {header['sequence']}")
    return bundle.header_bytes(value)
