"""Step 7: the certificate's seal, whose it is, the level it reached, and what is attached."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evidence_service.core import bundle
from evidence_service.verify.certificate import JudgedSeal, OpenedCertificate, trust_seal
from evidence_service.verify.material import Material
from evidence_service.verify.report import ConfirmedSeal, Family, Status
from evidence_service.verify.steps import longterm
from evidence_service.verify.steps.run import Run

BUNDLE_NAME = "bundle.json"
INSTRUCTIONS_NAME = "verify.txt"
_FREE_ATTACHMENTS = frozenset({BUNDLE_NAME, INSTRUCTIONS_NAME})
"""Attachments that are not copies of parts of the bundle."""


def check_seal(run: Run, material: Material, value: Mapping[str, Any] | None) -> None:
    """Checks 7.1 to 7.5; 7.3 needs the parsed bundle."""
    opened = material.certificate
    if opened is None:
        return
    # (7.1) opening a certificate is what checks it; it was refused before this point otherwise.
    seal = opened.seal
    later = len(opened.revisions) - 2
    covered = (
        f"every byte of it covered, {later} later revisions add proofs alone"
        if later > 0
        else "every byte of the file covered"
    )
    run.passed("7.1", f"{seal.level}, signed by {seal.signer}, {covered}")
    proofs = longterm.read_proofs(run, opened)
    moment = next((proof.made for proof in proofs if proof.trusted), run.now)
    # (7.2)
    judged = trust_seal(seal, run.policy.seal_issuers, at=moment)
    if judged.issuer is None:
        run.add(
            "7.2",
            Status.FAIL,
            f"the policy does not know the issuer of {seal.signer}: {judged.why}",
            "use a trust file that names this issuer, if you have reason to trust it",
            family=Family.TRUST,
        )
    else:
        run.demonstrations.append(judged.issuer.demonstration)
        run.passed("7.2", f"issued under {judged.issuer.name}", family=Family.TRUST)
    run.seal = ConfirmedSeal(
        signer=seal.signer,
        level=_level(run, opened, judged, moment, proofs),
        trusted=judged.issuer is not None,
        issuer=None if judged.issuer is None else judged.issuer.name,
        signing_time=None if seal.timestamp is None else seal.timestamp.gen_time,
        archive_timestamps=tuple(proof.shown for proof in proofs if proof.shown.of == "document"),
    )
    if value is not None:
        _check_attachments(run, opened.attachments, value)


def _level(
    run: Run,
    opened: OpenedCertificate,
    judged: JudgedSeal,
    moment: datetime,
    proofs: Sequence[longterm.Proof],
) -> str:
    """The level achieved (ETSI EN 319 142-1, 6) as far as the policy lets it be judged; checks 7.4, 7.5."""
    stamps = [proof for proof in proofs if proof.shown.of == "document"]
    if len(stamps) < len(opened.stamps):
        return opened.seal.level
    archived = bool(stamps) and longterm.check_archive(run, proofs, stamps=len(stamps))
    if not opened.validation:
        return opened.seal.level
    own = longterm.Resting("the seal", judged.path, judged.issuer is not None, moment, moment)
    resting = [own, *longterm.resting_proofs(proofs)]
    # What the level asks for is data about the seal and about the time stamp in it.
    needed = resting[: len(resting) - len(stamps)]
    complete = longterm.check_validation(run, opened.validation, resting, needed=needed)
    if complete is None or opened.seal.timestamp is None:
        return opened.seal.level
    covered = archived and complete < opened.stamps[-1].revision
    return "PAdES B-LTA" if covered else "PAdES B-LT"


def _check_attachments(run: Run, attachments: Mapping[str, bytes], value: Mapping[str, Any]) -> None:
    # (7.3) what people read beside the bundle must be what the bundle says.
    expected = expected_attachments(value)
    wrong = [name for name, data in attachments.items() if name in expected and expected[name] != data]
    absent = [name for name in expected if name not in attachments]
    surplus = [name for name in attachments if name not in expected and name not in _FREE_ATTACHMENTS]
    problems = [
        *(f"{name} differs from the bundle" for name in wrong),
        *(f"{name} is missing" for name in absent),
        *(f"{name} should not be there" for name in surplus),
    ]
    if problems:
        run.add("7.3", Status.FAIL, "; ".join(problems[:5]), "get the certificate again from its issuer")
    else:
        run.passed("7.3", f"{len(attachments)} attachments, each as the bundle says")


def expected_attachments(value: Mapping[str, Any]) -> dict[str, bytes]:
    """The parts of a bundle that a certificate attaches once more, for people with ordinary tools.

    ``manifest.json`` and ``batch-header.json`` are the exact bytes that were stamped.
    """
    result = {"manifest.json": bundle.manifest_bytes(value)}
    if value["batch_header"] is not None:
        result["batch-header.json"] = bundle.header_bytes(value)
    counters = {"manifest": 0, "batch_header": 0}
    for item in value["timestamps"]:
        counters[item["of"]] += 1
        name = f"{item['of'].replace('_', '-')}-{counters[item['of']]}.tst"
        result[name] = base64.b64decode(item["token"])
    return result


def attachments_of(material: Material, value: Mapping[str, Any]) -> dict[str, bytes]:
    """Every attachment of the certificate, or what one would attach: files that are no evidence files."""
    own = {} if material.certificate is None else material.certificate.attachments
    return {BUNDLE_NAME: material.bundle, **expected_attachments(value), **own}
