"""What a capture recorded of a web server, beside what that server itself says: its log and its files."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit
from zlib import decompress

from PIL import Image
from warcio.archiveiterator import ArchiveIterator

from tests.live.nginx import Line, Nginx


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange of a package.

    Attributes:
        request, response: blocks of its two WARC records, framing and head included.
        described: its entry in ``exchanges.json``.
    """

    url: str
    request: bytes
    response: bytes
    described: Mapping[str, Any]

    @property
    def served(self) -> tuple[int, dict[str, str], bytes]:
        """Status, header fields and decoded content, as Python's own client reads the same bytes."""
        answer = HTTPResponse(cast(Any, _Socket(self.response)))
        answer.begin()
        with closing(answer):
            body = answer.read()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        coded = fields.get("content-encoding") == "gzip"
        return answer.status, fields, decompress(body, wbits=31) if coded else body


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BinaryIO:
        return io.BytesIO(self._data)


@dataclass
class Comparison:
    """A package beside the server.

    Attributes:
        bytes: of the responses; chunked, coded (gzip): responses; files: that the server has as they are;
            pictures: that a decoder reads to their end; differing: exchanges whose bytes differ.
        ids, connections: as the server's log names them.
        wrong: in words, everything that differs.
    """

    bytes: int = 0
    chunked: int = 0
    coded: int = 0
    files: int = 0
    pictures: int = 0
    differing: int = 0
    ids: set[str] = field(default_factory=set)
    connections: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def read_package(directory: Path) -> list[Recorded]:
    """The exchanges of a capture's files that have a response, in the order of the WARC."""
    described = json.loads((directory / "exchanges.json").read_bytes())
    return _exchanges(io.BytesIO(_read_warc(directory / "capture.wacz")), described)


def _read_warc(package: Path) -> bytes:
    with zipfile.ZipFile(package) as opened:
        (name,) = (item for item in opened.namelist() if item.endswith(".warc.gz"))
        return opened.read(name)


def _exchanges(warc: BinaryIO, described: list[dict[str, Any]]) -> list[Recorded]:
    responses: dict[str, tuple[str, bytes]] = {}
    requests: dict[str, bytes] = {}
    for record in ArchiveIterator(warc, no_record_parse=True):
        block, fields = record.raw_stream.read(), record.rec_headers
        if record.rec_type == "response":
            responses[fields["WARC-Record-ID"]] = fields["WARC-Target-URI"], block
        elif record.rec_type == "request":
            requests[fields["WARC-Concurrent-To"]] = block
    by_hash = {item["response"]["sha256"]: item for item in described if item["response"]}
    return [
        Recorded(url, requests[record], block, by_hash.get(hashlib.sha256(block).hexdigest(), {}))
        for record, (url, block) in responses.items()
    ]


def compare(recorded: list[Recorded], nginx: Nginx, root: Path) -> Comparison:
    """Hold what was recorded against the server's log and against the files it serves.

    Args:
        root: what the server serves as it is.
    """
    found = Comparison()
    ours = {item.served[1].get("x-request-id", ""): item for item in recorded if _is_ours(item, nginx)}
    lines = nginx.log(ours)
    for identity, item in ours.items():
        line = lines.get(identity)
        if line is None:
            found.wrong.append(f"{item.url}: the server's log has no such response")
            continue
        found.ids.add(identity)
        found.bytes += len(item.response)
        found.chunked += line.transfer == "chunked"
        found.coded += line.coding == "gzip"
        found.connections.add(line.connection)
        differing = [*_bytes(item, line), *_content(item, root, found)]
        found.differing += bool(differing)
        found.wrong += [*differing, *_circumstances(item, line, nginx)]
    return found


def _is_ours(item: Recorded, nginx: Nginx) -> bool:
    return urlsplit(item.url).port in (nginx.http, nginx.https)


def _bytes(item: Recorded, line: Line) -> Iterator[str]:
    for what, ours, theirs in (
        ("response", len(item.response), line.sent),
        ("request", len(item.request), line.received),
    ):
        if ours != theirs:
            yield f"{item.url}: {ours} bytes of the {what} were recorded, the server says {theirs}"


def _circumstances(item: Recorded, line: Line, nginx: Nginx) -> Iterator[str]:
    """Address, TLS and certificates of the very connection, as both sides saw them."""
    secure, described = item.url.startswith("https:"), item.described
    tls = described.get("tls", {})
    for what, ours, theirs in (
        ("TLS version", tls.get("version", ""), line.tls),
        ("TLS cipher", tls.get("cipher", ""), line.cipher),
        ("verified", tls.get("verified", ""), "yes" if secure else ""),
        ("certificates", tuple(described.get("chain", ())), nginx.files.sent if secure else ()),
        ("peer", described.get("peer"), ["127.0.0.1", nginx.https if secure else nginx.http]),
    ):
        if ours != theirs:
            yield f"{item.url}: {what}: recorded {ours}, the server says {theirs}"
    if secure and line.alpn != "http/1.1":
        yield f"{item.url}: HTTP/1.1 was not negotiated, but {line.alpn!r}"


def _content(item: Recorded, root: Path, found: Comparison) -> Iterator[str]:
    """A file the server serves as it is has to be in the record as it is; a picture has to be whole."""
    status, fields, content = item.served
    path = root / unquote(urlsplit(item.url).path).lstrip("/")
    if status == 200 and path.is_file():
        found.files += 1
        if path.read_bytes() != content:
            yield f"{item.url}: its content is not that of the file the server has"
    if status == 200 and fields.get("content-type", "").startswith("image/"):
        found.pictures += 1
        try:
            with Image.open(io.BytesIO(content)) as picture:
                picture.load()
        except OSError as error:
            yield f"{item.url}: the picture is not whole: {error}"
