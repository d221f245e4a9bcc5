"""An API that is told to end: what it has begun it finishes, and what it acknowledged is there."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from evidence_service.processes import accepts_connections, free_port
from tests.faults.fleet import Member, start
from tests.faults.workers import until
from tests.running import database

KEY = "drain key"


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    directory, port = Path(tmp_path_factory.mktemp("drain")), free_port()
    with database(directory) as url:
        keys = [{"actor": "agent", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}]
        environment = {
            "EVIDENCE_DATABASE_URL": url,
            "EVIDENCE_DATA_DIRECTORY": str(directory / "data"),
            "EVIDENCE_API_KEYS": json.dumps(keys),
            "EVIDENCE_API_PORT": str(port),
        }
        member = start("api", port, ["serve", "--no-worker"], environment, directory / "api.log")
        try:
            until(lambda: accepts_connections(port), "the API answers")
            yield member
        finally:
            member.process.kill()
            member.process.join()


def test_an_upload_under_way_is_finished_and_nothing_new_is_begun(api: Member) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{api.port}", headers=headers, trust_env=False) as http:
        matter = http.post("/v1/matters", json={"reference": "R", "applicant": "A"}).json()["id"]

        def body() -> Iterator[bytes]:
            yield b"first half, "
            os.kill(api.pid, signal.SIGTERM)
            until(lambda: not accepts_connections(api.port), "it accepts nobody any more")
            yield b"second half"

        answer = http.post("/v1/uploads", params={"matter_id": matter, "name": "note.txt"}, content=body())
    assert answer.status_code == 202
    assert (
        answer.json()["receipt"]["accepted"]["sha256"]
        == hashlib.sha256(b"first half, second half").hexdigest()
    )
    api.process.join(30)
    assert api.process.exitcode == 0
