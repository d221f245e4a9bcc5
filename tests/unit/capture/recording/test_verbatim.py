"""What the recorder keeps is what was on the wire, for every framing, over HTTP and TLS."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_service.capture.recorder import Recorder
from tests.unit.capture.recording.pki import Pki
from tests.unit.capture.recording.raw import RawServer, allowing, get, get_inside, now, received, sent, talk

BIG = bytes(range(256)) * 2_000
ZIPPED = gzip.compress(b"hello", mtime=0)
RESPONSES: dict[str, bytes] = {
    "/length": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    "/gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED)
    + ZIPPED,
    "/brotli": b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 9\r\n\r\n\x0b\x02\x80hello\x03",
    "/gzip-chunked": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(ZIPPED)
        + ZIPPED
        + b"\r\n0\r\n\r\n"
    ),
    "/duplicates": b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nset-cookie:b=2\r\nX:  y \r\nContent-Length: 0\r\n\r\n",
    "/twice-the-same": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "/close": b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    "/1.0": b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "/1.0-length": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/no-reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "/line-feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "/folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "/latin": b"HTTP/1.1 200 Tr\xe8s bien\r\nX: \xe9\xff\r\nContent-Length: 2\r\n\r\nok",
    "/no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/not-modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
    "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/big": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BIG) + BIG,
    "/missing": b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with RawServer(RESPONSES) as running:
        yield running


@pytest.fixture(scope="module")
def plain(server: RawServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorder, Path]]:
    directory = tmp_path_factory.mktemp("plain")
    with Recorder(directory, allowing(server.port), now=now) as recorder:
        yield recorder, directory


@pytest.mark.parametrize("path", RESPONSES)
def test_bytes_are_verbatim_both_ways(server: RawServer, plain: tuple[Recorder, Path], path: str) -> None:
    recorder, directory = plain
    assert get(recorder, server.port, path) == RESPONSES[path]
    exchange = recorder.exchanges[-1]
    assert received(directory, exchange) == RESPONSES[path]
    request = sent(directory, exchange)
    assert server.requests[-1] == request
    assert request == f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Case: Kept\r\n\r\n".encode()
    assert exchange.request_head == len(request)
    assert exchange.peer == ("127.0.0.1", server.port)
    assert exchange.status == int(RESPONSES[path].split(b"HTTP/1.")[-1][2:5])
    assert (exchange.problem, exchange.truncated, exchange.surplus) == ("", "", 0)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RawServer, Recorder, Path]]:
    directory = tmp_path_factory.mktemp("secure")
    pki = Pki(directory)
    with (
        RawServer(RESPONSES, pki.server().context(directory)) as running,
        Recorder(directory / "wire", allowing(running.port), now=now, roots=pki.roots) as recorder,
    ):
        yield running, recorder, directory / "wire"


@pytest.mark.parametrize("path", RESPONSES)
def test_bytes_are_verbatim_both_ways_over_tls(secure: tuple[RawServer, Recorder, Path], path: str) -> None:
    server, recorder, directory = secure
    assert get_inside(recorder, server.port, path) == RESPONSES[path]
    exchange = recorder.exchanges[-1]
    assert exchange.url == f"https://127.0.0.1:{server.port}{path}"
    assert received(directory, exchange) == RESPONSES[path]
    # Over CONNECT the request goes out exactly as the browser wrote it.
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    assert sent(directory, exchange) == request == server.requests[-1]
    assert exchange.problem == ""
    assert exchange.tls["verified"] == "yes"


def test_a_head_request_has_no_body(server: RawServer, plain: tuple[Recorder, Path]) -> None:
    directory = plain[1]
    head = RESPONSES["/length"].removesuffix(b"hello")
    with (
        RawServer({"/": head}) as other,
        Recorder(directory / "h", allowing(other.port), now=now) as recorder,
    ):
        assert get(recorder, other.port, "/", method="HEAD") == head
        assert recorder.exchanges[0].problem == ""


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 4\r\n\r\nbody",
        b"Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nT: 1\r\n\r\n".replace(b"0\r\nT: 1", b"0"),
        b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG,
    ],
)
def test_a_request_with_a_body_is_kept_whole(
    server: RawServer, plain: tuple[Recorder, Path], rest: bytes
) -> None:
    recorder, directory = plain
    line = f"POST http://127.0.0.1:{server.port}/length?q=1 HTTP/1.1\r\nHost: x\r\n".encode()
    assert talk(recorder, line + rest) == RESPONSES["/length"]
    request = sent(directory, recorder.exchanges[-1])
    assert request == b"POST /length?q=1 HTTP/1.1\r\nHost: x\r\n" + rest == server.requests[-1]
    assert recorder.exchanges[-1].problem == ""
    assert recorder.exchanges[-1].request_head == request.index(b"\r\n\r\n") + 4


def test_a_body_that_waits_for_100_is_sent_after_it(plain: tuple[Recorder, Path], tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.recv(10) == b"body"
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    # A head of its own kind: the test's server would wait for a body that it knows the length of.
    with (
        RawServer({"/": answer}) as other,
        Recorder(tmp_path / "w", allowing(other.port), now=now) as recorder,
    ):
        with socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as browser:
            line = f"POST http://127.0.0.1:{other.port}/ HTTP/1.1\r\nHost: x\r\n"
            browser.sendall(f"{line}Content-Length:\t4\r\nExpect: 100-continue\r\n\r\n".encode())
            assert browser.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            browser.sendall(b"body")
            assert browser.recv(100) == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        exchange = recorder.exchanges[0]
        assert received(tmp_path / "w", exchange).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
        assert (exchange.status, exchange.problem) == (200, "")
