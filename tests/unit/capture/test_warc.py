"""The WARC holds what the recorder kept, and warcio agrees with its digests."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator

from evidence_service.capture.recorder import Recorder
from evidence_service.capture.warc import write_warc
from tests.unit.capture.recording.raw import RawServer, allowing, get, now
from tests.unit.capture.recording.test_verbatim import RESPONSES as ALL

# warcio fails on brotli, whose module has no Decompressor.unused_data.
RESPONSES = {path: data for path, data in ALL.items() if path != "/brotli"}


def test_the_warc_holds_the_same_bytes_and_warcio_accepts_it(tmp_path: Path) -> None:
    with (
        RawServer(RESPONSES) as server,
        Recorder(tmp_path / "r", allowing(server.port), now=now) as recorder,
    ):
        for path in RESPONSES:
            get(recorder, server.port, path)
    warc = tmp_path / "out.warc.gz"
    digest = write_warc(
        warc,
        tmp_path / "r",
        recorder.exchanges,
        written_at="2026-01-02T03:04:05.000Z",
        software="evidence-service",
    )
    assert digest.size == warc.stat().st_size
    program = Path(sys.executable).with_name("warcio")
    checked = subprocess.run([program, "check", "-v", warc], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert "failed" not in checked.stdout
    kinds: dict[str, int] = {}
    plain = gzip.decompress(warc.read_bytes())
    with warc.open("rb") as stream:
        for record in ArchiveIterator(io.BytesIO(stream.read()), no_record_parse=True):
            kinds[record.rec_type] = kinds.get(record.rec_type, 0) + 1
    assert kinds == {"warcinfo": 1, "response": len(RESPONSES), "request": len(RESPONSES)}
    for data in [*RESPONSES.values(), *server.requests]:
        assert data in plain
