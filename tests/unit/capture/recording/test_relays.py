"""WebSockets are recorded in both directions; tunnels are passed through, counted and not seen into."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from evidence_service.capture.recorder import Recorder, RecorderLimits
from evidence_service.egress.policy import EgressPolicy
from tests.unit.capture.recording.pki import Pki
from tests.unit.capture.recording.raw import (
    RawServer,
    allowing,
    everything,
    get,
    inside,
    now,
    received,
    sent,
    talk,
)

UPGRADE = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
HELLO, ECHO, BYE = b"\x81\x05hello", b"\x81\x04echo", b"\x88\x02\x03\xe8"


def echo(connection: socket.socket) -> None:
    connection.sendall(SWITCHED + HELLO)
    assert connection.recv(100) == ECHO
    connection.sendall(ECHO)
    assert connection.recv(100) == BYE
    connection.sendall(BYE)


def converse(browser: socket.socket, first: bytes) -> bytes:
    """What a browser hears that says ``first``, echoes, and says goodbye."""
    browser.sendall(first)
    heard = b""
    for reply in (ECHO, BYE):
        while not heard.endswith(HELLO if reply == ECHO else ECHO):
            heard += browser.recv(1000)
        browser.sendall(reply)
    return heard + everything(browser)


@pytest.mark.parametrize("secure", [False, True])
def test_a_websocket_is_recorded_verbatim_both_ways(tmp_path: Path, secure: bool) -> None:
    pki = Pki(tmp_path)
    with (
        RawServer({"/ws": echo}, pki.server().context(tmp_path) if secure else None) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, roots=pki.roots) as recorder,
    ):
        request = f"GET /ws HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode()
        if secure:
            with inside(recorder, server.port) as browser:
                assert converse(browser, request) == SWITCHED + HELLO + ECHO + BYE
        else:
            # Browsers ask for a tunnel before a plain WebSocket as well.
            with socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as browser:
                browser.sendall(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert browser.recv(19) == b"HTTP/1.1 200 OK\r\n\r\n"
                assert converse(browser, request) == SWITCHED + HELLO + ECHO + BYE
        recorder.stop()
        (exchange,) = recorder.exchanges
    assert exchange.kind == "websocket"
    assert exchange.url == f"{'wss' if secure else 'ws'}://127.0.0.1:{server.port}/ws"
    assert (exchange.status, exchange.problem, exchange.truncated) == (101, "", "")
    assert sent(tmp_path / "w", exchange) == request + ECHO + BYE
    assert received(tmp_path / "w", exchange) == SWITCHED + HELLO + ECHO + BYE
    assert (exchange.request_head, exchange.response_head) == (len(request), len(SWITCHED))
    order = [json.loads(line) for line in (tmp_path / "w" / exchange.order).read_text().splitlines()]
    sides = [(side, size) for _, side, size in order]
    assert sides == [("response", 7), ("request", 6), ("response", 6), ("request", 4), ("response", 4)]
    assert [at for at, _, _ in order] == sorted(at for at, _, _ in order)


def test_a_websocket_that_is_open_at_the_end_has_no_problem(tmp_path: Path) -> None:
    def stay(connection: socket.socket) -> None:
        connection.sendall(SWITCHED + HELLO)
        connection.recv(1)

    with (
        RawServer({"/ws": stay}) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
        socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as browser,
    ):
        browser.sendall(
            f"GET http://127.0.0.1:{server.port}/ws HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode()
        )
        heard = b""
        while not heard.endswith(HELLO):
            heard += browser.recv(1000)
        recorder.stop()
        (exchange,) = recorder.exchanges
    assert (exchange.kind, exchange.problem) == ("websocket", "")
    assert received(tmp_path / "w", exchange) == SWITCHED + HELLO


def test_a_websocket_that_is_refused_is_an_exchange_like_others(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    with (
        RawServer({"/ws": answer}) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
    ):
        assert get(recorder, server.port, "/ws", headers=UPGRADE) == answer
        (exchange,) = recorder.exchanges
        assert (exchange.kind, exchange.status, exchange.problem) == ("http", 403, "")


def test_the_settings_can_refuse_websockets(tmp_path: Path) -> None:
    with (
        RawServer({"/ws": echo}) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, websockets=False) as recorder,
    ):
        assert b"refused by the recorder's settings" in get(recorder, server.port, "/ws", headers=UPGRADE)
        assert server.requests == []
        assert "WebSocket" in recorder.exchanges[0].problem


def test_a_limit_ends_a_websocket(tmp_path: Path) -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(SWITCHED)
        while True:
            connection.sendall(b"\x82\x7e\xff\xff" + b"x" * 65535)

    with (
        RawServer({"/ws": flood}) as server,
        Recorder(
            tmp_path / "w", allowing(server.port), now=now, limits=RecorderLimits(body=500_000)
        ) as recorder,
    ):
        get(recorder, server.port, "/ws", headers=UPGRADE)
        recorder.stop()
        (exchange,) = recorder.exchanges
    assert recorder.limits_fired == ["one direction of an exchange is larger than 500000 bytes"]
    assert (exchange.problem, exchange.truncated) == (recorder.limits_fired[0], "length")
    assert len(received(tmp_path / "w", exchange)) == 500_000


# --- tunnels ---


def test_a_tunnel_is_counted_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    identity = pki.server()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
    with (
        RawServer({"/": answer}, identity.context(tmp_path)) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, mode="tunnel") as recorder,
    ):
        with inside(recorder, server.port) as browser:
            # The server's own certificate: nobody is in between.
            assert browser.getpeercert(binary_form=True) == identity.sent()[0]
            browser.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert everything(browser) == answer
            browser.unwrap()
        recorder.stop()
        (exchange,) = recorder.exchanges
    assert (exchange.kind, exchange.method, exchange.problem) == ("tunnel", "CONNECT", "")
    assert exchange.url == f"https://127.0.0.1:{server.port}"
    assert exchange.peer == ("127.0.0.1", server.port)
    assert exchange.resolved == ("127.0.0.1",)
    assert exchange.sent > 100
    assert exchange.received > 500
    assert (exchange.request, exchange.response, exchange.tls, exchange.chain) == (None, None, {}, ())
    kept = b"".join(path.read_bytes() for path in (tmp_path / "w").rglob("*") if path.is_file())
    assert b"secret" not in kept


def test_plain_http_is_recorded_in_tunnel_mode_too(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with (
        RawServer({"/": answer}) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, mode="tunnel") as recorder,
    ):
        get(recorder, server.port, "/")
        (exchange,) = recorder.exchanges
        assert (exchange.kind, received(tmp_path / "w", exchange)) == ("http", answer)


def test_a_tunnel_into_the_private_network_is_refused(tmp_path: Path) -> None:
    with (
        RawServer({}) as server,
        Recorder(tmp_path / "w", EgressPolicy(), now=now, mode="tunnel") as recorder,
    ):
        answer = talk(recorder, f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 502 Evidence recorder\r\n")
        assert b"not public" in answer
        assert server.connections == 0
        (exchange,) = recorder.exchanges
        assert exchange.kind == "tunnel"
        assert "not public" in exchange.problem


def test_a_limit_ends_a_tunnel(tmp_path: Path) -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    with (
        RawServer({"/": flood}) as server,
        Recorder(
            tmp_path / "w",
            allowing(server.port),
            now=now,
            mode="tunnel",
            limits=RecorderLimits(total=300_000),
        ) as recorder,
    ):
        talk(recorder, f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n".encode())
        recorder.stop()
        (exchange,) = recorder.exchanges
    assert exchange.sent + exchange.received == 300_000
    assert recorder.limits_fired == ["all exchanges together are larger than 300000 bytes"]
    assert exchange.problem == recorder.limits_fired[0]
