"""The life of certificates in a running installation: other courts, successors, withdrawals, extended seals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evidence_service.cli import main
from tests.e2e.conftest import Result
from tests.running import order, wait


@dataclass
class Commands:
    """The command line of the installation, and a folder for what it writes."""

    result: Result
    folder: Path

    def run(self, *arguments: object, code: int = 0) -> Any:
        """The JSON document a command answers with."""
        environment = {
            "EVIDENCE_API_URL": f"http://127.0.0.1:{self.result.demo.api_port}",
            "EVIDENCE_API_KEY": self.result.demo.api_key,
        }
        done = CliRunner().invoke(main, [*map(str, arguments), "--json"], env=environment)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    def download(self, name: str, *arguments: str) -> Path:
        target = self.folder / f"{len(list(self.folder.iterdir()))}.pdf"
        command = ["certificate", "download", name, "--output", str(target), *arguments]
        environment = {
            "EVIDENCE_API_URL": f"http://127.0.0.1:{self.result.demo.api_port}",
            "EVIDENCE_API_KEY": self.result.demo.api_key,
        }
        done = CliRunner().invoke(main, command, env=environment)
        assert done.exit_code == 0, done.output
        return target

    def verify(self, *what: object, code: int = 0) -> dict[str, Any]:
        """The one report on some files, compared with the chain; nobody else is asked."""
        nodes = [item for url in self.result.demo.rpc_urls for item in ("--rpc", url)]
        document = self.run("verify", "--trust", self.result.trust, *nodes, *what, code=code)
        return dict(document["reports"][0])

    def status(self, pdf: Path, *, code: int = 0) -> dict[str, Any]:
        """The same with what the register says."""
        register = f"http://127.0.0.1:{self.result.demo.api_port}"
        return self.verify(pdf, "--register", register, code=code)


@pytest.fixture
def commands(result: Result, tmp_path: Path) -> Commands:
    return Commands(result, tmp_path)


def test_from_one_piece_of_evidence_through_every_status(commands: Commands) -> None:
    evidence_id = commands.result.evidence_id
    [first] = commands.run("certificate", "reissue", evidence_id, "--edition", "us-vt:en")
    old = commands.download(first["number"])
    report = commands.status(old)
    assert (report["verdict"], report["register"]["standing"]) == ("demonstration", "current")
    assert report["register"]["number"] == first["number"], "read from the seal"
    kept = commands.run("certificate", "list", "--evidence", evidence_id, "--status", "released")
    assert {"generic:en+zh", "us-vt:en"} <= {item["edition"] for item in kept}
    assert all("a demonstration, not evidence" in item["qualifications"][-1] for item in kept)

    [second] = commands.run(
        "certificate", "supersede", first["number"], "--reason", "for the appeal", "--edition", "us-vt:en"
    )
    report = commands.status(old, code=10)
    assert report["verdict"] == "demonstration", "its bytes hold as before"
    assert report["sentence"].startswith("SUPERSEDED since ")
    assert f"by {second['number']}: for the appeal" in report["sentence"]
    assert commands.verify(old)["exit_code"] == 0, "who does not ask is told nothing"

    new = commands.download(second["number"])
    commands.run("certificate", "withdraw", second["number"], "--reason", "the matter was settled")
    report = commands.status(new, code=10)
    assert (
        report["sentence"].startswith("WITHDRAWN since ") and "the matter was settled" in report["sentence"]
    )
    assert commands.verify(new)["verdict"] == "demonstration"
    assert commands.download(second["number"]).read_bytes() == new.read_bytes(), "it stays"

    purposes = [
        event["purpose"]
        for event in commands.result.client.call("GET", f"/v1/evidence/{evidence_id}/custody").json()
        if event["detail"].get("number") in (first["number"], second["number"])
    ]
    assert sorted(purposes) == [
        "issue a certificate",
        "issue a certificate",
        "register the digest of a certificate as evidence",
        "register the digest of a certificate as evidence",
        "supersede a certificate",
        "withdraw a certificate",
    ]


def test_a_certificate_that_was_changed_is_not_asked_about(commands: Commands, tmp_path: Path) -> None:
    data = bytearray(commands.result.pdf.read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / "changed.pdf"
    changed.write_bytes(data)
    assert "register" not in commands.status(changed, code=3)


def test_the_digest_of_a_certificate_is_anchored_and_proves_the_file(
    commands: Commands, tmp_path: Path
) -> None:
    client, evidence_id = commands.result.client, commands.result.evidence_id
    number = client.call("GET", f"/v1/evidence/{evidence_id}/certificate").json()["number"]
    [pdf] = commands.run("certificate", "show", number)["pdfs"][:1]
    client.call("POST", f"/v1/evidence/{pdf['evidence_id']}/anchor")
    view = wait(client, pdf["evidence_id"], lambda item: item["status"] == "anchored")
    assert (view["kind"], view["status"]) == ("digest", "anchored"), view
    bundle = tmp_path / "digest-bundle.json"
    bundle.write_bytes(client.call("GET", f"/v1/evidence/{pdf['evidence_id']}/bundle").content)
    report = commands.verify(bundle, commands.result.pdf)
    assert report["evidence"]["evidence_id"] == pdf["evidence_id"]
    assert report["verdict"] == "demonstration"
    assert [item["status"] for item in report["evidence"]["files"]] == ["unchanged"]


def test_a_seal_is_extended_and_both_files_verify(commands: Commands) -> None:
    evidence_id = commands.result.evidence_id
    [made] = commands.run("certificate", "reissue", evidence_id, "--edition", "eu:en")
    before = commands.download(made["number"])
    assert commands.run("certificate", "extend", "--due") == []
    [found] = commands.run("certificate", "extend", made["number"])
    first, second = found["pdfs"]
    assert second["level"] == found["level"] == "PAdES B-LTA"
    after = commands.download(made["number"])
    assert after.read_bytes().startswith(before.read_bytes())
    for path, level in ((before, first["level"]), (after, "PAdES B-LTA")):
        report = commands.status(path)
        assert (report["verdict"], report["evidence"]["seal"]["level"]) == ("demonstration", level)
        assert report["register"]["standing"] == "current"
    older = commands.download(made["number"], "--sha256", first["sha256"])
    assert older.read_bytes() == before.read_bytes()


def test_what_is_not_certified_says_why_and_one_that_is_qualified_says_it_too(commands: Commands) -> None:
    client, marketplace = commands.result.client, commands.result.demo.marketplace
    evidence_id = order(client, f"{marketplace.url}/fixtures/challenge-datadome")
    view = wait(client, evidence_id, lambda item: "refused" in item["progress"])
    assert (view["outcome"], view["status"]) == ("challenge", "anchored"), view
    assert (
        "certify refused: no certificate is issued: a proof of being human stood in place" in view["progress"]
    )
    assert commands.run("certificate", "list", "--evidence", evidence_id) == []
    done = CliRunner().invoke(
        main,
        ["certificate", "issue", evidence_id],
        env={
            "EVIDENCE_API_URL": f"http://127.0.0.1:{commands.result.demo.api_port}",
            "EVIDENCE_API_KEY": commands.result.demo.api_key,
        },
    )
    assert done.exit_code == 2 and "what to do: capture the listing again" in done.stderr
