"""Give a case to each implementation and hold the answers together."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evidence_service.core.digest import digest_of
from evidence_service.errors import EvidenceError, MalformedError
from evidence_service.verify import pdf
from evidence_service.verify.certificate import open_certificate
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.policy import parse
from evidence_service.verify.report import Report
from evidence_service.verify.verifier import verify
from tests.forgeries.world import Case, write_cases

RUNNER = Path(__file__).with_name("second.mjs")


def report_of(case: Case) -> Report:
    """The Python engine's report; the PDF is read in this process to be quick."""
    files = [EvidenceFile(name, digest_of(data)) for name, data in case.files.items()]
    given: dict[str, Any] = {"files": files, "digests": [bytes.fromhex(item) for item in case.digests]}
    material = Material(case.name, bundle=case.bundle or b"", **given)
    if case.certificate is not None:
        try:
            opened = open_certificate(case.certificate, reader=pdf.read)
            if "bundle.json" not in opened.attachments:
                raise MalformedError("the PDF is sealed, but holds no bundle.json")
            material = Material(case.name, opened.attachments["bundle.json"], opened, **given)
        except EvidenceError as error:
            material = Material(case.name, trouble=error)
    return verify(material, parse(case.trust), now=case.now)


def second_opinions(cases: Iterable[Case]) -> list[dict[str, Any]]:
    """The JavaScript implementation's answers, in order: verdict, exit code, level, status and words by check."""
    with tempfile.TemporaryDirectory() as name:
        listed = write_cases(cases, Path(name))
        done = subprocess.run(["node", RUNNER, listed], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
