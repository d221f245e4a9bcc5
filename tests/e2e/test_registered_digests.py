"""Digests registered in bulk in a running installation: no time stamps of their own, proved through their batch."""

from __future__ import annotations

import hashlib
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence_service.core import batch, bundle
from evidence_service.core.digest import digest_of
from evidence_service.errors import NotFoundError
from evidence_service.store.postgres import EmbeddedPostgres, connect
from evidence_service.store.records import Records
from tests.digests import enter_digests
from tests.e2e.conftest import Result
from tests.e2e.test_main_job import evidence
from tests.e2e.test_verify_without_us import PAGE, authorities
from tests.running import wait


@pytest.fixture(scope="module")
def registered(result: Result) -> list[dict[str, Any]]:
    """Two digests as the client sees them in the end: of a file nobody has, and of one that is stored here."""
    view = result.client.call("GET", f"/v1/evidence/{result.evidence_id}").json()
    digests = [digest_of(b"with its owner"), digest_of((result.files / "screenshot.png").read_bytes())]
    server = EmbeddedPostgres(result.demo.directory / "data" / "postgres")
    engine = connect(server.url)
    matter = Records(engine).matter(view["matter_id"])
    found = enter_digests(engine, matter, digests, now=datetime.now(UTC), urgent=True)
    engine.dispose()
    server.stop()
    return [wait(result.client, item, lambda seen: seen["status"] == "anchored") for item in found]


def test_they_are_anchored_and_verify_without_network(
    result: Result, registered: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert [(item["status"], item["kind"]) for item in registered] == [("anchored", "digest")] * 2
    [first, _] = registered
    data = result.client.call("GET", f"/v1/evidence/{first['id']}/bundle").content
    value = bundle.parse(data)
    assert {item["of"] for item in value["timestamps"]} == {"batch_header"}
    assert [event["action"] for event in value["custody"]] == ["register", "seal", "anchor"]
    (tmp_path / "bundle.json").write_bytes(data)
    (tmp_path / "file").write_bytes(b"with its owner")
    known = bundle.parse(result.bundle.read_bytes())["anchors"]
    result.demo.write_trust([*known, *value["anchors"]])
    code, [report] = evidence(
        "verify", "--offline", "--json", "--trust", result.trust, tmp_path / "bundle.json", tmp_path / "file"
    )
    words = {check["id"]: check["why"] for check in report["checks"]}
    assert (code, report["verdict"]) == (0, "demonstration"), words
    assert "its time is proved through the batch" in words["4.1"]
    assert words["4.2"].startswith("stamped through the batch by ")
    assert [item["status"] for item in report["evidence"]["files"]] == ["unchanged"]


def test_one_is_verified_with_tools_of_others(
    result: Result, registered: list[dict[str, Any]], tmp_path: Path
) -> None:
    """The commands of the page for digests, then those from the manifest to the commitment."""
    data = result.client.call("GET", f"/v1/evidence/{registered[0]['id']}/bundle").content
    (tmp_path / "bundle.json").write_bytes(data)
    (tmp_path / "authority.pem").write_bytes(authorities(result.trust))
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    output = ""
    for block in (
        next(item for item in blocks if "batch-header-*.tst" in item),
        next(item for item in blocks if "EVENTRY" in item),
    ):
        done = subprocess.run(
            ["bash", "-e", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        output += done.stdout + done.stderr
    assert output.count("Verification: OK") == 2
    header = bundle.header_bytes(bundle.parse(data))
    assert f"commitment {batch.commitment(header).hex()}" in output
    assert (tmp_path / "manifest.json").read_bytes() == bundle.manifest_bytes(bundle.parse(data))


def test_no_bytes_are_given_for_a_digest_though_they_are_here(
    result: Result, registered: list[dict[str, Any]]
) -> None:
    """Another may have stored them: knowing a digest is no right to the file."""
    [_, second] = registered
    [file] = result.client.call("GET", f"/v1/evidence/{second['id']}/files").json()
    data = (result.files / "screenshot.png").read_bytes()
    assert file["sha256"] == hashlib.sha256(data).hexdigest()
    with pytest.raises(NotFoundError, match="the digest alone was registered"):
        result.client.call("GET", f"/v1/evidence/{second['id']}/files/{file['path']}")
