"""What was uploaded is examined once, before it is sealed, and the result is sealed with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core import manifest
from evidence_service.errors import MismatchError, NotFoundError
from evidence_service.importing.findings import Examination, Finding
from evidence_service.service import examine
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import capture, describe_upload, record_order, seal_manifest
from evidence_service.store.records import Matter
from tests.running import empty
from tests.unit.importing import archives, test_wacz

ID = "ev-0000000000000001"


@pytest.fixture
def parts(engine: Engine, tmp_path: Path) -> Iterator[Parts]:
    empty(engine)
    found = bootstrap.parts(Settings(data_directory=tmp_path, purpose="demonstration"), engine)
    found.records.add_matter(Matter("m-1", "REF/1", "Example Brand Ltd", (), found.now()))
    yield found


def upload(parts: Parts, data: bytes, name: str = "page.wacz", media_type: str = "application/wacz") -> None:
    parts.records.add_evidence(
        evidence_id=ID,
        matter_id="m-1",
        kind="upload",
        url=None,
        operator="agent",
        certificate_wanted=False,
        created_at=parts.now(),
        capture=describe_upload(parts, name, media_type, parts.objects.put_bytes(data)),
    )
    record_order(parts, ID)


def sealed(parts: Parts) -> dict[str, Any]:
    capture(parts, ID)
    seal_manifest(parts, ID)
    return manifest.parse(parts.records.evidence(ID).manifest or b"")


def test_the_result_is_a_file_of_the_manifest(parts: Parts) -> None:
    data = archives.wacz(declare=test_wacz.altered)
    upload(parts, data)
    value = sealed(parts)
    first, second = value["files"]
    assert [(item["path"], item["role"]) for item in (first, second)] == [
        ("examination.json", "examination"),
        ("page.wacz", "uploaded"),
    ]
    assert (value["kind"], value["outcome"]["status"]) == ("upload", "received")
    (reason,) = value["outcome"]["reasons"]
    assert reason.startswith("error wacz.resource_hash_doubled (archive/data.warc.gz): the declared hash")
    result = json.loads(parts.objects.read(bytes.fromhex(first["sha256"])))
    assert result["file"] == {"path": "page.wacz", "sha256": second["sha256"]}
    assert (result["format"], result["kind"]) == ("evidence-examination/1", "wacz")
    received = next(item for item in parts.records.custody(ID) if item["action"] == "receive")
    assert received["detail"]["examination"] == "examined as wacz: 1 error" == value["tool"]["examination"]


def test_the_media_type_is_that_of_the_content(parts: Parts) -> None:
    upload(parts, archives.warc(), "page.pdf", "application/pdf")
    value = sealed(parts)
    assert value["files"][1]["media_type"] == "application/warc"
    assert [reason.split()[1] for reason in value["outcome"]["reasons"]] == ["type.declared:", "type.name:"]


def test_what_is_not_examined_is_said_to_be(parts: Parts) -> None:
    upload(parts, b"text", "note.txt", "text/plain")
    value = sealed(parts)
    assert value["outcome"] == {"status": "received", "reasons": ["not examined (text/plain)"]}
    assert value["files"][1]["media_type"] == "text/plain"


def test_it_is_done_once_and_the_first_stays(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(parts, archives.warc(), "a.warc.gz")
    before = parts.records.evidence(ID)
    first = examine.examine_upload(parts, before)
    monkeypatch.setattr(examine, "examine", lambda *_: Examination("unknown", "a/b"))
    # A second worker that had not seen the first one's result.
    assert examine.examine_upload(parts, before).capture == first.capture
    capture(parts, ID)
    capture(parts, ID)
    assert parts.records.evidence(ID).capture == first.capture
    assert [item["action"] for item in parts.records.custody(ID)] == ["order", "receive", "store"]


def test_an_examination_that_breaks_down_keeps_nothing_out(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Examination("unknown", "a/b", {}, (Finding("error", "unfinished", "", "it did not finish"),))
    monkeypatch.setattr(examine, "examine", lambda *_: broken)
    upload(parts, b"text", "note.txt")
    assert sealed(parts)["outcome"]["reasons"] == ["error unfinished: it did not finish"]


@pytest.mark.parametrize("name", ["examination.json", "Examination.JSON", "examination.json/a"])
def test_an_upload_may_have_the_name_of_the_result(name: str, parts: Parts) -> None:
    upload(parts, b"{}", name, "application/json")
    assert [item["path"] for item in sealed(parts)["files"]] == [name, f"{name}.examination.json"]


def test_more_findings_than_there_is_room_for(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = tuple(Finding("error", "trailing", f"{number}", "x" * 500) for number in range(60))
    monkeypatch.setattr(examine, "examine", lambda *_: Examination("warc", "application/warc", {}, findings))
    upload(parts, archives.warc(), "a.warc.gz")
    reasons = sealed(parts)["outcome"]["reasons"]
    assert (len(reasons), reasons[-1]) == (50, "11 more are in examination.json")


@pytest.mark.parametrize("media_type", ["", "x", "text/plain\u00e9", "a" * 300 + "/b", "no type"])
def test_an_announcement_that_is_no_media_type_is_not_kept(media_type: str, parts: Parts) -> None:
    upload(parts, b"text", "note", media_type)
    assert sealed(parts)["files"][1]["media_type"] == "application/octet-stream"


def test_a_file_is_hashed_again_before_it_is_examined(parts: Parts) -> None:
    upload(parts, b"text", "note.txt")
    digest = bytes.fromhex((parts.records.evidence(ID).capture or {})["files"][0]["sha256"])
    path = parts.objects.path(digest)
    path.chmod(0o600)
    path.write_bytes(b"Text")
    with pytest.raises(MismatchError, match="changed on disk"):
        capture(parts, ID)
    path.unlink()
    with pytest.raises(NotFoundError, match="is stored"):
        capture(parts, ID)
