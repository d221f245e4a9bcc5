"""Servers and browsers that do not keep to HTTP: recorded verbatim, named, and read in one way only."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_service.capture.recorder import Recorder
from tests.unit.capture.recording.raw import RawServer, allowing, everything, get, now, received, talk

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# What the server sends · words of the problem.
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "/differing-lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\nok",
        "Content-Length is not one number",
    ),
    "/length-list": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
        "Content-Length is not one number",
    ),
    "/length-signed": (
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "Content-Length is not one number",
    ),
    "/length-hex": (b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", "Content-Length is not one number"),
    "/length-huge": (
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\nok",
        "Content-Length is not one number",
    ),
    "/length-empty": (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", "Content-Length is not one number"),
    "/no-http": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not one of a response"),
    "/http-0.9": (b"<html>hello</html>\n\n", "not one of a response"),
    "/http-2": (b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "not one of a response"),
    "/status-large": (b"HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nok", "not one of a response"),
    "/status-short": (b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", "not one of a response"),
    "/space-first": (b" HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "not one of a response"),
    "/bare-cr": (
        b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: injected=1\r\nContent-Length: 2\r\n\r\nok",
        "a NUL or a bare CR",
    ),
    "/nul": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok", "a NUL or a bare CR"),
    "/no-colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\nok", "a line without a colon"),
    "/folded-first": (
        b"HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nok",
        "begins with a folded line",
    ),
    "/101": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nanything",
        "switched protocols without being asked",
    ),
    "/oversize": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", "a head is larger than 262144"),
    "/hints-without-end": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000, "heads larger than 262144"),
}
CUT: dict[str, tuple[bytes, str]] = {
    "/nothing": (b"", "closed without an answer"),
    "/half-head": (b"HTTP/1.1 200 OK\r\nContent-", "closed within the head"),
    "/only-hints": (b"HTTP/1.1 103 Early Hints\r\n\r\n", "closed within the head"),
}
# Passed on as far as they can be read in one way.
UNSOUND: dict[str, tuple[bytes, bytes, str]] = {
    path: (sent, sent if passed is None else passed, words)
    for path, (sent, passed, words) in {
        "/length-and-chunks": (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            None,
            "both Transfer-Encoding and Content-Length",
        ),
        "/chunks-in-1.0": (
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            None,
            "Transfer-Encoding in an HTTP/1.0 response",
        ),
        "/space-before-colon": (
            b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
            None,
            "a field name is not a token",
        ),
        "/surplus": (OK + b"surplus", OK, "7 bytes came after the end of the response"),
        "/two-responses": (OK + OK, OK, "40 bytes came after the end of the response"),
        "/body-for-204": (b"HTTP/1.1 204 No\r\n\r\nbody", b"HTTP/1.1 204 No\r\n\r\n", "4 bytes came after"),
        "/body-for-304": (b"HTTP/1.1 304 No\r\n\r\nbody", b"HTTP/1.1 304 No\r\n\r\n", "4 bytes came after"),
        "/cut": (
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nthis",
            None,
            "closed before the response was",
        ),
        "/cut-chunks": (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            None,
            "closed before the response was",
        ),
    }.items()
}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN_CHUNKS: dict[str, tuple[bytes, str]] = {
    "/chunk-size": (CHUNKED + b"xyz\r\n", "not a chunk size"),
    "/chunk-negative": (CHUNKED + b"-2\r\nok\r\n0\r\n\r\n", "not a chunk size"),
    "/chunk-0x": (CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n", "not a chunk size"),
    "/chunk-huge": (CHUNKED + b"F" * 17 + b"\r\nok", "not a chunk size"),
    "/chunk-too-long": (CHUNKED + b"2\r\nokay\r\n0\r\n\r\n", "CRLF|longer than its size|larger than 2"),
    "/chunk-line-feed": (CHUNKED + b"2\nok\r\n0\r\n\r\n", "does not end in CRLF"),
    "/chunk-extension-cr": (CHUNKED + b"2;a\rb\r\nok\r\n0\r\n\r\n", "not a chunk size"),
    "/chunk-extension-endless": (CHUNKED + b"2;" + b"a" * 20_000, "chunk framing is larger"),
    "/trailer-no-field": (CHUNKED + b"0\r\nnonsense\r\n\r\n", "a trailer is no field"),
    "/trailers-endless": (CHUNKED + b"0\r\n" + b"a: b\r\n" * 50_000, "chunk framing is larger"),
}
ALL = {
    **{path: data for table in (UNREADABLE, CUT, BROKEN_CHUNKS) for path, (data, _) in table.items()},
    **{path: data for path, (data, _, _) in UNSOUND.items()},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RawServer, Recorder, Path]]:
    directory = tmp_path_factory.mktemp("hostile") / "w"
    with (
        RawServer({**ALL, "/ok": OK}, keep=False) as server,
        Recorder(directory, allowing(server.port), now=now) as recorder,
    ):
        yield server, recorder, directory


Running = tuple[RawServer, Recorder, Path]


@pytest.mark.parametrize("path", UNREADABLE)
def test_what_cannot_be_read_reaches_the_record_and_no_browser(running: Running, path: str) -> None:
    server, recorder, directory = running
    answer = get(recorder, server.port, path)
    exchange = recorder.exchanges[-1]
    data, words = UNREADABLE[path]
    assert exchange.problem.startswith("the response cannot be read: ")
    assert words in exchange.problem
    assert received(directory, exchange) == data
    assert (exchange.status, exchange.response_head) == (None, 0)
    own = answer[answer.index(b"HTTP/1.1 502 ") :] if path == "/hints-without-end" else answer
    assert own.startswith(b"HTTP/1.1 502 Evidence recorder\r\n")


@pytest.mark.parametrize("path", CUT)
def test_an_end_within_the_head_is_named(running: Running, path: str) -> None:
    server, recorder, directory = running
    answer = get(recorder, server.port, path)
    exchange = recorder.exchanges[-1]
    data, words = CUT[path]
    assert words in exchange.problem
    assert exchange.truncated == "disconnect"
    if data:
        assert received(directory, exchange) == data
    assert b"HTTP/1.1 502 Evidence recorder\r\n" in answer


@pytest.mark.parametrize("path", UNSOUND)
def test_what_readers_may_cut_differently_is_marked_and_ends_the_connection(
    running: Running, path: str
) -> None:
    server, recorder, directory = running
    data, passed, words = UNSOUND[path]
    with socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as browser:
        # Not half closed: it is the recorder who ends it.
        browser.sendall(f"GET http://127.0.0.1:{server.port}{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert everything(browser) == passed
    exchange = recorder.exchanges[-1]
    assert words in exchange.problem
    assert received(directory, exchange) == data
    assert exchange.surplus == len(data) - len(passed)
    assert exchange.truncated == ("disconnect" if "cut" in path else "")


@pytest.mark.parametrize("path", BROKEN_CHUNKS)
def test_broken_chunks_are_named(running: Running, path: str) -> None:
    server, recorder, directory = running
    data, words = BROKEN_CHUNKS[path]
    get(recorder, server.port, path)
    exchange = recorder.exchanges[-1]
    assert re.search(words, exchange.problem)
    assert exchange.status == 200
    assert received(directory, exchange) == data


def test_a_response_that_carries_another_one_is_not_given_to_the_next_request(tmp_path: Path) -> None:
    with (
        RawServer(
            {"/split": OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "/": OK}, keep=True
        ) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
    ):
        get(recorder, server.port, "/split")
        assert get(recorder, server.port, "/") == OK
        first, second = recorder.exchanges
        assert (first.connection, second.connection) == (1, 2)
        assert (first.problem != "", second.problem) == (True, "")


# What a browser says · words of the answer. Nothing of it reaches a server.
REQUESTS = {
    "no http": (b"hello\r\n\r\n", b"400 "),
    "no target": (b"GET  HTTP/1.1\r\n\r\n", b"400 "),
    "origin form": (b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n", b"needs an http URL"),
    "https to a proxy": (b"GET https://127.0.0.1:PORT/ok HTTP/1.1\r\n\r\n", b"needs an http URL"),
    "ftp": (b"GET ftp://127.0.0.1:PORT/ok HTTP/1.1\r\n\r\n", b"needs an http URL"),
    "user information": (b"GET http://a:b@127.0.0.1:PORT/ok HTTP/1.1\r\n\r\n", b"needs an http URL"),
    "port 0": (b"GET http://127.0.0.1:0/ok HTTP/1.1\r\n\r\n", b"no host and port"),
    "port 99999": (b"CONNECT 127.0.0.1:99999 HTTP/1.1\r\n\r\n", b"no host and port"),
    "connect without a port": (b"CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n", b"no host and port"),
    "bare CR": (b"GET http://127.0.0.1:PORT/ok HTTP/1.1\r\nX: a\rHost: b\r\n\r\n", b"bare CR"),
    "length and chunks": (
        b"POST http://127.0.0.1:PORT/ok HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding beside",
    ),
    "two lengths": (
        b"POST http://127.0.0.1:PORT/ok HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"not one number",
    ),
    "coding before chunks": (
        b"POST http://127.0.0.1:PORT/ok HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"not plainly chunked",
    ),
    "space before colon": (
        b"POST http://127.0.0.1:PORT/ok HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"not a token",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_servers_may_read_differently_is_not_sent(running: Running, name: str) -> None:
    server, recorder, _ = running
    request, words = REQUESTS[name]
    before = server.connections
    answer = talk(recorder, request.replace(b"PORT", str(server.port).encode()))
    assert answer.startswith((b"HTTP/1.1 400 Evidence recorder", b"HTTP/1.1 502 Evidence recorder"))
    assert words in answer
    assert server.connections == before


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    other = OK.replace(b"ok", b"2!")
    with (
        RawServer({"/1": OK, "/2": other}, keep=True) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
    ):
        lines = [f"GET http://127.0.0.1:{server.port}/{n} HTTP/1.1\r\nHost: x\r\n\r\n" for n in (1, 2, 1)]
        assert talk(recorder, "".join(lines).encode()) == OK + other + OK
        assert [item.problem for item in recorder.exchanges] == ["", "", ""]
