"""``evidence receipt`` and ``evidence anchor`` against a running service, and with files alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_service.cli import main
from tests.unit.api.conftest import Service

NOBODY = {"EVIDENCE_API_URL": "http://127.0.0.1:9", "EVIDENCE_API_KEY": "x"}


def run(environment: Mapping[str, str], *arguments: object, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], env=environment, input=stdin)


def judged(environment: Mapping[str, str], *arguments: object, stdin: bytes = b"") -> dict[str, Any]:
    done = run(environment, "receipt", "--json", *arguments, stdin=stdin)
    document = dict(json.loads(done.stdout))
    assert document["exit_code"] == done.exit_code
    return document


@pytest.fixture
def recent(service: Service) -> Service:
    """The service's clock shows today: the command judges by the real time."""
    service.clock.now = datetime.now(UTC)
    return service


class Given:
    """What somebody keeps of an upload: receipt, key, and the bundle of a batch closed in time."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.id = service.upload()["id"]
        self.receipt, self.key, self.early, self.bundle = (
            folder / name for name in ("receipt.json", "key.pem", "early.json", "bundle.json")
        )
        self.receipt.write_bytes(service.http.get(f"/v1/evidence/{self.id}/receipt").content)
        self.key.write_bytes(service.http.get("/v1/receipt-key").content)
        self.register, self.service = service.register, service

    def close(self) -> None:
        self.register(self.id)
        self.early.write_bytes(self.service.http.get(f"/v1/evidence/{self.id}/bundle").content)
        self.service.clock.forward(60)
        closed = self.service.parts.batches.close_due(self.service.parts.batching, now=self.service.clock.now)
        assert closed is not None
        self.bundle.write_bytes(self.service.http.get(f"/v1/evidence/{self.id}/bundle").content)


@pytest.fixture
def given(recent: Service, tmp_path: Path) -> Given:
    folder = tmp_path / "given"
    folder.mkdir()
    return Given(recent, folder)


def test_pending_then_kept_asked_from_the_service(given: Given) -> None:
    environment = given.service.environment
    found = judged(environment, given.id)
    assert (found["exit_code"], found["promise"]["status"]) == (5, "pending")
    given.close()
    found = judged(environment, given.id)
    assert (found["exit_code"], found["promise"]["status"]) == (0, "pass")
    assert found["signature"]["status"] == "pass"
    assert judged(environment, given.receipt, "--key", given.key)["exit_code"] == 0
    assert judged(environment, "-", stdin=given.receipt.read_bytes())["exit_code"] == 0
    words = run(environment, "receipt", given.id).stdout
    assert "signature: pass" in words
    assert "batch 1 was closed at" in words


def test_files_alone_need_no_service(given: Given) -> None:
    given.close()
    key, bundle = ("--key", given.key), ("--bundle", given.bundle)
    assert judged(NOBODY, given.receipt, *key, *bundle)["exit_code"] == 0
    assert judged(NOBODY, given.receipt, *key, "--bundle", given.early)["exit_code"] == 5
    assert judged(NOBODY, given.receipt, *key)["exit_code"] == 5, "the promised time has not come yet"
    without_key = judged(NOBODY, given.receipt, *bundle)
    assert (without_key["exit_code"], without_key["signature"]["status"]) == (6, "not_checked")
    assert "does not answer" in without_key["signature"]["why"]


def test_a_changed_receipt_is_invalid_and_another_key_untrusted(given: Given, tmp_path: Path) -> None:
    given.close()
    changed = tmp_path / "changed.json"
    changed.write_bytes(given.receipt.read_bytes().replace(b"note.txt", b"vote.txt"))
    found = judged(NOBODY, changed, "--key", given.key)
    assert (found["exit_code"], found["signature"]["status"]) == (3, "fail")
    other = tmp_path / "other.pem"
    public = Ed25519PrivateKey.generate().public_key()
    other.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    found = judged(NOBODY, given.receipt, "--key", other, "--bundle", given.bundle)
    assert (found["exit_code"], found["signature"]["status"]) == (4, "not_checked")
    assert run(NOBODY, "receipt", given.receipt, "--key", given.receipt).exit_code == 3
    changed.write_bytes(given.receipt.read_bytes().replace(b"note.txt", b"\\u001b[2Jnote"))
    assert "\x1b" not in run(NOBODY, "receipt", changed, "--key", given.key).stdout


def test_a_late_batch_and_a_missing_one_break_the_promise(service: Service, tmp_path: Path) -> None:
    """The service's clock stands at the beginning of the year: every promise is long due."""
    given = Given(service, tmp_path)
    found = judged(service.environment, given.id)
    assert (found["exit_code"], found["promise"]["status"]) == (3, "fail")
    assert "in no batch although" in found["promise"]["why"]
    assert judged(NOBODY, given.receipt, "--key", given.key)["exit_code"] == 6
    service.clock.forward(600)
    given.close()
    found = judged(service.environment, given.id)
    assert (found["exit_code"], found["promise"]["status"]) == (3, "fail")
    assert "was closed at 2026-01-02T03:15:05.678Z" in found["promise"]["why"]


def test_a_bundle_of_other_evidence_is_named(given: Given, tmp_path: Path) -> None:
    given.close()
    (tmp_path / "second").mkdir()
    second = Given(given.service, tmp_path / "second")
    found = judged(NOBODY, second.receipt, "--key", given.key, "--bundle", given.bundle)
    assert (found["exit_code"], found["promise"]["status"]) == (3, "fail")
    assert "do not belong together" in found["promise"]["why"]


def test_what_cannot_be_used_is_refused_in_words(given: Given, tmp_path: Path) -> None:
    environment = given.service.environment
    done = run(environment, "receipt", "no/such file")
    assert (done.exit_code, "neither a file nor the id" in done.stderr) == (2, True)
    done = run(environment, "receipt", "ev-unknown-1")
    assert (done.exit_code, "no evidence ev-unknown-1" in done.stderr) == (2, True)
    (tmp_path / "junk").write_bytes(b"{}")
    assert run(environment, "receipt", tmp_path / "junk").exit_code == 3
    (tmp_path / "newer").write_bytes(
        given.receipt.read_bytes().replace(b"evidence-receipt/1", b"evidence-receipt/2")
    )
    assert run(environment, "receipt", tmp_path / "newer").exit_code == 8
    (tmp_path / "large").write_bytes(bytes(100_000))
    assert run(environment, "receipt", tmp_path / "large").exit_code == 9


def test_a_receipt_of_another_service_is_not_called_broken(given: Given) -> None:
    data = given.receipt.read_bytes().replace(given.id.encode(), b"ev-of-another-house")
    found = judged(given.service.environment, "-", stdin=data)
    assert found["signature"]["status"] == "fail"
    assert found["promise"]["status"] == "not_checked"
    assert "there is no evidence" in found["promise"]["why"]


def test_the_receipt_is_written_where_it_is_wanted(given: Given, tmp_path: Path) -> None:
    run(given.service.environment, "receipt", given.id, "--output", tmp_path / "kept.json")
    assert (tmp_path / "kept.json").read_bytes() == given.receipt.read_bytes()


def test_anchor_makes_evidence_urgent(given: Given) -> None:
    done = run(given.service.environment, "anchor", "--json", given.id)
    assert done.exit_code == 0
    assert json.loads(done.stdout)[0]["id"] == given.id
    assert given.service.parts.records.evidence(given.id).urgent


def test_the_how_tos_check_without_our_software_works(given: Given) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/check-a-receipt.md").read_text()
    script = page.split("```sh\n")[2].split("```")[0]
    given.key.rename(given.key.with_name("receipt-key.pem"))
    done = subprocess.run(
        ["bash", "-ec", script], cwd=given.receipt.parent, capture_output=True, text=True, check=True
    )
    assert "Signature Verified Successfully" in done.stdout
    given.receipt.write_bytes(given.receipt.read_bytes().replace(b"note.txt", b"vote.txt"))
    changed = subprocess.run(
        ["bash", "-ec", script], cwd=given.receipt.parent, capture_output=True, check=False
    )
    assert changed.returncode != 0
