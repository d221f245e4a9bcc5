"""Where recording stops: each limit fires, is named, and ends what it has to end; policy holds."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence_service.capture.recorder import Recorder, RecorderLimits
from evidence_service.egress.policy import EgressPolicy
from evidence_service.egress.resolver import Resolution
from evidence_service.errors import ConfigurationError
from tests.unit.capture.recording.raw import RawServer, allowing, everything, get, now, received, sent, talk

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def stall(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"some")
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    connection.sendall(HEAD)
    while not _GONE.wait(0.05):
        connection.sendall(b"x")


def silent(connection: socket.socket) -> None:
    connection.recv(1)


_GONE = threading.Event()
Case = tuple[Callable[[socket.socket], None], RecorderLimits, str, str]
CASES: dict[str, Case] = {
    "endless body": (
        endless,
        RecorderLimits(body=300_000),
        "one direction of an exchange is larger than 300000 bytes",
        "length",
    ),
    "too much in all": (
        endless,
        RecorderLimits(total=300_000),
        "all exchanges together are larger than 300000 bytes",
        "length",
    ),
    "stalled body": (stall, RecorderLimits(idle=0.5), "the server sent nothing for 0.5 seconds", "time"),
    "no answer": (silent, RecorderLimits(idle=0.5), "the server sent nothing for 0.5 seconds", "time"),
    "one-byte drip": (
        drip,
        RecorderLimits(seconds=1.5),
        "the recorder's time of 1.5 seconds is over",
        "time",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_server_without_an_end_is_ended(tmp_path: Path, name: str) -> None:
    behave, limits, words, truncated = CASES[name]
    with (
        RawServer({"/": behave}) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, limits=limits) as recorder,
    ):
        got = get(recorder, server.port, "/")
        recorder.stop()
        (exchange,) = recorder.exchanges
    assert recorder.limits_fired == [words]
    assert (exchange.problem, exchange.truncated) == (words, truncated)
    if exchange.response is not None:
        kept = received(tmp_path / "w", exchange)
        assert len(kept) <= 300_000
        assert kept.startswith(got)
    else:
        assert got.startswith(b"HTTP/1.1 502 Evidence recorder\r\n")


def test_an_upload_has_limits_too(tmp_path: Path) -> None:
    with (
        RawServer({"/": OK}) as server,
        Recorder(
            tmp_path / "w", allowing(server.port), now=now, limits=RecorderLimits(body=1000)
        ) as recorder,
    ):
        line = f"POST http://127.0.0.1:{server.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
        answer = talk(recorder, line.encode() + b"x" * 5000)
        assert b"502 Evidence recorder" in answer
        recorder.stop()
        (exchange,) = recorder.exchanges
    assert recorder.limits_fired == ["one direction of an exchange is larger than 1000 bytes"]
    assert (exchange.truncated, len(sent(tmp_path / "w", exchange))) == ("length", 1000)


def test_there_are_only_so_many_exchanges(tmp_path: Path) -> None:
    with (
        RawServer({"/": OK}) as server,
        Recorder(
            tmp_path / "w", allowing(server.port), now=now, limits=RecorderLimits(exchanges=2)
        ) as recorder,
    ):
        for _ in range(2):
            assert get(recorder, server.port, "/") == OK
        for _ in range(2):
            assert b"limit of exchanges" in get(recorder, server.port, "/")
        assert recorder.limits_fired == ["more than 2 exchanges"]
        assert len(recorder.exchanges) == len(server.requests) == 2


def test_there_are_only_so_many_connections_at_one_time(tmp_path: Path) -> None:
    with (
        RawServer({"/": OK}) as server,
        Recorder(
            tmp_path / "w", allowing(server.port), now=now, limits=RecorderLimits(connections=1)
        ) as recorder,
    ):
        with socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as first:
            request = f"GET http://127.0.0.1:{server.port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            first.sendall(request)
            assert first.recv(1000) == OK
            with socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as second:
                assert b"limit of connections" in everything(second)
        assert recorder.limits_fired == ["more than 1 connections at one time"]


def test_after_its_time_nothing_is_carried_out(tmp_path: Path) -> None:
    with (
        RawServer({"/": OK, "/silent": silent}) as server,
        Recorder(
            tmp_path / "w", allowing(server.port), now=now, limits=RecorderLimits(seconds=0.5)
        ) as recorder,
    ):
        get(recorder, server.port, "/silent")
        assert b"503 Evidence recorder" in get(recorder, server.port, "/")
        assert len(server.requests) == 1
        assert recorder.alive


def test_heads_have_a_limit_both_ways(tmp_path: Path) -> None:
    large = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 5000 + b"\r\nContent-Length: 0\r\n\r\n"
    with (
        RawServer({"/": OK, "/large": large}) as server,
        Recorder(
            tmp_path / "w", allowing(server.port), now=now, limits=RecorderLimits(head=2000)
        ) as recorder,
    ):
        answer = get(recorder, server.port, "/large")
        assert answer.startswith(b"HTTP/1.1 502 Evidence recorder\r\n")
        assert "a head is larger than 2000 bytes" in recorder.exchanges[0].problem
        assert received(tmp_path / "w", recorder.exchanges[0]) == large
        assert b"larger than 2000" in get(recorder, server.port, "/", headers=f"X: {'x' * 3000}\r\n")
        assert len(server.requests) == 1


# --- policy ---


def test_a_private_address_gets_no_byte(tmp_path: Path) -> None:
    with RawServer({"/": OK}) as server, Recorder(tmp_path / "w", EgressPolicy(), now=now) as recorder:
        answer = get(recorder, server.port, "/")
        assert answer.startswith(b"HTTP/1.1 502 Evidence recorder\r\nEvidence-Recorder: ")
        assert b"not public" in answer
        assert server.connections == 0
        (exchange,) = recorder.exchanges
        assert "not public (loopback, RFC 1122)" in exchange.problem
        assert exchange.resolved == ("127.0.0.1",)
        assert (exchange.request, exchange.response, exchange.peer) == (None, None, None)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Recorder(tmp_path / "w", allowing(1), now=now) as recorder:
        assert b"cannot be reached" in get(recorder, 1, "/")


def test_a_policy_that_cannot_be_handed_over_is_refused(tmp_path: Path) -> None:
    policy = EgressPolicy(resolver=lambda host, port: Resolution((f"{host}:{port}",), "test"))
    with pytest.raises(ConfigurationError, match="cannot be handed"):
        Recorder(tmp_path / "w", policy, now=now)


def test_the_recorder_s_own_words_are_no_record(tmp_path: Path) -> None:
    with Recorder(tmp_path / "w", EgressPolicy(), now=now) as recorder:
        get(recorder, 1, "/")
        files = [
            path for path in (tmp_path / "w").rglob("*") if path.is_file() and path.name != "journal.jsonl"
        ]
        assert not any(re.search(rb"Evidence recorder", path.read_bytes()) for path in files)
