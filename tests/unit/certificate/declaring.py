"""Facts of certificates for forms to be filled with: genuine evidence of a world of its own, judged by the engine."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from evidence_service.certificate.edition import parse_edition
from evidence_service.certificate.facts import CertificateFacts, Issuer, Preserved, certificate_facts
from evidence_service.certificate.forms import Declarant
from evidence_service.core import custody, document, manifest
from evidence_service.core.digest import digest_of
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.policy import parse
from evidence_service.verify.report import Report
from evidence_service.verify.verifier import verify
from tests.forgeries.keys import EPOCH, later
from tests.forgeries.world import Evidence, World, built, usual_manifest

CERTIFICATE_SHA256 = "9c" * 32
_POINTS = {
    "at": document.format_time(EPOCH),
    "points": [
        {"number": number, "name": name, "status": status, "value": value, "raw_sha256": "ab" * 32}
        for number, name, status, value in (
            (1, "fresh process", "pass", "yes"),
            (5, "answers of resolvers", "unavailable", "one resolver"),
            (8, "clock", "fail", "2 s"),
        )
    ],
}


def event(number: int, action: str, actor: str, role: str) -> dict[str, Any]:
    """Members of a custody event at a moment of its own."""
    return {
        "evidence_id": "evidence-0001",
        "action": action,
        "actor": {"id": actor, "role": role},
        "at": document.format_time(later(hours=number)),
        "host": "host",
        "purpose": f"purpose of {action}",
        "before": None,
        "after": None,
        "tool": "evidence-service 0.1.0",
        "detail": {},
    }


LATER = (
    ("anchor", "evidence-service", "custodian"),
    ("copy", "Zhang Wei", "applicant"),
    ("copy", "agent", "applicant"),
)
"""Events after the manifest was sealed: action, actor, role."""


def files(count: int = 3) -> dict[str, tuple[str, bytes]]:
    """Path → role and content."""
    found = {
        "screenshot.png": ("screenshot.full", _picture()),
        "environment.json": ("environment", json.dumps(_POINTS).encode()),
    }
    found |= {f"data/{n}.html": ("dom.rendered", b"%d" % n) for n in range(count - 2)}
    return found


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (320, 400), "#cfd8e3").save(buffer, "PNG")
    return buffer.getvalue()


@cache
def judged(
    kind: str = "platform_capture",
    mode: str = "recording_proxy",
    count: int = 3,
    applicant: str = "Example Brand Ltd",
) -> tuple[Report, bytes]:
    """The engine's report on evidence, and its bundle."""
    usual = usual_manifest()
    changes = {
        "egress": {"mode": mode, "exceptions": []},
        "kind": kind,
        "matter": {**usual["matter"], "applicant": applicant},
        "outcome": {"status": "captured" if kind == "platform_capture" else "received", "reasons": []},
        "files": [
            manifest.file_record(path, "application/octet-stream", role, digest_of(data))
            for path, (role, data) in files(count).items()
        ],
    }
    value = Evidence(manifest=changes).value()
    for number, (action, actor, role) in enumerate(LATER, start=1):
        value["custody"].append(
            custody.build(event(number, action, actor, role), previous=value["custody"][-1])
        )
    data = built(value)
    with tempfile.TemporaryDirectory() as folder:
        policy = parse(World(Path(folder)).trust(value))
    given = [EvidenceFile(path, digest_of(content)) for path, (_, content) in files(count).items()]
    material = Material("evidence-0001", bundle=data, files=given)
    return verify(material, policy, now=EPOCH + timedelta(days=30)), data


def facts(edition: str = "us:en", **choices: Any) -> CertificateFacts:
    """What a certificate of such evidence is printed from."""
    report, data = judged(**choices)
    contents = {digest_of(content).sha256.hex(): content for _, content in files(20).values()}
    return certificate_facts(
        report,
        Preserved(data, contents.__getitem__),
        number="EP-2026-000001",
        issued_at=later(days=1),
        issuer=Issuer("Issuer Ltd", "1", "none", "none"),
        edition=parse_edition(edition),
        level="PAdES B-T",
    )


def declarant(found: CertificateFacts, person: str = "agent", name: str = "Alex Agent") -> Declarant:
    """A person of the custody log with this person's events."""
    return Declarant(
        person, name, [item for item in found.values["custody"] if item["actor"]["id"] == person]
    )


def text_of(pdf: bytes, folder: Path) -> str:
    """What the pages say, on one line."""
    path = folder / "form.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())
