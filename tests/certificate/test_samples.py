"""The samples of ``docs/samples``: all listed, marked, small, and they verify."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from evidence_service.certificate.edition import editions
from evidence_service.certificate.forms import forms

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
CERTIFICATES = sorted(SAMPLES.glob("certificate-*.pdf"))


def test_every_jurisdiction_and_form_is_there_and_listed() -> None:
    listed = set(re.findall(r"\]\(([^)]+)\)", (SAMPLES / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in SAMPLES.iterdir()} - {"README.md", "trust.json"}
    expected = {edition.jurisdiction for edition in editions()}
    found = {re.sub(r"-(en|zh|en\+zh)$", "", path.stem.removeprefix("certificate-")) for path in CERTIFICATES}
    assert found == expected
    assert {form.name for form in forms()} == {
        path.stem.removeprefix("form-") for path in SAMPLES.glob("form-*.pdf")
    }


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.pdf")), ids=lambda path: path.stem)
def test_it_is_small_and_marked_on_every_page(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    done = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True)
    for page in done.stdout.split("\f")[:-1]:
        assert "DEMONSTRATION, NOT EVIDENCE" in page or "演示，非证据" in page


@pytest.mark.parametrize("path", CERTIFICATES[:: len(CERTIFICATES) - 1], ids=lambda path: path.stem)
def test_it_verifies(path: Path) -> None:
    command = ["verify", "--offline", "--trust", SAMPLES / "trust.json", "--at", "2027-01-01T00:00:00Z", path]
    done = subprocess.run(
        [sys.executable, "-m", "evidence_service.cli", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
