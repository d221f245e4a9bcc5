"""What a capture leaves behind for other people's tools; the format is ``docs/spec/package.md``."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from evidence_service.capture.cdxj import index_lines
from evidence_service.capture.exchange import Exchange
from evidence_service.capture.files import CapturedFile, CaptureFiles
from evidence_service.capture.records import CaptureRecords
from evidence_service.capture.wacz import Page, WaczWriter
from evidence_service.capture.warc import Block, WarcWriter

__all__ = ["Page", "write_package"]

WACZ = "capture.wacz"
_WARC = "data.warc.gz"


def write_package(
    files: CaptureFiles,
    wire: Path,
    exchanges: Sequence[Exchange],
    *,
    capture: uuid.UUID,
    page: Page,
    attachments: Sequence[CapturedFile],
    written_at: str,
    software: str,
) -> CapturedFile:
    """Write ``capture.wacz``: every exchange and every attachment, complete by itself.

    Args:
        files: the capture's files; what is written here is registered with them.
        wire: the recorder's directory.
        capture: random id of the capture; all record ids follow from it.
        attachments: files of the capture that become records.
        written_at: in the formats' notation.

    Raises:
        MismatchError: stored bytes are no longer those that were received.
    """
    size = sum(part.size for item in exchanges for part in (item.request, item.response) if part is not None)
    size += sum(item.digest.size for item in attachments)
    with WaczWriter(files.directory / WACZ, written_at) as wacz:
        with wacz.entry(f"archive/{_WARC}", stored=True, expected=size) as entry:
            records = CaptureRecords(WarcWriter(entry), capture, written_at)
            records.write_info(_WARC, software)
            for exchange in exchanges:
                records.write_exchange(wire, exchange)
            for item in attachments:
                digest = item.digest.sha256.hex()
                records.write_resource(item, Block.of_file(files.directory / item.path, sha256=digest))
        with wacz.entry("indexes/index.cdx") as index:
            for line in index_lines(records.index, _WARC):
                index.write(line)
        digest_of_all = wacz.finish(page, software)
    return files.register(WACZ, "application/wacz", "package.wacz", digest_of_all)
