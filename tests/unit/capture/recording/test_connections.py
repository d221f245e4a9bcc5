"""Connections to servers are kept and reused, and a request is sent twice only where that is harmless."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

from evidence_service.capture.recorder import Recorder
from evidence_service.capture.recording.transfer import ANSWERED_EARLY
from tests.unit.capture.recording.pki import Pki
from tests.unit.capture.recording.raw import (
    RawServer,
    Scripted,
    allowing,
    everything,
    inside,
    now,
    received,
    sent,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def ask(browser: socket.socket, port: int, path: str, method: str = "GET", body: str = "") -> bytes:
    """One request on a connection that stays open; the answer, which ends in ``ok`` or closes."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    browser.sendall(
        f"{method} http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: x\r\n{length}\r\n{body}".encode()
    )
    answer = b""
    while not answer.endswith(b"ok") and (data := browser.recv(65536)):
        answer += data
    return answer


def browse(recorder: Recorder) -> socket.socket:
    return socket.create_connection(("127.0.0.1", recorder.port), timeout=20)


def test_one_connection_carries_many_exchanges(tmp_path: Path) -> None:
    with (
        RawServer({"/": OK, "/last": LAST}, keep=True) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
    ):
        with browse(recorder) as browser:
            assert [ask(browser, server.port, "/") for _ in range(3)] == [OK] * 3
            assert ask(browser, server.port, "/last") == LAST
            assert browser.recv(1) == b""
        with browse(recorder) as browser:
            assert ask(browser, server.port, "/") == OK
        assert [item.connection for item in recorder.exchanges] == [1, 1, 1, 1, 2]
        assert server.connections == 2
        assert len({item.peer for item in recorder.exchanges}) == 1
        for exchange, request in zip(recorder.exchanges, server.requests, strict=True):
            assert sent(tmp_path / "w", exchange) == request


def test_tls_of_a_reused_connection_is_that_of_its_socket(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    with (
        RawServer({"/": OK}, pki.server().context(tmp_path), keep=True) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, roots=pki.roots) as recorder,
    ):
        for _ in range(2):
            with inside(recorder, server.port) as browser:
                browser.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert browser.recv(1000) == OK
        first, second = recorder.exchanges
        assert first.connection == second.connection == server.connections == 1
        assert first.tls == second.tls
        assert first.chain == second.chain
        assert len(first.chain) == 2


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_get_on_an_idle_connection_that_ends_is_sent_again(tmp_path: Path) -> None:
    def once_then_close_on_the_next(connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(OK)
        server.read(connection)
        reset(connection)

    def answer(connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(OK)

    with (
        Scripted(once_then_close_on_the_next, answer) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
        browse(recorder) as browser,
    ):
        assert [ask(browser, server.port, path) for path in ("/1", "/2")] == [OK, OK]
        first, second = recorder.exchanges
        assert [item[:6] for item in server.requests] == [b"GET /1", b"GET /2", b"GET /2"]
        assert (first.connection, first.retried) == (1, "")
        assert second.connection == 2
        assert "idle ended before any byte" in second.retried
        assert second.problem == ""
        assert sent(tmp_path / "w", second) == server.requests[2]
        assert received(tmp_path / "w", second) == OK


def test_a_connection_the_server_ended_is_not_used(tmp_path: Path) -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    def again(connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(OK)

    with (
        Scripted(once, again) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
        browse(recorder) as browser,
    ):
        ask(browser, server.port, "/1")
        assert closed.wait(10)
        assert ask(browser, server.port, "/2") == OK
        assert recorder.exchanges[1].connection == 2


def test_a_post_is_never_sent_twice(tmp_path: Path) -> None:
    def close_without_an_answer(connection: socket.socket) -> None:
        server.read(connection)
        reset(connection)

    def once(connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(OK)
        connection.recv(1)

    with (
        Scripted(once, close_without_an_answer) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
    ):
        with browse(recorder) as browser:
            ask(browser, server.port, "/1")
            assert b"Evidence recorder" in ask(browser, server.port, "/2", "POST", "body")
        _, second = recorder.exchanges
        assert [item[:4] for item in server.requests] == [b"GET ", b"POST"]
        assert second.retried == ""
        assert "broke" in second.problem or "without an answer" in second.problem


def test_a_new_connection_that_ends_is_not_tried_again(tmp_path: Path) -> None:
    def close_without_an_answer(connection: socket.socket) -> None:
        server.read(connection)

    with (
        Scripted(close_without_an_answer) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
        browse(recorder) as browser,
    ):
        assert b"without an answer" in ask(browser, server.port, "/")
        assert len(server.requests) == 1
        assert recorder.exchanges[0].response is None


def test_a_server_that_answers_before_it_has_the_whole_request_is_named(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

    def refuse(connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        connection.sendall(answer)
        connection.recv(1 << 16)

    with (
        Scripted(refuse) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
        browse(recorder) as browser,
    ):
        url = f"http://127.0.0.1:{server.port}/"
        browser.sendall(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf".encode())
        assert everything(browser) == answer
    (exchange,) = recorder.exchanges
    assert exchange.problem == ANSWERED_EARLY
    assert received(tmp_path / "w", exchange) == answer
    assert sent(tmp_path / "w", exchange).endswith(b"\r\n\r\nhalf")
