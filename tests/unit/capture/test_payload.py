"""Payloads: every coding removed, bombs stopped, damaged bodies named."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard

from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.payload import codings, header_values, open_payload
from evidence_service.errors import LimitExceededError, MalformedError

TEXT = "页面 page ".encode() * 40_000


def chunked(data: bytes, size: int = 7_919) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    lines = b"".join(b"%X;x=y\r\n%s\r\n" % (len(part), part) for part in parts)
    return lines + b"0\r\nTrailer: t\r\n\r\n"


def bare_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


def store(wire: Path, head: bytes, body: bytes) -> Exchange:
    (wire / "x0001.response").write_bytes(head + body)
    return Exchange(
        id="x0001",
        url="https://shop.example/",
        method="GET",
        started_at="2026-01-02T03:04:05.000Z",
        response=Stored("x0001.response", len(head + body), ""),
        response_head=len(head),
    )


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
    "deflate": zlib.compress,
    "Deflate": bare_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_every_coding_is_removed(tmp_path: Path, name: str, framing: str) -> None:
    body = CODERS[name](TEXT)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\n" % name.encode()
    if framing == "chunked":
        head, body = head + b"Transfer-Encoding: chunked\r\n", chunked(body)
    assert open_payload(tmp_path, store(tmp_path, head + b"\r\n", body), 1 << 20) == TEXT


def test_codings_are_removed_in_the_reverse_of_their_order(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, br\r\nTransfer-Encoding: deflate, chunked\r\n\r\n"
    assert codings(head) == ["transfer chunked", "transfer deflate", "br", "gzip"]
    body = chunked(zlib.compress(brotli.compress(gzip.compress(TEXT))))
    assert open_payload(tmp_path, store(tmp_path, head, body), 1 << 20) == TEXT


def test_the_head_that_counts_is_the_last(tmp_path: Path) -> None:
    head = b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: gzip\r\n\r\nHTTP/1.1 200 OK\r\nX: 1\r\n folded\r\nx:2\r\n\r\n"
    assert header_values(head, "X") == ["1\r\n folded", "2"]
    assert open_payload(tmp_path, store(tmp_path, head, b"plain"), 100) == b"plain"


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_stops_at_the_limit(tmp_path: Path, name: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n" % name.encode()
    bomb = CODERS[name](bytes(50_000_000))
    with pytest.raises(LimitExceededError, match="larger than 1000 bytes"):
        open_payload(tmp_path, store(tmp_path, head, bomb), 1000)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_cut_body_gives_what_it_has(tmp_path: Path, name: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n" % name.encode()
    coded = CODERS[name](TEXT)
    found = open_payload(tmp_path, store(tmp_path, head, coded[: len(coded) // 2]), 1 << 20)
    assert TEXT.startswith(found)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Encoding: gzip", b"no gzip"),
        (b"Content-Encoding: br", b"\xff\xff\xff no brotli"),
        (b"Content-Encoding: zstd", b"no zstd at all"),
        (b"Content-Encoding: secret", b"x"),
        (b"Transfer-Encoding: chunked", b"zz\r\nno size\r\n"),
        (b"Transfer-Encoding: chunked", b"f" * 100_000),
    ],
)
def test_what_is_not_coded_as_said_is_named(tmp_path: Path, headers: bytes, body: bytes) -> None:
    exchange = store(tmp_path, b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n", body)
    with pytest.raises(MalformedError):
        open_payload(tmp_path, exchange, 1 << 20)


def test_nothing_recorded_gives_nothing(tmp_path: Path) -> None:
    exchange = Exchange("x0001", "https://shop.example/", "GET", "2026-01-02T03:04:05.000Z")
    assert open_payload(tmp_path, exchange, 10) == b""
    assert open_payload(tmp_path, exchange, 10, side="request") == b""
