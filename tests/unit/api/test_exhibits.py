"""Exhibits over the API: ordered, made, shown and downloaded; the plan is in no answer."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evidence_service.cli import main
from evidence_service.errors import RefusedError
from evidence_service.service.exhibit import build
from tests.running import repeating
from tests.unit.api.conftest import Service

SECRET = "13800138000"
ORDER: dict[str, Any] = {
    "for": "opponent",
    "recipient": "Kanzlei Muster",
    "redact": {"texts": [{"text": SECRET}], "without_certificate": True},
}


def sealed(service: Service, content: bytes = b"call 13800138000") -> str:
    query = {"matter_id": service.matter, "name": "note.txt", "certificate": "false"}
    headers = {"Content-Type": "text/plain"}
    answer = service.http.post("/v1/uploads", params=query, content=content, headers=headers)
    evidence_id = str(answer.json()["id"])
    service.register(evidence_id)
    return evidence_id


def ordered(service: Service, evidence_id: str, **more: Any) -> Any:
    answer = service.http.post(f"/v1/evidence/{evidence_id}/exhibit", json={**ORDER, **more})
    assert answer.status_code == 202, answer.text
    assert SECRET not in answer.text
    return answer.json()


def test_an_exhibit_is_ordered_made_and_downloaded(service: Service, tmp_path: Path) -> None:
    evidence_id = sealed(service)
    view = ordered(service, evidence_id)
    assert (view["status"], view["files"]) == ("ordered", [])
    early = service.http.get(f"/v1/exhibits/{view['id']}/exhibit.zip")
    assert (early.status_code, early.json()["type"].rsplit(":", 1)[1]) == (409, "conflict")
    build(service.parts, view["id"])
    made = service.http.get(f"/v1/exhibits/{view['id']}").json()
    assert made["status"] == "made"
    assert [(item["path"], item["treatment"], item["count"]) for item in made["files"]] == [
        ("note.txt", "masked_text", 1)
    ]
    for _ in range(2):
        answer = service.http.get(f"/v1/exhibits/{view['id']}/exhibit.zip")
        assert hashlib.sha256(answer.content).hexdigest() == made["sha256"]
        assert f'filename="{view["id"]}.zip"' in answer.headers["content-disposition"]
    log = service.http.get(f"/v1/evidence/{evidence_id}/custody").json()
    assert [item["action"] for item in log][-3:] == ["redact", "export", "copy"]
    assert log[-1]["after"] == made["sha256"]
    assert SECRET not in json.dumps(log)


def test_several_pieces_of_evidence_in_one(service: Service) -> None:
    first, second = sealed(service, b"one"), sealed(service, b"two")
    answer = service.http.post("/v1/exhibits", json={**ORDER, "redact": {"without_certificate": True}, "evidence": [second, first, second]})  # fmt: skip
    assert answer.json()["evidence"] == [second, first]


def test_the_same_key_orders_once(service: Service) -> None:
    evidence_id = sealed(service)
    headers = {"Idempotency-Key": "one"}
    first, again = (
        service.http.post(f"/v1/evidence/{evidence_id}/exhibit", json=ORDER, headers=headers).json()
        for _ in range(2)
    )
    assert first["id"] == again["id"]
    assert service.parts.exhibits.ordered(9) == [first["id"]]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"for": "press"}, 422),
        ({"recipient": ""}, 422),
        ({"recipient": "two\nlines"}, 422),
        ({"redact": {"texts": [{"text": "short"}]}}, 422),
        ({"redact": {"withheld": [{"path": "other.txt"}], "without_certificate": True}}, 422),
        ({"redact": {}}, 404),
        ({"more": 1}, 422),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(service: Service, change: dict, status: int) -> None:
    answer = service.http.post(f"/v1/evidence/{sealed(service)}/exhibit", json={**ORDER, **change})
    assert answer.status_code == status, answer.text
    assert service.parts.exhibits.ordered(9) == []


def test_what_is_not_there_is_not_found(service: Service) -> None:
    assert service.http.get("/v1/exhibits/ex-none").status_code == 404
    assert service.http.post("/v1/evidence/ev-none/exhibit", json=ORDER).status_code == 404


@contextmanager
def worker(service: Service) -> Iterator[None]:
    """Makes what is ordered while the block lasts, as the worker does."""

    def work() -> None:
        for exhibit_id in service.parts.exhibits.ordered(9):
            try:
                build(service.parts, exhibit_id)
            except RefusedError as error:
                service.parts.exhibits.refuse(exhibit_id, error.message, error.what_to_do)

    with repeating(work):
        yield


def command(service: Service, *arguments: str) -> Result:
    fixed = ("exhibit", "--for", "court", "--recipient", "Landgericht Hamburg")
    with worker(service):
        return CliRunner().invoke(main, [*fixed, *arguments], env=service.environment)


def test_the_command_writes_the_package_and_says_what_became_of_each_file(
    service: Service, tmp_path: Path
) -> None:
    evidence_id, target = sealed(service), tmp_path / "e.zip"
    (tmp_path / "plan.json").write_text(json.dumps({"texts": [{"text": SECRET}], "approved_by": "Counsel"}))
    plan = ("--redact", str(tmp_path / "plan.json"), "--without-certificate", "-o", str(target))
    done = command(service, evidence_id, *plan, "--mask", "nobody at all")
    assert done.exit_code == 0, done.output
    assert "masked text" in done.output and SECRET not in done.output
    with zipfile.ZipFile(target) as archive:
        assert archive.read(f"evidence/{evidence_id}/redacted/note.txt") == b"call 99999999999"
    assert not list(tmp_path.glob("*.part"))
    document = json.loads(command(service, evidence_id, *plan, "--json").stdout)
    assert document["status"] == "made"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mask-area", "a.png:1,2,3"), "--mask-area takes FILE:x,y,width,height"),
        (("--mask-area", "1,2,3,4"), "--mask-area takes"),
        (("--mask-area", "note.txt:0,0,1,1"), "note.txt cannot be opened as a PNG picture"),
        (("--withhold", "nothing.txt"), "has a file nothing.txt"),
        (("--mask", "Test SA agency", "--mask", "short"), "text 2 of the plan has less than 6 bytes"),
        (("--mask-pattern", "("), "is no regular expression"),
        (("--mask", "evidence-service"), "accept each by its name"),
        (("--redact", "NOT JSON"), "is not JSON"),
        (("--redact", "A LIST"), "is no redaction plan"),
    ],
)
def test_the_command_says_why_there_is_no_exhibit(
    service: Service, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    for name, content in (("NOT JSON", "{"), ("A LIST", "[]")):
        (tmp_path / name).write_text(content)
    given = [str(tmp_path / item) if (tmp_path / item).is_file() else item for item in arguments]
    target = tmp_path / "e.zip"
    done = command(service, sealed(service), "--without-certificate", "-o", str(target), *given)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
    assert not target.exists()


def test_a_package_that_arrives_changed_is_not_kept(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence_service.cli.client.ServiceClient.download", lambda *_: "00" * 32)
    target = tmp_path / "e.zip"
    done = command(service, sealed(service), "--without-certificate", "-o", str(target))
    assert done.exit_code == 3
    assert "did not arrive as it was made" in done.output
    assert not target.exists()
