"""Uploads through the API: what was found is in the answer and on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evidence_service.api.routes import evidence
from evidence_service.cli import main
from evidence_service.service.preserve import capture
from tests.unit.api.conftest import Service
from tests.unit.api.test_conventions import check_problem
from tests.unit.importing import archives, test_wacz


def test_what_an_examination_found_is_shown(service: Service) -> None:
    data = archives.wacz(declare=test_wacz.altered)
    evidence_id = service.upload(data, name="page.wacz")["id"]
    assert service.http.get(f"/v1/evidence/{evidence_id}").json()["reasons"] == []
    capture(service.parts, evidence_id)
    view = service.http.get(f"/v1/evidence/{evidence_id}").json()
    assert (view["kind"], view["outcome"]) == ("upload", "received")
    (reason,) = view["reasons"]
    assert reason.startswith("error wacz.resource_hash_doubled")
    shown = CliRunner().invoke(main, ["status", evidence_id], env=service.environment)
    assert evidence_id in shown.stdout and f"  - {reason}" in shown.stdout
    as_json = CliRunner().invoke(main, ["status", evidence_id, "--json"], env=service.environment)
    assert json.loads(as_json.stdout)[0]["reasons"] == [reason]


def test_the_command_calls_an_upload_received(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("a note", encoding="utf-8")
    order = ["add", str(path), "--matter", service.matter, "--no-wait"]
    done = CliRunner().invoke(main, order, env=service.environment)
    assert done.exit_code == 0, done.output
    [evidence] = service.parts.records.list_evidence()
    assert evidence.status == "captured"
    assert done.stdout.splitlines()[0] == f"{evidence.id}  received"
    assert "captured" not in done.stdout


def test_a_large_file_is_downloaded_without_being_read_into_memory(service: Service) -> None:
    evidence_id = service.upload(b"content", name="a.bin")["id"]
    service.register(evidence_id)
    service.parts.objects.read = None  # type: ignore[method-assign, assignment]
    answer = service.http.get(f"/v1/evidence/{evidence_id}/files/a.bin")
    assert (answer.status_code, answer.content) == (200, b"content")


@pytest.mark.parametrize("body", [{"files": {"file": b"content"}}, {"data": {"file": "content"}}])
def test_a_form_is_not_taken_for_the_file_in_it(service: Service, body: dict[str, Any]) -> None:
    query = {"matter_id": service.matter, "name": "a.txt"}
    answer = service.http.post("/v1/uploads", params=query, **body)
    assert "--data-binary @FILE" in check_problem(answer, 415, "unsupported-media-type")["title"]
    assert service.http.get("/v1/evidence").json()["items"] == []
    sent = service.http.post(
        "/v1/uploads", params=query, content=b"x", headers={"Content-Type": "text/plain; charset=utf-8"}
    )
    [file] = service.parts.records.evidence(sent.json()["id"]).capture["files"]
    assert file["media_type"] == "text/plain"


def test_a_file_beyond_the_limit_is_refused_while_it_comes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "UPLOAD_LIMIT", 1000)
    service.upload(bytes(1000))
    answer = service.http.post(
        "/v1/uploads", params={"matter_id": service.matter, "name": "a.bin"}, content=bytes(1001)
    )
    assert "larger than 1000 bytes" in check_problem(answer, 413, "too-large")["title"]
    assert len(service.http.get("/v1/evidence").json()["items"]) == 1
