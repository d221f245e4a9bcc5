"""Certificates of every released format verify, in both implementations, whatever else changes."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64decode
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.forgeries.run import report_of, second_opinions
from tests.forgeries.world import Case

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "verify-without-us.md"
# A whole installation has tests of its own.
FOLDERS = sorted(
    path.parent for path in Path(__file__).parent.glob("*/expected.json") if path.parent.name != "v1-database"
)


def case(folder: Path) -> Case:
    """A folder as a case."""
    expected = json.loads((folder / "expected.json").read_text())
    return Case(
        folder.name,
        (folder / "trust.json").read_bytes(),
        certificate=(folder / "certificate.pdf").read_bytes(),
        files={path.name: path.read_bytes() for path in sorted((folder / "files").iterdir())},
        now=datetime.fromisoformat(expected["now"]),
        verdict=expected["verdict"],
    )


def test_every_released_format_is_here() -> None:
    assert {folder.name for folder in FOLDERS} >= {
        "v1-demonstration",
        "v1-evidence",
        "v2-renewed",
        "v2-archived",
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_verifies(folder: Path) -> None:
    wanted = case(folder)
    report = report_of(wanted)
    assert report.verdict.value == wanted.verdict, report.failures()
    (second,) = second_opinions([wanted])
    assert second["verdict"] == wanted.verdict, second
    assert second["checks"] == {check.id: check.status.value for check in report.checks}


def test_the_archived_one_has_kept_its_level() -> None:
    wanted = case(Path(__file__).with_name("v2-archived"))
    seal = report_of(wanted).findings.seal
    assert seal is not None
    (second,) = second_opinions([wanted])
    assert seal.level == second["level"] == "PAdES B-LTA"


def test_the_archived_one_is_verified_with_tools_of_others(tmp_path: Path) -> None:
    """The commands of the page about document time stamps, as they stand."""
    folder = Path(__file__).with_name("v2-archived")
    (tmp_path / "certificate.pdf").write_bytes((folder / "certificate.pdf").read_bytes())
    _write_authorities(folder, tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (item for item in blocks if "DocTimeStamp" in item)
    done = subprocess.run(
        ["bash", "-e", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, (done.stdout + done.stderr).count("Verification: OK")) == (0, 2), done.stderr


def _write_authorities(folder: Path, target: Path) -> None:
    """The roots of the trust file, as the page has them collected."""
    trusted = json.loads((folder / "trust.json").read_text())["authorities"]["trusted"]
    roots = [x509.load_der_x509_certificate(b64decode(root)) for item in trusted for root in item["roots"]]
    (target / "authority.pem").write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in roots))


def test_a_renewed_one_is_verified_with_tools_of_others(tmp_path: Path) -> None:
    """The commands of the page, first and last section, as they stand."""
    folder = Path(__file__).with_name("v2-renewed")
    (tmp_path / "certificate.pdf").write_bytes((folder / "certificate.pdf").read_bytes())
    _write_authorities(folder, tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    output = ""
    for block in (blocks[0], blocks[-1]):
        done = subprocess.run(
            ["bash", "-e", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        output += done.stdout + done.stderr
    assert output.count("Verification: OK") == 4
    assert output.count("is about this bundle") == 2
    # Each list names the first authority's signer, who closed down after the stamp, and somebody else.
    assert (output.count("Superseded"), output.count("Key Compromise")) == (4, 4)
    assert (tmp_path / "batch-header-1.ots").read_bytes() == b"proof 0"
