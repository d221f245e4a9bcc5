"""The gate: no certificate leaves without it.

The engine accepts the evidence before anything is printed, the level that is printed is the one that was
reached, and a separate process accepts the finished file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evidence_service.core import bundle
from evidence_service.errors import MismatchError, NodeUnavailableError, UnavailableError
from evidence_service.service.parts import Parts
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.nodes import compare_with
from evidence_service.verify.report import ExitCode, Report, Verdict
from evidence_service.verify.verifier import verify

_SECONDS = 120


def examine_bundle(parts: Parts, data: bytes) -> Report:
    """The engine's report on a bundle with all the stored files of its manifest, each hashed again.

    Raises:
        MismatchError: a stored file is not what was stored.
    """
    value = bundle.parse(data)
    files = [
        EvidenceFile(item["path"], parts.objects.check(bytes.fromhex(item["sha256"])))
        for item in value["manifest"]["files"]
    ]
    return verify(
        Material(value["manifest"]["evidence_id"], bundle=data, files=files),
        parts.issuing.policy,
        now=parts.now(),
        compare_header=compare_with(parts.rpc_urls()),
    )


def check_finished(
    pdf: bytes, *, level: str, verdict: Verdict, trust_file: Path | None, rpc_urls: Sequence[str]
) -> None:
    """Have a separate process accept a finished file, and find it to be what it says.

    Args:
        level: that is printed on it; the verifier has to find the seal at it.
        verdict: of the evidence alone; the certificate has to come to the same.

    Raises:
        UnavailableError: it could not be checked.
        MismatchError: it was not accepted, or is not what it says; it is not released.
    """
    report = judged_outside(pdf, trust_file=trust_file, rpc_urls=rpc_urls)
    if report["verdict"] != verdict.value:
        raise MismatchError(
            f"the finished certificate is judged as {report['verdict']}, its evidence as {verdict.value}; it "
            "is not released"
        )
    check_level(level, report["evidence"]["seal"]["level"])


def judged_outside(pdf: bytes, *, trust_file: Path | None, rpc_urls: Sequence[str]) -> dict[str, Any]:
    """The report of ``evidence verify`` in a process of its own, as an opponent's expert would run it.

    Raises:
        UnavailableError: it could not be checked.
        MismatchError: it was not accepted.
    """
    with tempfile.TemporaryDirectory(prefix="evidence-gate-") as name:
        path = Path(name) / "certificate.pdf"
        path.write_bytes(pdf)
        command = [sys.executable, "-m", "evidence_service.cli", "verify", "--json", str(path)]
        if trust_file is not None:
            command += ["--trust", str(trust_file)]
        for url in rpc_urls:
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
            f"{_problems(done.stdout) or done.stderr.strip()[-1500:]}"
        )
    report: dict[str, Any] = json.loads(done.stdout)["reports"][0]
    return report


def check_level(printed: str, reached: str) -> None:
    """Refuse a certificate whose seal is not at the level it prints.

    Raises:
        MismatchError: it is not released.
    """
    if reached != printed:
        raise MismatchError(
            f"the certificate says {printed}, its seal reached {reached}; it is not released",
            what_to_do="set seal.level to what the key and the authorities can do",
        )


def _problems(answer: str) -> str:
    """Why an answer is not the one that was hoped for: the checks that stood in its way, or the error."""
    try:
        value = json.loads(answer)
    except ValueError:
        return ""
    if value["error"] is not None:
        return str(value["error"]["message"])
    checks: list[dict[str, Any]] = value["reports"][0]["checks"]
    return "; ".join(
        f"{item['id']} {item['why']}"
        for item in checks
        if item["status"] == "fail" or (item["required"] and item["status"] != "pass")
    )[:1500]
