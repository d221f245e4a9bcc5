"""Anchor now, and all proofs of a batch, over the API."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import Engine

from evidence_service.cli import main
from evidence_service.core import batch, merkle
from evidence_service.core.digest import digest_of
from evidence_service.store.closing import Due
from tests.unit.api.conftest import Service


def close(service: Service) -> str | None:
    closed = service.parts.batches.close_due(service.parts.batching, now=service.clock.now)
    return None if closed is None else closed.id


def test_anchor_now_closes_the_batch_whatever_the_timers_say_and_may_be_repeated(service: Service) -> None:
    evidence_id = service.upload()["id"]
    service.register(evidence_id)
    assert close(service) is None
    for _ in range(2):
        answer = service.http.post(f"/v1/evidence/{evidence_id}/anchor")
        assert answer.status_code == 202
        assert answer.json()["id"] == evidence_id
    assert close(service) == "batch-1"
    assert service.http.post(f"/v1/evidence/{evidence_id}/anchor").json()["batch"] == "batch-1"
    assert close(service) is None
    assert service.http.post("/v1/evidence/ev-unknown-1/anchor").status_code == 404


def test_an_urgent_upload_closes_its_batch_as_soon_as_it_is_registered(service: Service) -> None:
    evidence_id = service.upload(urgent=True)["id"]
    assert close(service) is None
    service.register(evidence_id)
    assert close(service) == "batch-1"


def test_all_proofs_of_a_batch_are_streamed_as_lines(service: Service) -> None:
    for number in range(7):
        service.register(service.upload(b"content %d" % number)["id"])
    closed = service.parts.batches.close_due(Due(service.parts.batching.age, 7), now=service.clock.now)
    assert closed is not None
    answer = service.http.get("/v1/batches/batch-1/proofs")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["index"] for line in lines] == list(range(7))
    root = batch.header_root(json.loads(closed.header))
    for line, evidence_id in zip(lines, service.parts.batches.members("batch-1"), strict=True):
        item = service.parts.records.evidence(evidence_id)
        digest = digest_of(item.manifest or b"")
        assert line["sha256"] == digest.sha256.hex()
        merkle.verify_inclusion(
            batch.entry_leaf(digest, item.salt or b""),
            index=line["index"],
            size=7,
            path=[bytes.fromhex(node) for node in line["path"]],
            root=root,
        )


def test_an_unknown_batch_is_named_before_anything_is_sent(service: Service) -> None:
    answer = service.http.get("/v1/batches/batch-9/proofs")
    assert answer.status_code == 404
    assert answer.json()["title"] == "there is no batch batch-9"
    assert service.http.get("/v1/batches/batch-9/proofs", headers={"Authorization": ""}).status_code == 401


def test_fsck_names_a_damaged_tree_file_which_the_next_proof_heals(
    service: Service, engine: Engine, tmp_path: Path
) -> None:
    for number in range(3):
        service.register(service.upload(b"content %d" % number)["id"])
    service.clock.forward(60)
    assert close(service) == "batch-1"
    (file,) = (tmp_path / "trees").iterdir()
    environment = {
        "EVIDENCE_DATA_DIRECTORY": str(tmp_path),
        "EVIDENCE_DATABASE_URL": engine.url.render_as_string(hide_password=False),
    }

    def fsck() -> tuple[int, str]:
        done = CliRunner().invoke(main, ["fsck"], env=environment)
        return done.exit_code, done.stdout

    code, words = fsck()
    assert (code, words.split(",")[0], words.split(", ")[-1]) == (
        0,
        "3 pieces of evidence",
        "0 with problems\n",
    )
    whole = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    code, words = fsck()
    assert code == 3
    assert "batch-1 (closed): level 1 of the stored tree is not made of the level below it" in words
    last = service.parts.operations.last_fsck()
    assert last is not None and (last.problems, last.examined >= 4) == (1, True)
    assert file.read_bytes() == whole
    assert fsck()[0] == 0
    last = service.parts.operations.last_fsck()
    assert last is not None and last.problems == 0
