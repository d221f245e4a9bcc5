"""Each defect of a WARC file has its code, and a genuine file has none."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable

import pytest

from evidence_service.importing import warc
from tests.unit.importing import archives
from tests.unit.importing.archives import BODY, HEAD, compressed, info, record, request, response, sha256
from tests.unit.importing.examined import codes, examined, wrong

CHUNKED = HEAD.replace(b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked")
CHUNKS = b"%x\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (20, BODY[:20], len(BODY) - 20, BODY[20:])
RESOURCE = {"WARC_Type": "resource", "WARC_Target_URI": "urn:evidence:dom.html", "Content_Type": "text/html"}


def lower(head: bytes) -> bytes:
    first, _, rest = head.partition(b"\r\n")
    fields = [line.split(b":", 1) for line in rest.split(b"\r\n") if line]
    return (
        first + b"\r\n" + b"".join(name.lower() + b":" + value + b"\r\n" for name, value in fields) + b"\r\n"
    )


def in_order(head: bytes) -> bytes:
    first, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return b"\r\n".join([first, *sorted(fields)]) + b"\r\n\r\n"


def flipped(data: bytes, old: bytes) -> bytes:
    assert data.count(old) >= 1
    return data.replace(old, bytes([old[0] ^ 1]) + old[1:], 1)


def with_line(item: bytes, line: bytes) -> bytes:
    return item.replace(b"WARC-Date", line + b"\r\nWARC-Date", 1)


CASES: dict[str, Callable[[], bytes]] = {
    "warc.framing": lambda: info() + response()[:-4] + b"XXXX" + request(),
    "warc.truncated": lambda: (info() + response())[:-30],
    "warc.version": lambda: info() + record(b"", "2.0", WARC_Type="metadata"),
    "warc.gzip_damaged": lambda: flipped(compressed(info(), response()), compressed(response())[-8:-4]),
    "warc.gzip_members": lambda: gzip.compress(info() + response() + request()),
    "warc.header_syntax": lambda: info() + with_line(response(), b"no field"),
    "warc.header_missing": lambda: info() + response(WARC_Date=None),
    "warc.header_repeated": lambda: (
        info() + with_line(response(), b"WARC-Target-URI: https://other.example/")
    ),
    "warc.date": lambda: info() + response(WARC_Date="2026-02-30T08:30:00Z"),
    "warc.record_id": lambda: info() + response() + response(),
    "warc.block_digest": lambda: info() + flipped(response(WARC_Payload_Digest=None), BODY[-9:]),
    "warc.payload_digest": lambda: info() + response(WARC_Payload_Digest=sha256(b"other")),
    "warc.payload_digest_decoded": lambda: (
        info() + response(CHUNKED, CHUNKS, WARC_Payload_Digest=sha256(BODY))
    ),
    "warc.digest_missing": lambda: info() + response(WARC_Block_Digest=None, WARC_Payload_Digest=None),
    "warc.digest_unknown": lambda: info() + response(WARC_Payload_Digest="blake3:abcd"),
    "warc.refers_to": lambda: info() + response(WARC_Type="revisit", WARC_Refers_To="<urn:x:y>"),
    "warc.concurrent_to": lambda: info() + request(),
    "warc.ip_address": lambda: info() + response(WARC_IP_Address=None),
    "warc.declared_truncated": lambda: info() + response(WARC_Truncated="time"),
    "warc.http_head": lambda: info() + response(b"<html>\r\n\r\n"),
    "warc.http_length": lambda: info() + response(HEAD.replace(b"Length: %d" % len(BODY), b"Length: 7")),
    "warc.http_chunked": lambda: info() + response(CHUNKED, BODY),
    "warc.headers_lower_case": lambda: info() + response(lower(HEAD)),
    "warc.headers_sorted": lambda: info() + response(in_order(HEAD)),
    "warc.headers_renamed": lambda: info() + response(HEAD.replace(b"Server", b"x-orig-content-encoding")),
    "warc.cookies_merged": lambda: info() + response(HEAD.replace(b"a=1;", b"a=1, b=2;")),
    "trailing": lambda: archives.warc() + b"more",
}


@pytest.mark.parametrize("code", CASES)
def test_a_defect_is_named(code: str) -> None:
    assert code in codes(CASES[code]())


@pytest.mark.parametrize(
    "data",
    [
        archives.warc(),
        info() + response() + request(),
        # What WARC/1.0 writes: whole seconds, SHA-1 in base 32.
        record(b"x", "1.0", WARC_Date="2026-11-24T08:30:00Z", **RESOURCE),
        info()
        + response(WARC_Payload_Digest="sha1:" + base64.b32encode(hashlib.sha1(BODY).digest()).decode()),
        info() + response(WARC_Payload_Digest="sha-256:" + hashlib.sha256(BODY).hexdigest()),
        info() + response(CHUNKED, CHUNKS),
        info() + response(b"HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 99\r\n\r\n", b""),
        info() + response(lower(HEAD), **{"WARC_Protocol": "h2"}),
        info() + response(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", HEAD + BODY),
    ],
)
def test_nothing_is_wrong_with_what_is_genuine(data: bytes) -> None:
    assert wrong(data) == set()
    assert examined(data).kind == "warc"


def test_what_it_says_of_itself() -> None:
    facts = examined(archives.warc()).facts
    assert facts["warcinfo"] == "software: test"
    assert facts["records"] == ["request: 1", "response: 1", "warcinfo: 1"]
    assert facts["digests computed and right"] == 4


def test_what_stands_before_a_break_is_examined() -> None:
    data = info() + response(WARC_Payload_Digest=sha256(b"other")) + b"garbage"
    assert {"warc.framing", "warc.payload_digest"} <= wrong(data)


def test_every_cut_is_found() -> None:
    data = archives.warc()
    begins = {0, len(compressed(info())), len(compressed(info(), response()))}
    for size in range(6, len(data)):
        if size not in begins:
            assert any(item.severity != "note" for item in examined(data[:size], "data.warc.gz").findings), (
                size
            )


def test_every_flipped_bit_of_a_body_is_found() -> None:
    data = info() + response()
    begin = data.index(BODY)
    for at in range(begin, begin + len(BODY)):
        changed = bytearray(data)
        changed[at] ^= 1
        assert {"warc.block_digest", "warc.payload_digest"} <= wrong(bytes(changed)), at


def test_too_many_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_RECORDS", 2)
    assert "limit" in codes(archives.warc())


def test_beyond_twenty_of_a_kind_they_are_counted() -> None:
    data = info() + b"".join(
        response(WARC_Record_ID=f"<urn:x:{number}>", WARC_Truncated="time") for number in range(30)
    )
    found = [item for item in examined(data).findings if item.code == "warc.declared_truncated"]
    assert len(found) == 21
    assert found[-1].what.startswith("10 more")
