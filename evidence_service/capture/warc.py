"""WARC/1.1 (ISO 28500:2017): the recorded bytes, unchanged, one gzip member for each record."""

from __future__ import annotations

import base64
import hashlib
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from evidence_service.capture.exchange import Exchange
from evidence_service.capture.files import HashingWriter
from evidence_service.core.digest import Digest

_CHUNK = 1 << 20


def write_warc(
    path: Path, wire: Path, exchanges: Iterable[Exchange], *, written_at: str, software: str
) -> Digest:
    """Write every exchange that has bytes; digests of the finished file.

    Args:
        wire: the recorder's directory.
        written_at: time of the warcinfo record, in the formats' notation.
    """
    with HashingWriter(path) as writer:
        info = f"software: {software}\r\nformat: WARC File Format 1.1\r\n".encode()
        headers = {"Content-Type": "application/warc-fields", "WARC-Filename": path.name}
        _write(writer, "warcinfo", written_at, headers, [info], 0)
        for exchange in exchanges:
            _write_exchange(writer, wire, exchange)
        return writer.close()


def _write_exchange(writer: HashingWriter, wire: Path, exchange: Exchange) -> None:
    common = {
        "WARC-Target-URI": quote(exchange.url, safe=":/?#[]@!$&'()*+,;=%-._~"),
        "WARC-Protocol": "http/1.1",
    }
    if exchange.peer is not None:
        common["WARC-IP-Address"] = exchange.peer[0]
    if exchange.tls.get("version"):
        common["WARC-Cipher-Suite"] = exchange.tls["cipher"]
    response_id = ""
    if exchange.response is not None and exchange.response_head:
        headers = {**common, "Content-Type": "application/http;msgtype=response"}
        if exchange.truncated:
            headers["WARC-Truncated"] = exchange.truncated
        blocks = list(_blocks(wire / exchange.response.name))
        # Readers take the first head for the only one: after informational responses (1xx) they would find
        # another payload than ours, so the block's digest has to do.
        head = 0 if blocks[0][8:10] == b" 1" else exchange.response_head
        response_id = _write(writer, "response", exchange.started_at, headers, blocks, head)
    if exchange.request is not None:
        headers = {**common, "Content-Type": "application/http;msgtype=request"}
        if response_id:
            headers["WARC-Concurrent-To"] = response_id
        request = list(_blocks(wire / exchange.request.name))
        _write(writer, "request", exchange.started_at, headers, request, exchange.request_head)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as reader:
        while block := reader.read(_CHUNK):
            yield block


def _write(
    writer: HashingWriter,
    kind: str,
    date: str,
    headers: Mapping[str, str],
    blocks: Sequence[bytes],
    head_size: int,
) -> str:
    """Write one record; its id.

    Args:
        head_size: bytes of the block before the payload, 0 for a record without HTTP head.
    """
    block, payload, size = hashlib.sha256(), hashlib.sha256(), 0
    for data in blocks:
        block.update(data)
        payload.update(data[max(head_size - size, 0) :])
        size += len(data)
    record_id = f"<urn:uuid:{uuid.uuid4()}>"
    lines = {
        "WARC-Type": kind,
        "WARC-Record-ID": record_id,
        "WARC-Date": date,
        **headers,
        "WARC-Block-Digest": _label(block.digest()),
        **({"WARC-Payload-Digest": _label(payload.digest())} if head_size else {}),
        "Content-Length": str(size),
    }
    engine = zlib.compressobj(wbits=31)
    writer.write(engine.compress(b"WARC/1.1\r\n"))
    writer.write(engine.compress("".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()))
    writer.write(engine.compress(b"\r\n"))
    for data in blocks:
        writer.write(engine.compress(data))
    writer.write(engine.compress(b"\r\n\r\n") + engine.flush())
    return record_id


def _label(digest: bytes) -> str:
    return "sha256:" + base64.b32encode(digest).decode()
