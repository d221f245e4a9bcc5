"""The package holds what the recorder kept, and other people's tools agree with its digests."""

from __future__ import annotations

import gzip
import io
import uuid
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator

from evidence_service.capture.files import CaptureFiles
from evidence_service.capture.package import Page, write_package
from evidence_service.capture.recorder import Recorder
from tests.capture.oracles import check_wacz
from tests.unit.capture.recording.raw import RawServer, allowing, get, now
from tests.unit.capture.recording.test_verbatim import RESPONSES

NOW = "2026-01-02T03:04:05.000Z"


def test_recorded_bytes_are_in_the_package_and_other_tools_accept_it(tmp_path: Path) -> None:
    with (
        RawServer(RESPONSES) as server,
        Recorder(tmp_path / "r", allowing(server.port), now=now) as recorder,
    ):
        for path in RESPONSES:
            get(recorder, server.port, path)
    files = CaptureFiles(tmp_path / "c")
    wacz = write_package(
        files,
        tmp_path / "r",
        recorder.exchanges,
        capture=uuid.UUID(int=7),
        page=Page("http://127.0.0.1/", "Title", NOW),
        attachments=[files.add_json("environment.json", "environment", {})],
        written_at=NOW,
        software="evidence-service",
    )
    warc = check_wacz(files.directory / wacz.path, tmp_path)
    kinds: dict[str, int] = {}
    plain = gzip.decompress(warc.read_bytes())
    for record in ArchiveIterator(io.BytesIO(warc.read_bytes()), no_record_parse=True):
        kinds[record.rec_type] = kinds.get(record.rec_type, 0) + 1
    count = len(RESPONSES)
    assert kinds == {"warcinfo": 1, "response": count, "request": count, "metadata": count, "resource": 1}
    for data in [*RESPONSES.values(), *server.requests]:
        assert data in plain
