"""Which records a capture's exchanges and files become, and what their fields say.

Fields beyond ISO 28500 follow the IIPC's proposals: WARC-Protocol (repeated, one for each layer) and
WARC-Cipher-Suite.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from evidence_service.capture.cdxj import Entry
from evidence_service.capture.exchange import Exchange, record_id
from evidence_service.capture.files import CapturedFile
from evidence_service.capture.payload import head_of
from evidence_service.capture.warc import Block, Field, WarcWriter, Written

CONFORMS_TO = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
_URI = ":/?#[]@!$&'()*+,;=%-._~"
_VERSION = re.compile(rb"HTTP/\d\.\d")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\r\n]* HTTP/\d\.\d\r?\n")


class CaptureRecords:
    """Writes the records of one capture and takes note of where they stand.

    Args:
        capture: the capture's random id; every record's id follows from it.
        written_at: date of the records that are about the whole capture, in the formats' notation.
    """

    def __init__(self, writer: WarcWriter, capture: uuid.UUID, written_at: str) -> None:
        self._writer = writer
        self._capture = capture
        self._written_at = written_at
        self.index: list[Entry] = []

    def write_info(self, filename: str, software: str) -> None:
        """What wrote the file and which capture it belongs to. The machine's name is left out: it would
        say where a capture was made, which is no part of it."""
        fields = {
            "software": software,
            "format": "WARC File Format 1.1",
            "conformsTo": CONFORMS_TO,
            "isPartOf": f"urn:uuid:{self._capture}",
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._write(
            "warcinfo",
            self._id("package", "warcinfo"),
            self._written_at,
            [("WARC-Filename", filename), ("Content-Type", "application/warc-fields")],
            Block.of_bytes(text.encode()),
        )

    def write_exchange(self, wire: Path, exchange: Exchange) -> None:
        """Response, request and metadata of one exchange; only the last where no byte was kept."""
        common = [("WARC-Target-URI", target_uri(exchange.url)), *_connection(exchange)]
        response = self._response(wire, exchange, common)
        request = self._request(wire, exchange, common, response)
        concurrent: list[Field] = [
            ("WARC-Concurrent-To", f"<{item.record_id}>") for item in (response, request) if item is not None
        ]
        if exchange.order:
            # When each piece of a WebSocket's two directions came.
            self._fragment(wire / exchange.order, exchange, "", "order", "application/jsonl")
        # What the recorder knows of the connection, as exchanges.json has it.
        text = json.dumps(exchange.to_json(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        self._write(
            "metadata",
            self._id(exchange.id, "metadata"),
            exchange.started_at,
            [common[0], *concurrent, ("Content-Type", "application/json")],
            Block.of_bytes(text.encode("utf-8", "replace")),
        )

    def write_resource(self, item: CapturedFile, content: Block) -> None:
        """One of the capture's files, with a target of our own: it has no address on the web."""
        target = f"urn:evidence:{quote(item.path)}"
        written = self._write(
            "resource",
            self._id(item.path, "resource"),
            self._written_at,
            [("WARC-Target-URI", target), ("Content-Type", item.media_type)],
            content,
        )
        self.index.append(Entry.of(target, self._written_at, item.media_type, 200, written))

    def _response(self, wire: Path, exchange: Exchange, common: Sequence[Field]) -> Written | None:
        stored = exchange.response
        if stored is None or not stored.size:
            return None
        path = wire / stored.name
        start = head_of(path, exchange.response_head)
        if not _VERSION.match(start):
            return self._fragment(path, exchange, stored.sha256, "response")
        fields = [*common, *_protocol(exchange, start), *_truncated(exchange)]
        fields.append(("Content-Type", "application/http;msgtype=response"))
        head_size = exchange.response_head if _ends_head(start) and exchange.kind == "http" else 0
        block = Block.of_file(path, head_size=head_size, sha256=stored.sha256)
        written = self._write(
            "response", self._id(exchange.id, "response"), exchange.started_at, fields, block
        )
        if exchange.status is not None:
            self.index.append(
                Entry.of(
                    target_uri(exchange.url),
                    exchange.started_at,
                    exchange.content_type,
                    exchange.status,
                    written,
                    method=exchange.method,
                )
            )
        return written

    def _request(
        self, wire: Path, exchange: Exchange, common: Sequence[Field], response: Written | None
    ) -> Written | None:
        stored = exchange.request
        if stored is None or not stored.size:
            return None
        path = wire / stored.name
        head = head_of(path, exchange.request_head)
        if not _REQUEST_LINE.match(head):
            return self._fragment(path, exchange, stored.sha256, "request")
        fields = [*common, *_protocol(exchange, b"HTTP/1.1")]
        if response is not None:
            fields.append(("WARC-Concurrent-To", f"<{response.record_id}>"))
        fields.append(("Content-Type", "application/http;msgtype=request"))
        head_size = exchange.request_head if _ends_head(head) and exchange.kind == "http" else 0
        block = Block.of_file(path, head_size=head_size, sha256=stored.sha256)
        return self._write("request", self._id(exchange.id, "request"), exchange.started_at, fields, block)

    def _fragment(
        self,
        path: Path,
        exchange: Exchange,
        sha256: str,
        part: str,
        media_type: str = "application/octet-stream",
    ) -> Written:
        """Bytes that are no HTTP message (its head never ended, or never began): a resource, since readers
        fail at a response without a head."""
        target = f"urn:evidence:exchanges/{exchange.id}.{part}"
        written = self._write(
            "resource",
            self._id(exchange.id, part),
            exchange.started_at,
            [("WARC-Target-URI", target), *_truncated(exchange), ("Content-Type", media_type)],
            Block.of_file(path, sha256=sha256),
        )
        self.index.append(Entry.of(target, exchange.started_at, media_type, 200, written))
        return written

    def _write(self, kind: str, identifier: str, date: str, fields: Sequence[Field], block: Block) -> Written:
        return self._writer.write(kind, identifier, date, fields, block)

    def _id(self, owner: str, part: str) -> str:
        return record_id(self._capture, owner, part)


def target_uri(url: str) -> str:
    """An address with everything percent-encoded that a URI may not hold (RFC 3986, 2)."""
    return quote(url.encode("utf-8", "surrogatepass"), safe=_URI)


def _connection(exchange: Exchange) -> list[Field]:
    fields = []
    if exchange.peer is not None:
        fields.append(("WARC-IP-Address", exchange.peer[0]))
    version = exchange.tls.get("version", "")
    if version.startswith("TLSv1"):
        # As OpenSSL spells it: TLSv1.3; TLSv1 is TLS 1.0.
        number = version.removeprefix("TLSv")
        fields.append(("WARC-Protocol", f"tls/{number if '.' in number else number + '.0'}"))
    if exchange.tls.get("cipher"):
        fields.append(("WARC-Cipher-Suite", exchange.tls["cipher"]))
    return fields


def _protocol(exchange: Exchange, start: bytes) -> list[Field]:
    """The version the message names; none where the browser wrote the message down, whatever was spoken."""
    if exchange.source != "wire":
        return []
    return [("WARC-Protocol", start[:8].decode("ascii").lower())]


def _truncated(exchange: Exchange) -> list[Field]:
    return [("WARC-Truncated", exchange.truncated)] if exchange.truncated else []


def _ends_head(head: bytes) -> bool:
    """Whether readers find the end of the head where the recorder found it.

    They stop at the first line that is empty or blank: that of an informational response (1xx) before the
    final one, for instance. Their payload would be another than ours; then only the block gets a digest.
    """
    lines = head.split(b"\n")[:-1]
    blank = next((number for number, line in enumerate(lines) if not line.decode("latin-1").strip()), None)
    return blank == len(lines) - 1
