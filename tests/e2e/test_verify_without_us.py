"""The commands of docs/how-to/verify-without-us.md, run as they stand, on a certificate from the main job."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_service.core import batch
from tests.e2e.conftest import Result

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "verify-without-us.md"


def authorities(trust: Path) -> bytes:
    """The roots of a trust file, as the page has them collected."""
    trusted = json.loads(trust.read_text())["authorities"]["trusted"]
    roots = [x509.load_der_x509_certificate(base64.b64decode(item["roots"][0])) for item in trusted]
    return b"".join(root.public_bytes(Encoding.PEM) for root in roots)


def test_the_pages_commands_lead_to_the_commitment(result: Result, tmp_path: Path) -> None:
    (tmp_path / "certificate.pdf").write_bytes(result.pdf.read_bytes())
    (tmp_path / "authority.pem").write_bytes(authorities(result.trust))
    output = ""
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        done = subprocess.run(
            ["bash", "-e", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (block, done.stderr)
        output += done.stdout + done.stderr
    header = (tmp_path / "batch-header.json").read_bytes()
    assert f"commitment {batch.commitment(header).hex()}" in output
    assert "Verification: OK" in output
    assert "Signature is Valid" in output
    bundle = json.loads((tmp_path / "bundle.json").read_text())
    assert bundle["anchors"]
