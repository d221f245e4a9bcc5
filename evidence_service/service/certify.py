"""Certify: anchored evidence becomes a sealed PDF that the verification engine accepted twice.

Before: the engine accepts the bundle with its files, and only what it confirmed is printed. After: a separate
process opens the finished PDF as an opponent's expert would; without its "verified" nothing is released.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from evidence_service.certificate.edition import DEFAULT, parse_edition
from evidence_service.certificate.facts import Preserved, certificate_facts
from evidence_service.certificate.render import render
from evidence_service.certificate.sealing import Sealed, seal
from evidence_service.core import bundle
from evidence_service.errors import (
    ConfigurationError,
    MismatchError,
    NodeUnavailableError,
    UnavailableError,
)
from evidence_service.service.bundles import assemble
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.ports import Durable
from evidence_service.service.waiting import until_available
from evidence_service.store.certificates import Certificate
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.nodes import compare_with
from evidence_service.verify.report import ExitCode, Report, Verdict
from evidence_service.verify.verifier import verify

_SECONDS = 120
_LEVEL = "PAdES B-T"
"""Level printed; a seal that reached another one is not released."""


def certify(parts: Parts, durable: Durable, evidence_id: str) -> None:
    """The workflow of one certificate."""

    def note(waiting_for: str | None) -> None:
        parts.records.note_progress(evidence_id, "certifying", waiting_for=waiting_for)

    until_available(durable, "issue", lambda: issue(parts, evidence_id), note)
    durable.step("record", record_certificate, parts, evidence_id)


def issue(parts: Parts, evidence_id: str) -> None:
    """Render, seal, have it checked, release; a released certificate is never made again.

    Raises:
        UnavailableError: a node or an authority did not answer.
        MismatchError: the engine does not accept the bundle or the finished PDF.
    """
    certificate = parts.certificates.reserve(evidence_id, prefix=parts.issuing.prefix, now=parts.now())
    if certificate.status == "released":
        return
    data = assemble(parts, evidence_id)
    report = _accepted(parts, data)
    sealed = _make(parts, certificate, data, report)
    if sealed.level != _LEVEL:
        raise MismatchError(
            f"the certificate says {_LEVEL}, its seal reached {sealed.level}; it is not released"
        )
    _check_in_another_process(parts, sealed.pdf)
    stored = parts.objects.put_bytes(sealed.pdf)
    parts.certificates.release(certificate.number, sha256=stored.sha256, level=sealed.level, now=parts.now())


def record_certificate(parts: Parts, evidence_id: str) -> None:
    """Note the released certificate in the custody log."""
    certificate = parts.certificates.of_evidence(evidence_id)
    parts.custody(
        evidence_id,
        f"certify {certificate.number}",
        "certify",
        actor=SERVICE,
        purpose="issue a certificate",
        after=(certificate.sha256 or b"").hex(),
        detail={"number": certificate.number, "level": certificate.level or ""},
    )
    parts.records.advance(evidence_id, "certified")


def _accepted(parts: Parts, data: bytes) -> Report:
    """The engine's report on the bundle and the stored files."""
    value = bundle.parse(data)
    files = [
        EvidenceFile(item["path"], parts.objects.check(bytes.fromhex(item["sha256"])))
        for item in value["manifest"]["files"]
    ]
    report = verify(
        Material(value["manifest"]["evidence_id"], bundle=data, files=files),
        parts.issuing.policy,
        now=parts.now(),
        compare_header=compare_with(parts.rpc_urls()),
    )
    if report.verdict is Verdict.INCOMPLETE:
        raise NodeUnavailableError(_words(report), what_to_do="it is tried again when a node answers")
    if report.verdict is Verdict.UNTRUSTED:
        raise ConfigurationError(
            f"the issuer's own policy does not accept the evidence: {_words(report)}",
            what_to_do="name the configured authorities, chain and contract in the trust file",
        )
    if report.verdict not in (Verdict.EVIDENCE, Verdict.DEMONSTRATION):
        raise MismatchError(f"no certificate is issued: {report.sentence} {_words(report)}")
    return report


def _words(report: Report) -> str:
    return "; ".join(f"{check.id} {check.why}" for check in report.checks if check.status.value != "pass")


def _make(parts: Parts, certificate: Certificate, data: bytes, report: Report) -> Sealed:
    key = parts.issuing.key
    if key is None:
        raise ConfigurationError(
            "no seal key is configured", what_to_do="set seal.pkcs12 and seal.password_file"
        )

    def read(sha256: str) -> bytes:
        return parts.objects.read(bytes.fromhex(sha256))

    facts = certificate_facts(
        report,
        Preserved(bundle=data, read=read),
        number=certificate.number,
        # The time of reservation: made again after a crash, the certificate is the same up to its seal.
        issued_at=certificate.reserved_at,
        issuer=parts.issuing.issuer,
        edition=parse_edition(DEFAULT),
        level=_LEVEL,
    )
    return seal(
        render(facts),
        key,
        level=parts.issuing.level,
        stamp=_stamper(parts),
        revocation=parts.issuing.revocation,
        reason=f"Certificate {certificate.number}",
    )


def _stamper(parts: Parts) -> Callable[[bytes], bytes]:
    def one_token(digest: bytes) -> bytes:
        found = parts.stamping.authorities.stamp(digest, nonce=parts.nonce, now=parts.now, minimum=1)
        return found.tokens[0].der

    return one_token


def _check_in_another_process(parts: Parts, pdf: bytes) -> None:
    """Have ``evidence verify`` accept the finished file; its exit code is the answer."""
    with tempfile.TemporaryDirectory(prefix="evidence-gate-") as name:
        path = Path(name) / "certificate.pdf"
        path.write_bytes(pdf)
        command = [sys.executable, "-m", "evidence_service.cli", "verify", str(path)]
        if parts.issuing.trust_file is not None:
            command += ["--trust", str(parts.issuing.trust_file)]
        for url in parts.rpc_urls():
            command += ["--rpc", url]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"the check of the certificate took longer than {_SECONDS} s") from error
    if done.returncode == ExitCode.NOT_CHECKED:
        raise NodeUnavailableError("the finished certificate could not be compared with the chain")
    if done.returncode != ExitCode.VERIFIED:
        raise MismatchError(
            f"the finished certificate was not accepted (exit {done.returncode}) and is not released: "
            f"{(done.stdout or done.stderr).strip()[-1500:]}"
        )
