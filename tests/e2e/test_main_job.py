"""The main job through the API, judged by our verifier without network and by other people's tools."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from evidence_service.core import bundle, canonical, receipt
from evidence_service.errors import RefusedError
from evidence_service.importing.confined import examine
from evidence_service.sandbox.contact_sheet import page_pictures
from evidence_service.verify.receipt import judge_promise
from evidence_service.verify.report import Status
from tests.capture.oracles import check_wacz
from tests.e2e.conftest import Result
from tests.running import ROOT, certified, order, wait

NO_SOCKETS = (
    "import sys,runpy;sys.addaudithook(lambda e,a:e.startswith('socket.') and sys.exit(99));"
    "sys.argv=['evidence',*sys.argv[1:]];runpy.run_module('evidence_service.cli',run_name='__main__')"
)


def evidence(*arguments: object) -> tuple[int, list[dict]]:
    """The command line in a process that ends at the first socket."""
    done = subprocess.run(
        [sys.executable, "-c", NO_SOCKETS, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)["reports"] if done.stdout else []


def test_the_guard_against_sockets_works() -> None:
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    hook = NO_SOCKETS.split("sys.argv=", maxsplit=1)[0]
    assert subprocess.run([sys.executable, "-c", hook + code], check=False).returncode == 99


def test_the_certificate_verifies_without_network_as_a_demonstration(result: Result) -> None:
    code, reports = evidence(
        "verify", "--offline", "--json", "--trust", result.trust, result.pdf, result.files
    )
    assert code == 0
    assert reports[0]["verdict"] == "demonstration"
    assert {check["status"] for check in reports[0]["checks"]} == {"pass"}


def test_the_shipped_policy_calls_it_genuine_but_untrusted(result: Result) -> None:
    code, reports = evidence("verify", "--offline", "--json", result.pdf)
    assert code == 4
    assert reports[0]["verdict"] == "untrusted"


@pytest.mark.parametrize("what", ["pdf", "bundle", "file"])
def test_any_changed_byte_is_refused_and_named(result: Result, tmp_path: Path, what: str) -> None:
    source = {"pdf": result.pdf, "bundle": result.bundle, "file": result.files / "screenshot.png"}[what]
    numbers = random.Random(7)
    data = source.read_bytes()
    for position in [0, len(data) - 1, *(numbers.randrange(len(data)) for _ in range(4))]:
        changed = bytearray(data)
        changed[position] ^= 1 << numbers.randrange(8)
        copy = tmp_path / source.name
        copy.write_bytes(changed)
        beside = [result.pdf] if what == "file" else []
        code, reports = evidence("verify", "--offline", "--json", "--trust", result.trust, copy, *beside)
        assert code == 3, position
        failed = [check["id"] for check in reports[0]["checks"] if check["status"] == "fail"]
        assert failed and set(failed) <= {"pdf": {"7.1"}, "bundle": {"2.1"}, "file": {"1.1"}}[what]


def test_a_bundle_with_two_tokens_their_lists_and_one_chain_is_small(result: Result) -> None:
    """At most 20 KB beside the list of the captured files, which is as long as there are files."""
    value = bundle.parse(result.bundle.read_bytes())
    value["timestamps"] = [item for item in value["timestamps"] if item["of"] == "manifest"]
    assert len(value["timestamps"]) == 2
    assert {item["revocation"]["status"] for item in value["timestamps"]} == {"collected"}
    (anchor,) = value["anchors"]
    assert anchor["state"] is not None
    members = {name: member for name, member in value.items() if name not in ("format", "checksum")}
    files = canonical.encode(value["manifest"]["files"])
    assert len(bundle.build(members)) - len(files) <= 20 * 1024


def test_other_peoples_tools_accept_certificate_and_record(result: Result, tmp_path: Path) -> None:
    signature = subprocess.run(["pdfsig", result.pdf], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid" in signature
    assert "Total document signed" in signature
    listed = subprocess.run(["pdfdetach", "-list", result.pdf], capture_output=True, text=True, check=True)
    assert "bundle.json" in listed.stdout
    subprocess.run(["qpdf", "--check", result.pdf], check=True, capture_output=True)
    check_wacz(result.files / "capture.wacz", tmp_path)


def test_the_certificate_prints_its_facts_in_both_languages(result: Result) -> None:
    done = subprocess.run(
        ["pdftotext", "-layout", result.pdf, "-"], capture_output=True, text=True, check=True
    )
    words = "".join(done.stdout.split())
    manifest = bundle.parse(result.bundle.read_bytes())["manifest"]
    digest = hashlib.sha256(
        json.dumps(manifest, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    )
    for expected in (
        "EvidencePreservationCertificate",
        "区块链存证证书",
        "DEMONSTRATION,NOTEVIDENCE",
        "维特思ProX2头戴式降噪蓝牙耳机",
        "189.00",
        "运河数码专营店",
        digest.hexdigest(),
        "PAdESB-LTA",
    ):
        assert expected in words, expected


def test_the_watermark_is_on_every_page(result: Result) -> None:
    pages = page_pictures(result.pdf, dpi=40)
    for page, picture in enumerate(pages, start=1):
        # Pale red across the page: nothing else on it has this colour.
        pale = sum(
            1
            for red, green, blue in picture.get_flattened_data()
            if red > 215 and 10 < red - green < 40 and abs(green - blue) < 6
        )
        assert pale > 500, (page, pale)
        span = ["-f", str(page), "-l", str(page)]
        done = subprocess.run(
            ["pdftotext", *span, result.pdf, "-"], capture_output=True, text=True, check=True
        )
        assert "DEMONSTRATION, NOT EVIDENCE" in done.stdout, page


def test_every_font_is_embedded(result: Result) -> None:
    done = subprocess.run(["pdffonts", result.pdf], capture_output=True, text=True, check=True)
    rows = done.stdout.splitlines()[2:]
    assert rows and all(row.split()[-5] == "yes" for row in rows)


def test_an_uploaded_file_is_certified_as_uploaded(result: Result, tmp_path: Path) -> None:
    client = result.client
    matter = client.create("/v1/matters", json={"reference": "U-1", "applicant": "Test SA"})["id"]
    ordered = client.create("/v1/uploads", params={"matter_id": matter, "name": "photo.txt"}, content=b"mine")
    view = wait(client, ordered["id"], certified)
    assert (view["status"], view["kind"], view["outcome"]) == ("certified", "upload", "received")
    pdf = tmp_path / "c.pdf"
    pdf.write_bytes(client.call("GET", f"/v1/evidence/{ordered['id']}/certificate.pdf").content)
    text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True).stdout
    assert "uploaded by the applicant; not captured by this service" in text
    steps = ["accepted", "sealed", "stamped", "registered", "anchored", "certified"]
    assert followed(result, ordered["id"]) == [f"evidence.{step}" for step in steps]


def followed(result: Result, evidence_id: str) -> list[str]:
    """What happened to a piece of evidence itself, as somebody hears who follows it to its end."""
    found: list[str] = []
    with httpx.stream(
        "GET",
        f"http://127.0.0.1:{result.demo.api_port}/v1/events",
        params={"after": 0, "evidence_id": evidence_id},
        headers={"Authorization": f"Bearer {result.demo.api_key}"},
        timeout=120,
    ) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: evidence."):
                found.append(line.removeprefix("event: "))
            if line == "event: evidence.certified":
                break
    return found


def test_a_package_of_other_software_is_certified_with_what_was_found(result: Result, tmp_path: Path) -> None:
    client = result.client
    matter = client.create("/v1/matters", json={"reference": "U-2", "applicant": "Test SA"})["id"]
    data = (Path(__file__).parents[1] / "vectors" / "importing" / "js-wacz-0.1.6.wacz").read_bytes()
    query = {"matter_id": matter, "name": "page.wacz"}
    ordered = client.create("/v1/uploads", params=query, content=data)
    view = wait(client, ordered["id"], certified)
    assert (view["status"], view["kind"], view["outcome"]) == ("certified", "upload", "received")
    (reason,) = view["reasons"]
    assert "each chunk counted twice, the known defect of Scoop's writer" in reason
    base = f"/v1/evidence/{ordered['id']}"
    files = {item["path"]: item["role"] for item in client.call("GET", f"{base}/files").json()}
    assert files == {"page.wacz": "uploaded", "examination.json": "examination"}
    found = client.call("GET", f"{base}/files/examination.json").json()
    assert [item["code"] for item in found["findings"]] == ["wacz.resource_hash_doubled", "wacz.unsigned"]
    proof = client.call("GET", f"{base}/bundle").content
    promise = receipt.parse(canonical.encode(ordered["receipt"]))
    assert judge_promise(promise, proof, now=datetime.now(UTC), current=True).status is Status.PASS
    pdf = tmp_path / "c.pdf"
    pdf.write_bytes(client.call("GET", f"{base}/certificate.pdf").content)
    text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True).stdout
    words = " ".join(text.replace("\n", " ").split())
    assert "uploaded by the applicant; not captured by this service" in words
    assert "Examination of the uploaded file" in words
    assert "wacz.resource_hash_doubled" in words
    for never in (
        "What was captured",
        "How it was captured",
        "Capture clock",
        "a web page showed to the recorder",
    ):
        assert never not in words


def test_nothing_is_wrong_with_the_package_of_our_own_capture(result: Result) -> None:
    found = examine(result.files / "capture.wacz", "capture.wacz", "application/wacz")
    assert found.kind == "wacz"
    assert [item.code for item in found.findings] == ["wacz.unsigned"]


def test_a_removed_listing_is_certified_with_its_qualification(result: Result, tmp_path: Path) -> None:
    client = result.client
    evidence_id = order(client, result.demo.marketplace.listing_url("100290"))
    view = wait(client, evidence_id, certified)
    assert (view["status"], view["outcome"]) == ("certified", "removed")
    pdf = tmp_path / "c.pdf"
    pdf.write_bytes(client.call("GET", f"/v1/evidence/{evidence_id}/certificate.pdf").content)
    text = subprocess.run(
        ["pdftotext", "-l", "1", pdf, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "Reservation" in text
    assert "HTTP status 410" in text


def test_an_order_repeated_under_its_key_is_one_order(result: Result) -> None:
    client = result.client
    matter = client.create("/v1/matters", json={"reference": "I-1", "applicant": "Test SA"})["id"]
    body = {"matter_id": matter, "url": result.demo.marketplace.listing_url("100202"), "certificate": False}
    headers = {"Idempotency-Key": "the-same"}
    first = client.call("POST", "/v1/captures", json=body, headers=headers).json()
    again = client.call("POST", "/v1/captures", json=body, headers=headers).json()
    assert first["id"] == again["id"]
    other = {**body, "certificate": True}
    with pytest.raises(RefusedError, match="used for another request"):
        client.call("POST", "/v1/captures", json=other, headers=headers)


def test_a_private_address_is_refused_before_any_work(result: Result) -> None:
    with pytest.raises(RefusedError, match="not public"):
        order(result.client, "http://169.254.169.254/latest/")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/evidence/ev-none", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/matters", 405),
        ("POST", "/v1/matters", 422),
    ],
)
def test_every_error_is_a_problem_document(result: Result, method: str, path: str, status: int) -> None:
    url = f"http://127.0.0.1:{result.demo.api_port}{path}"
    key = {"Authorization": f"Bearer {result.demo.api_key}"}
    answer = httpx.request(method, url, headers=key, json={"secret": "not echoed"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"].startswith("urn:evidence-service:problem:")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "not echoed" not in answer.text


def test_without_a_key_nothing_is_answered(result: Result) -> None:
    url = f"http://127.0.0.1:{result.demo.api_port}/v1/evidence"
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.get(url, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_commands_tell_what_there_is_in_words_and_in_json(result: Result, tmp_path: Path) -> None:
    program = shutil.which("evidence", path=str(Path(sys.executable).parent))
    environment = {
        "EVIDENCE_API_URL": f"http://127.0.0.1:{result.demo.api_port}",
        "EVIDENCE_API_KEY": result.demo.api_key,
        "EVIDENCE_CONFIG": str(result.demo.settings_file),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(program), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr

    def fails(*arguments: str) -> str:
        return run(*arguments, code=2)

    assert result.evidence_id in run("status", "--limit", "10000", "--json")
    assert "PAdES B-LTA" in run("certificate", result.evidence_id, "-o", "c.pdf")
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF-")
    assert "evidence_id" in run("inspect", "c.pdf")
    (anchor,) = json.loads(run("anchors", "watch", result.evidence_id, "--timeout", "30", "--json"))
    assert (anchor["state"], anchor["chain_id"]) == ("sealed", 1337)
    assert anchor["batch"] in run("anchors", "list")
    assert anchor["transaction"] in run("anchors", "show", anchor["batch"], "--json")
    (checked,) = json.loads(run("chain", "check", "--json"))
    assert checked["problems"] == []
    assert [node["proves_state"] for node in checked["nodes"]] == [True]
    assert "contract 0x" in run("chain", "check")
    assert "no batch batch-999" in fails("anchors", "show", "batch-999")
    assert " 0 with problems" in run("fsck")
    told = json.loads(run("doctor", "--json"))
    assert told["sound"] and {part["state"] for part in told["parts"]} == {"ok"}
