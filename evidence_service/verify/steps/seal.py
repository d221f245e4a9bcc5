"""Step 7: the certificate's seal, whose it is, and what is attached."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from evidence_service.core import bundle
from evidence_service.verify.certificate import trust_seal
from evidence_service.verify.material import Material
from evidence_service.verify.report import ConfirmedSeal, Family, Status
from evidence_service.verify.steps.run import Run

BUNDLE_NAME = "bundle.json"
INSTRUCTIONS_NAME = "verify.txt"
_FREE_ATTACHMENTS = frozenset({BUNDLE_NAME, INSTRUCTIONS_NAME})
"""Attachments that are not copies of parts of the bundle."""


def check_seal(run: Run, material: Material, value: Mapping[str, Any] | None) -> None:
    """Checks 7.1 to 7.3; 7.3 needs the parsed bundle."""
    opened = material.certificate
    if opened is None:
        return
    # (7.1) opening a certificate is what checks it; it was refused before this point otherwise.
    seal = opened.seal
    run.passed("7.1", f"{seal.level}, signed by {seal.signer}, every byte of the file covered")
    moment = run.now
    if seal.timestamp is not None and run.timestamp("seal", seal.timestamp).voucher is not None:
        moment = seal.timestamp.gen_time
    # (7.2)
    issuer, why = trust_seal(seal, run.policy.seal_issuers, at=moment)
    run.seal = ConfirmedSeal(
        signer=seal.signer,
        level=seal.level,
        trusted=issuer is not None,
        issuer=None if issuer is None else issuer.name,
        signing_time=None if seal.timestamp is None else seal.timestamp.gen_time,
    )
    if issuer is None:
        run.add(
            "7.2",
            Status.FAIL,
            f"the policy does not know the issuer of {seal.signer}: {why}",
            "use a trust file that names this issuer, if you have reason to trust it",
            family=Family.TRUST,
        )
    else:
        run.demonstrations.append(issuer.demonstration)
        run.passed("7.2", f"issued under {issuer.name}", family=Family.TRUST)
    if value is not None:
        _check_attachments(run, opened.attachments, value)


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
