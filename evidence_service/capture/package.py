"""What a capture leaves behind for other people's tools; the format is ``docs/spec/package.md``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path

from evidence_service.capture.cdxj import index_lines
from evidence_service.capture.certificates import chains_pem
from evidence_service.capture.exchange import Exchange, record_id
from evidence_service.capture.files import CapturedFile, CaptureFiles, HashingWriter, json_text, jsonl_text
from evidence_service.capture.har import write_har
from evidence_service.capture.masking import Secrets
from evidence_service.capture.original import write_encrypted
from evidence_service.capture.records import CaptureRecords
from evidence_service.capture.redaction import Budget, Change, Redaction, redact
from evidence_service.capture.wacz import Page, WaczWriter
from evidence_service.capture.warc import Block, Sink, WarcWriter

__all__ = ["Page", "Redaction", "Secrets", "write_package"]

WACZ = "capture.wacz"
ORIGINAL = "original.warc.gz.age"
_WARC = "data.warc.gz"
_OF_THE_PAGE = frozenset({"dom", "dom.frame", "mhtml"})
"""Roles of files that hold the page's own text, and with it whatever the page held."""


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
    redaction: Redaction | None = None,
) -> CapturedFile:
    """Write ``capture.wacz``: every exchange and every attachment, complete by itself.

    ``certificates.pem`` and ``exchanges.har`` are written beside it; the former is an attachment too, the
    latter only shows what the exchanges' records hold. With a redaction, the original goes into
    ``original.warc.gz.age``, secrets are masked in everything else, and ``redaction.json`` says where.

    Args:
        files: the capture's files; what is written here is registered with them.
        wire: the recorder's directory.
        capture: random id of the capture; all record ids follow from it.
        attachments: files of the capture that become records.
        written_at: in the formats' notation.

    Raises:
        MismatchError: stored bytes are no longer those that were received.
        ConfigurationError: the redaction's recipients are no age public keys.
    """
    attachments = [*attachments, *_chains(files, wire, exchanges)]

    def write(sink: Sink, items: Sequence[Exchange], documents: Sequence[CapturedFile]) -> CaptureRecords:
        records = CaptureRecords(WarcWriter(sink), capture, written_at)
        records.write_info(_WARC, software)
        for exchange in items:
            records.write_exchange(wire, exchange)
        for item in documents:
            digest = item.digest.sha256.hex()
            records.write_resource(item, Block.of_file(files.directory / item.path, sha256=digest))
        return records

    if redaction is not None:
        originals = attachments

        def write_original(sink: Sink) -> None:
            write(sink, exchanges, originals)

        encrypted = write_encrypted(files.directory / ORIGINAL, redaction.recipients, write_original)
        files.register(ORIGINAL, "application/age-encryption", "original.encrypted", encrypted)
        mask = redaction.secrets.mask_text
        page = Page(mask(page.url), mask(page.title), page.started_at)
        exchanges, attachments = _redact(files, wire, exchanges, attachments, capture, redaction)
    _har(files, wire, exchanges, page, software)
    size = sum(part.size for item in exchanges for part in (item.request, item.response) if part is not None)
    size += sum(item.digest.size for item in attachments)
    with WaczWriter(files.directory / WACZ, written_at) as wacz:
        with wacz.entry(f"archive/{_WARC}", stored=True, expected=size) as entry:
            records = write(entry, exchanges, attachments)
        with wacz.entry("indexes/index.cdx") as index:
            for line in index_lines(records.index, _WARC):
                index.write(line)
        digest_of_all = wacz.finish(page, software)
    return files.register(WACZ, "application/wacz", "package.wacz", digest_of_all)


def _redact(
    files: CaptureFiles,
    wire: Path,
    exchanges: Sequence[Exchange],
    attachments: Sequence[CapturedFile],
    capture: uuid.UUID,
    redaction: Redaction,
) -> tuple[list[Exchange], list[CapturedFile]]:
    """Exchanges and attachments as they are disclosed; masks files in their place, writes the mapping."""
    disclosed, records, documents, kept = [], [], [], []
    budget = Budget()
    for exchange in exchanges:
        found, changes = redact(wire, exchange, redaction, budget)
        disclosed.append(found)
        for side, change in changes.items():
            name = record_id(capture, exchange.id, side)
            records.append({"record": name, "exchange": exchange.id, "part": side, **change.to_json()})
    for item in attachments:
        data = (files.directory / item.path).read_bytes()
        change = Change(item.digest.sha256.hex())
        masked = _masked_file(item, data, redaction, change)
        if masked == data:
            kept.append(item)
            continue
        kept.append(files.replace(item, masked))
        change.redacted = kept[-1].digest.sha256.hex()
        name = record_id(capture, item.path, "resource")
        documents.append({"record": name, "path": item.path, **change.to_json()})
    mapping = {"format": "evidence-redaction/1", "records": records, "files": documents}
    kept.append(files.add_json("redaction.json", "redaction", mapping))
    return disclosed, kept


def _masked_file(item: CapturedFile, data: bytes, redaction: Redaction, change: Change) -> bytes:
    """A file as it is disclosed; ``data`` itself where nothing had to be masked."""
    secrets = redaction.secrets
    if item.role in _OF_THE_PAGE and not redaction.complete:
        change.how = "withheld"
        return b""
    # In a document of our own a secret must not tear what the format says: a status, a time.
    if item.media_type == "application/json":
        value = secrets.mask_json(json.loads(data), change.count)
        return json_text(value) if change.masked else data
    if item.media_type == "application/jsonl":
        lines = [secrets.mask_json(json.loads(line), change.count) for line in data.splitlines()]
        return jsonl_text(lines) if change.masked else data
    return b"".join(secrets.mask_stream((data,), change.count))


def _chains(files: CaptureFiles, wire: Path, exchanges: Sequence[Exchange]) -> list[CapturedFile]:
    pem = chains_pem(wire, exchanges)
    return [files.add("certificates.pem", "application/x-pem-file", "tls.chains", pem)] if pem else []


def _har(
    files: CaptureFiles, wire: Path, exchanges: Sequence[Exchange], page: Page, software: str
) -> CapturedFile:
    with HashingWriter(files.directory / "exchanges.har") as writer:
        write_har(writer, wire, exchanges, page=page, software=software)
        return files.register("exchanges.har", "application/json", "har", writer.close())
