"""The verification engine: bytes, policy and time in, a report out. No input or output of its own.

The numbered steps are those of ``docs/spec/verification.md``; the same numbers are in reports and tests.
"""

from __future__ import annotations

from datetime import datetime

from evidence_service.core import batch, bundle
from evidence_service.errors import EvidenceError
from evidence_service.verify.material import Material
from evidence_service.verify.policy import Policy
from evidence_service.verify.report import Findings, Report
from evidence_service.verify.steps.anchors import CompareHeader, check_anchors, check_canonical
from evidence_service.verify.steps.exhibit import check_exhibit
from evidence_service.verify.steps.files import check_files
from evidence_service.verify.steps.record import check_custody, check_inclusion
from evidence_service.verify.steps.renewals import check_renewals
from evidence_service.verify.steps.revocation import check_revocation
from evidence_service.verify.steps.run import Run
from evidence_service.verify.steps.seal import check_seal
from evidence_service.verify.steps.times import check_attestations, check_times, check_timestamps


def verify(
    material: Material, policy: Policy, *, now: datetime, compare_header: CompareHeader | None = None
) -> Report:
    """Run every check in order and report.

    Args:
        now: the time of verification; a bare bundle and an unstamped seal are judged at it.
        compare_header: asks nodes for check 6.1; None when offline.
    """
    run = Run(policy, now)
    if material.trouble is not None:
        run.failed("7.1", material.trouble)
        return _report(material, run, Findings())
    # (2.1) strict form first: nothing else is looked at in a bundle that is not one.
    try:
        value = bundle.parse(material.bundle)
    except EvidenceError as error:
        run.failed("2.1", error)
        check_seal(run, material, None)
        return _report(material, run, Findings(timestamps=tuple(run.timestamps), seal=run.seal))
    run.passed("2.1", f"format {value['format']}, canonical, checksum holds")
    manifest_bytes = bundle.manifest_bytes(value)
    found = value["manifest"]
    run.demonstrations.append(found["purpose"] != "evidence")
    check_files(run, material, value, manifest_bytes)
    events = check_custody(run, value, manifest_bytes)
    header = check_inclusion(run, value, manifest_bytes)
    stamps = check_timestamps(run, value, manifest_bytes, header)
    renewed = check_renewals(run, value, stamps)
    if stamps and value["format"] != bundle.FIRST_FORMAT:
        check_revocation(run, [*stamps, *renewed])
    check_attestations(run, value)
    anchors = check_anchors(run, value, header)
    check_times(run, found, value["batch_header"])
    check_canonical(run, anchors, compare_header)
    check_seal(run, material, value)
    check_exhibit(run, material, value, manifest_bytes)
    findings = Findings(
        manifest=found,
        manifest_bytes=manifest_bytes,
        files=tuple(run.files),
        missing=tuple(run.missing),
        custody=events,
        batch_header=value["batch_header"] if header is not None else None,
        commitment="" if header is None else batch.commitment(header).hex(),
        timestamps=tuple(run.timestamps),
        renewals=tuple(run.renewals),
        anchors=tuple(run.anchors),
        seal=run.seal,
    )
    return _report(material, run, findings)


def _report(material: Material, run: Run, findings: Findings) -> Report:
    return Report(
        subject=material.subject,
        verified_at=run.now,
        checks=tuple(sorted(run.checks, key=lambda check: check.id)),
        findings=findings,
        demonstration=not run.demonstrations or any(run.demonstrations),
        trusts=run.policy.lines(),
    )
