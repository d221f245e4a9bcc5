"""``evidence register`` against a running service: only digests leave the machine."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evidence_service.cli import main, register_digests
from evidence_service.cli.client import ServiceClient
from evidence_service.core import receipt
from evidence_service.errors import ServiceUnavailableError
from tests.unit.api.conftest import Service
from tests.writes import failing


def run(service: Service, *arguments: str) -> Result:
    given = ["register", *arguments, "--matter", service.matter]
    return CliRunner().invoke(main, given, env=service.environment)


def results(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_files_are_hashed_here_and_their_content_is_never_sent(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sent: list[bytes] = []
    original = ServiceClient.call

    def call(self: ServiceClient, method: str, path: str, **request: Any) -> Any:
        sent.append(request.get("content", b""))
        return original(self, method, path, **request)

    monkeypatch.setattr(ServiceClient, "call", call)
    (tmp_path / "photos").mkdir()
    for name in ("photos/1.jpg", "photos/2.jpg"):
        Path(name).write_bytes(f"very secret {name}".encode())
    done = run(service, "photos/1.jpg", str(tmp_path / "photos" / "2.jpg"), "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert all(b"very secret" not in body for body in sent)
    rows = json.loads(done.stdout)["rows"]
    assert [row["name"] for row in rows] == ["photos/1.jpg", "2.jpg"]
    found = service.parts.registrations.some([row["evidence_id"] for row in rows])
    assert {item.sha256 for item in found.values()} == {
        hashlib.sha256(f"very secret photos/{number}.jpg".encode()).digest() for number in (1, 2)
    }
    [kept] = tmp_path.glob("registered.csv.rl-*.receipt.json")
    assert receipt.parse(kept.read_bytes())["accepted"]["digests"] == 2


def write_list(path: Path, count: int) -> Path:
    lines = ["Name,size,sha256,sha3_512"]
    for number in range(count):
        data = b"%d" % number
        lines.append(
            f"f{number},{len(data)},{hashlib.sha256(data).hexdigest().upper()},{hashlib.sha3_512(data).hexdigest()}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("landed", [False, True])
def test_the_same_command_goes_on_where_it_stopped(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    monkeypatch.setattr(register_digests, "PORTION", 2)
    monkeypatch.setattr("evidence_service.cli.patience._DELAYS", ())
    listed = write_list(tmp_path / "digests.csv", 5)
    with failing(monkeypatch, ServiceClient, "create", ServiceUnavailableError("away"), landed=landed):
        assert run(service, "--list", str(listed)).exit_code == 6
    path = tmp_path / "digests.csv.results.csv"
    assert [row["result"] for row in results(path)] == [""] * 5
    done = run(service, "--list", str(listed))
    assert done.exit_code == 0, done.output
    first = results(path)
    assert {row["result"] for row in first} == {"accepted"}
    assert run(service, "--list", str(listed)).exit_code == 0
    assert results(path) == first
    digests = [bytes.fromhex(row["sha256"]) for row in first]
    proofs = service.parts.within("o-default").proofs
    assert [len(proofs.of_digest("o-default", item, limit=9)) for item in digests] == [1] * 5


def test_a_bad_row_refuses_no_other_and_is_tried_again(service: Service, tmp_path: Path) -> None:
    listed = write_list(tmp_path / "digests.csv", 2)
    good = listed.read_text()
    listed.write_text(good.replace("f1,1,", "f1,one,"))
    done = run(service, "--list", str(listed))
    assert done.exit_code == 2
    assert "f1: refused: size: " in done.stderr
    listed.write_text(good)
    assert run(service, "--list", str(listed)).exit_code == 0


@pytest.mark.parametrize("words", ["no table", "name,size\na,1\n", "name,size,sha256,sha3_512\n"])
def test_what_is_no_table_of_digests_is_refused(service: Service, tmp_path: Path, words: str) -> None:
    (tmp_path / "digests.csv").write_text(words)
    done = run(service, "--list", str(tmp_path / "digests.csv"))
    assert (done.exit_code, "what to do: name the columns" in done.stderr) == (2, True)
    assert run(service).exit_code == 2
