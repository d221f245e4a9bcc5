"""The main job, done once through the API; every test looks at its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evidence_service.cli.client import ServiceClient
from evidence_service.core import bundle
from evidence_service.sandbox.installation import DemoInstallation
from tests.running import GANACHE, certified, order, service, wait

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
"""A public key of age."""


@dataclass
class Result:
    """What a client has in hands at the end."""

    demo: DemoInstallation
    client: ServiceClient
    evidence_id: str
    pdf: Path
    bundle: Path
    files: Path
    trust: Path


@pytest.fixture(scope="package")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    directory = tmp_path_factory.mktemp("main-job")
    # Spans beside the log: what the whole way looks like to who runs it is looked at as well.
    spans = {"OTEL_TRACES_EXPORTER": "console", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    # Documents order captures behind a login; what nobody has to decrypt is encrypted to a key nobody has.
    login = {"EVIDENCE_ORIGINALS_RECIPIENTS": json.dumps([RECIPIENT])}
    with DemoInstallation(directory, ganache=GANACHE) as demo, service(demo, spans | login) as client:
        evidence_id = order(client, demo.marketplace.listing_url("200102"))
        view = wait(client, evidence_id, certified)
        assert view["status"] == "certified", view
        base = f"/v1/evidence/{evidence_id}"
        pdf, proof, files = directory / "certificate.pdf", directory / "bundle.json", directory / "files"
        pdf.write_bytes(client.call("GET", f"{base}/certificate.pdf").content)
        proof.write_bytes(client.call("GET", f"{base}/bundle").content)
        files.mkdir()
        for item in client.call("GET", f"{base}/files").json():
            data = client.call("GET", f"{base}/files/{item['path']}").content
            assert hashlib.sha256(data).hexdigest() == item["sha256"]
            (files / item["path"]).parent.mkdir(parents=True, exist_ok=True)
            (files / item["path"]).write_bytes(data)
        demo.write_trust(bundle.parse(proof.read_bytes())["anchors"])
        yield Result(demo, client, evidence_id, pdf, proof, files, demo.trust_file)
