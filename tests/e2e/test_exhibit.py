"""An exhibit of the main job: masked, unpacked, and verified by our program and by nobody's but other people's."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result as Done

from evidence_service.cli import main
from tests.e2e.conftest import Result
from tests.e2e.test_main_job import evidence

WORDS = "下单备注颜色"
"""Of the seller's description: in the page, not among the listing's facts."""


def exhibit(result: Result, *arguments: str) -> Done:
    environment = {
        "EVIDENCE_API_URL": f"http://127.0.0.1:{result.demo.api_port}",
        "EVIDENCE_API_KEY": result.demo.api_key,
    }
    fixed = ("exhibit", result.evidence_id, "--for", "opponent", "--recipient", "Kanzlei Muster")
    return CliRunner().invoke(main, [*fixed, *arguments], env=environment)


@pytest.fixture(scope="module")
def package(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exhibit") / "exhibit.zip"
    pictures = ["--accept", "images/"]
    for item in result.client.call("GET", f"/v1/evidence/{result.evidence_id}/files").json():
        if item["path"].startswith("screenshot"):
            pictures += ["--mask-area", f"{item['path']}:0,0,1,1"]
    done = exhibit(result, "--mask", WORDS, *pictures, "--accept", "certificate", "-o", str(target))
    assert done.exit_code == 0, done.output
    return target


def test_what_the_certificate_and_the_bundle_show_is_said_and_refused(result: Result, tmp_path: Path) -> None:
    done = exhibit(result, "--mask", "运河数码专营店", "-o", str(tmp_path / "e.zip"))
    assert done.exit_code == 2
    told = " ".join(done.output.split())
    assert "bundle.json (shows what is masked, and cannot be changed)" in told
    assert ".pdf (sealed: what it prints and holds of the page cannot be masked)" in told
    assert "screenshot.png (a picture:" in told
    assert not (tmp_path / "e.zip").exists()


def test_certificate_and_bundle_verify_and_name_what_is_missing(result: Result, package: Path) -> None:
    code, reports = evidence("verify", "--offline", "--json", "--trust", result.trust, package)
    assert code == 0
    assert [report["verdict"] for report in reports] == ["demonstration", "demonstration"]
    for report in reports:
        assert {check["status"] for check in report["checks"]} == {"pass"}
        status = {item["path"]: item["status"] for item in report["evidence"]["files"]}
        assert (status["dom.html"], status["capture.wacz"]) == ("redacted", "withheld")
        assert status.get("certificates.pem", "unchanged") == "unchanged"
    (event,) = [
        item
        for item in result.client.call("GET", f"/v1/evidence/{result.evidence_id}/custody").json()
        if item["action"] == "export"
    ]
    assert event["detail"]["recipient"] == "Kanzlei Muster"


def test_the_words_are_in_no_file_of_the_exhibit(package: Path, unpacked: Path) -> None:
    coded = base64.b64encode(WORDS.encode())[:-4]
    escaped = WORDS.encode("unicode_escape")
    for path in unpacked.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(form in data for form in (WORDS.encode(), escaped, coded)), path
    assert WORDS.encode() not in package.read_bytes()


@pytest.fixture(scope="module")
def unpacked(package: Path) -> Path:
    folder = package.parent / "unpacked"
    subprocess.run(["python3", "-m", "zipfile", "-e", package, folder], check=True)
    return folder


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_instructions_commands_print_what_they_promise(unpacked: Path, language: str) -> None:
    text = (unpacked / f"VERIFY.{language}.txt").read_text(encoding="utf-8")
    sums = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=unpacked, capture_output=True, text=True, check=True
    )
    assert all(line.endswith(": OK") for line in sums.stdout.splitlines())
    block = text[text.index("   cd evidence/") : text.index("   cd ../..")]
    # Commands are indented less than what they have to print, or go on in the next line.
    lines = [re.sub(r"^   (?:[a-d]\) )?", "", line) for line in block.splitlines()]
    commands = [line for line in lines if not re.match(r"^   (?:Expected|预期结果|This is|即证书)", line)]
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)], cwd=unpacked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    digest = re.search(r"[0-9a-f]{64}", block)
    assert digest is not None and f"{digest[0]}  proofs/manifest.json" in done.stdout
    assert "Signature is Valid" in done.stdout
    assert (done.stdout + done.stderr).count("Verification: OK") == 2
    assert "NOT PRESERVED" not in done.stdout and ": OK" in done.stdout


def test_a_changed_derivative_is_refused_even_when_the_sums_fit(result: Result, unpacked: Path) -> None:
    masked = unpacked / "evidence" / result.evidence_id / "redacted" / "dom.html"
    before = masked.read_bytes()
    try:
        masked.write_bytes(before.replace(b"<html", b"<HTML"))
        code, reports = evidence("verify", "--offline", "--json", "--trust", result.trust, unpacked)
        failed = {
            check["id"] for report in reports for check in report["checks"] if check["status"] == "fail"
        }
        assert (code, failed) == (3, {"8.1", "8.3"})
    finally:
        masked.write_bytes(before)
    assert json.loads((unpacked / "exhibit.json").read_text())["audience"] == "opponent"
