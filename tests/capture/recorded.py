"""Exchanges as a package holds them, and a comparison with what the sample marketplace says it served."""

from __future__ import annotations

import gzip
import html
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import brotli

from evidence_service.capture.listing import Fact
from evidence_service.capture.listing.fact import fold
from evidence_service.capture.listing.tolerant_json import unescape
from evidence_service.sandbox.marketplace.log import ServedExchange


@dataclass(frozen=True, slots=True)
class Record:
    """One WARC record: its named fields in lower case, and its block."""

    fields: dict[str, str]
    block: bytes


def warcs(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every WARC of a capture's files, those within its WACZ included, by name."""
    for path in sorted(directory.glob("*.warc.gz")):
        yield path.name, path.read_bytes()
    for path in sorted(directory.glob("*.wacz")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith((".warc", ".warc.gz")):
                    yield f"{path.name}/{name}", archive.read(name)


def records(warc: bytes) -> Iterator[Record]:
    """Records in order, read by the grammar of ISO 28500 and nothing of the project's."""
    stream = io.BytesIO(gzip.decompress(warc) if warc[:2] == b"\x1f\x8b" else warc)
    while (version := stream.readline()) and version.strip():
        fields: dict[str, str] = {}
        while (line := stream.readline().rstrip(b"\r\n")) != b"":
            name, _, value = line.decode().partition(":")
            fields[name.lower()] = value.strip()
        block = stream.read(int(fields["content-length"]))
        assert stream.read(4) == b"\r\n\r\n"
        yield Record(fields, block)


def payload(block: bytes) -> bytes:
    """The body of a response, transfer and content codings removed, by the grammar of RFC 9112."""
    head, _, body = block.partition(b"\r\n\r\n")
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
    values = {name.strip(): value.strip() for name, _, value in fields}
    if values.get(b"transfer-encoding") == b"chunked":
        body, rest = b"", body
        while size := int(rest.partition(b"\r\n")[0].partition(b";")[0], 16):
            rest = rest.partition(b"\r\n")[2]
            body, rest = body + rest[:size], rest[size + 2 :]
    coding = values.get(b"content-encoding", b"")
    return {b"": bytes, b"gzip": gzip.decompress, b"deflate": zlib.decompress, b"br": brotli.decompress}[
        coding
    ](body)


def miscited(directory: Path, facts: dict[str, Fact]) -> list[str]:
    """Facts whose record does not exist, or does not hold their value in the bytes they cite."""
    _, warc = next(warcs(directory))
    blocks = {record.fields["warc-record-id"].strip("<>"): record.block for record in records(warc)}
    faults = []
    for name, fact in facts.items():
        if fact.record and fact.method != "comparison":
            body = payload(blocks[fact.record]) if fact.record in blocks else b""
            if fact.span is None or not says(body, fact):
                faults.append(f"{name} is not in bytes {fact.span} of {fact.record}")
    return faults


def says(body: bytes, fact: Fact) -> bool:
    """Whether the bytes a fact cites are its value, or its form in JSON or HTML; of a list, its JSON array."""
    assert fact.span is not None
    cut = body[slice(*fact.span)]
    for encoding in ("utf-8", "gb18030"):
        try:
            written = cut.decode(encoding)
        except UnicodeDecodeError:
            continue
        forms = {fold(form) for form in (written, html.unescape(written), unescape(written))}
        if written.startswith("["):
            forms.add(fold(" ".join(json.loads(written))))
        if fact.value in forms or any(
            form.startswith(fact.value) for form in forms if len(fact.value) == 1_000
        ):
            return True
    return False


def differing(directory: Path, served: list[ServedExchange], *, port: int, broken: bool) -> list[str]:
    """What the record and the server's log say differently, one line for each exchange.

    Args:
        port: of the server: other addresses are not its.
        broken: whether something is broken off on this page: a response may then be recorded up to there.
    """
    _, warc = next(warcs(directory))
    found = list(records(warc))
    waiting = list(served)
    faults = []
    for kind in ("response", "request"):
        waiting = list(served)
        for record in found:
            address = urlsplit(record.fields.get("warc-target-uri", "").strip("<>"))
            if record.fields["warc-type"] != kind or address.port != port:
                continue
            target = address.path + (f"?{address.query}" if address.query else "")
            match = next(
                (item for item in waiting if item.target == target and _same(kind, item, record, broken)),
                None,
            )
            if match is None:
                faults.append(f"{kind} of {target}: {len(record.block)} bytes that were not exchanged")
            else:
                waiting.remove(match)
        faults += [
            f"{kind} of {item.target}: not in the record"
            for item in waiting
            if item.response or kind == "request"
        ]
    return faults


def _same(kind: str, served: ServedExchange, record: Record, broken: bool) -> bool:
    full = bytes(served.response if kind == "response" else served.request)
    if record.block == full:
        return True
    # An upgraded connection goes on after its two heads; a broken one ends wherever it did.
    cut = broken or full.startswith(b"HTTP/1.1 101 ") or bytes(served.response).startswith(b"HTTP/1.1 101 ")
    return cut and len(record.block) > 0 and full.startswith(record.block)
