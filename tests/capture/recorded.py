"""Exchanges as a package holds them, and a comparison with what the sample marketplace says it served."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

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
