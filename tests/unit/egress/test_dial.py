"""The address that was checked is the one that is connected to, and nothing is sent before."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from evidence_service.egress import dial as dialling
from evidence_service.egress.dial import Connection, Deadlines, check_peer, dial
from evidence_service.egress.policy import EgressPolicy
from evidence_service.egress.resolver import Resolution
from evidence_service.errors import PolicyRefusedError, UnavailableError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.2)
        yield server


def resolving(*addresses: str, host: str = "shop.test", port: int = 0) -> EgressPolicy:
    return EgressPolicy(
        frozenset({(host, port)} if port else ()),
        resolver=lambda name, number: Resolution(addresses, "test"),
    )


def connect(policy: EgressPolicy, host: str, port: int) -> Connection:
    async def run() -> Connection:
        connection = await dial(policy, host, port, deadlines=Deadlines(connect=2))
        connection.writer.close()
        return connection

    return asyncio.run(run())


def test_a_connection_says_who_it_is_with_and_who_was_asked(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    connection = connect(resolving("127.0.0.1", port=port), "shop.test", port)
    assert connection.peer == ("127.0.0.1", port)
    assert connection.local[0] == "127.0.0.1"
    assert connection.resolution == Resolution(("127.0.0.1",), "test")


def test_a_later_address_is_tried_when_the_first_does_not_answer(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert connect(resolving("127.0.0.2", "127.0.0.1", port=port), "shop.test", port).peer[0] == "127.0.0.1"


def test_one_forbidden_address_stops_the_connection_to_all(listener: socket.socket) -> None:
    with pytest.raises(PolicyRefusedError, match=r"127\.0\.0\.1"):
        connect(resolving("8.8.8.8", "127.0.0.1"), "shop.test", listener.getsockname()[1])
    with pytest.raises(TimeoutError):
        listener.accept()


def test_each_connection_resolves_once(listener: socket.socket) -> None:
    """A name that changes between two answers cannot be checked with one and connected with the other."""
    port, asked = listener.getsockname()[1], []

    def rebinding(host: str, number: int) -> Resolution:
        asked.append(host)
        return Resolution(("127.0.0.1",) if len(asked) == 1 else ("127.0.0.2",), "test")

    policy = EgressPolicy(frozenset({("shop.test", port)}), resolver=rebinding)
    assert connect(policy, "shop.test", port).peer[0] == "127.0.0.1"
    assert asked == ["shop.test"]


def test_a_peer_that_is_not_the_checked_address_is_refused() -> None:
    with pytest.raises(PolicyRefusedError, match="peer"):
        check_peer(EgressPolicy(), "shop.test", 80, "8.8.8.8", "9.9.9.9")
    with pytest.raises(PolicyRefusedError, match="not public"):
        check_peer(EgressPolicy(), "shop.test", 80, "8.8.8.8", "10.0.0.1")
    check_peer(EgressPolicy(), "shop.test", 80, "2606:4700::1", "2606:4700:0::1")


def test_the_peer_is_checked_before_anything_is_sent(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listener.getsockname()[1]

    def refuse(*_: object) -> None:
        raise PolicyRefusedError("the peer is another one")

    monkeypatch.setattr(dialling, "check_peer", refuse)
    with pytest.raises(PolicyRefusedError):
        connect(resolving("127.0.0.1", port=port), "shop.test", port)
    accepted, _ = listener.accept()
    with closing(accepted):
        assert accepted.recv(100) == b""


def test_nobody_there_is_a_matter_of_availability() -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        connect(resolving("127.0.0.1", port=1), "shop.test", 1)


def test_a_resolver_that_hangs_ends_with_the_deadline() -> None:
    async def run() -> None:
        release = asyncio.Event()

        def hang(host: str, port: int) -> Resolution:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)
            return Resolution(("8.8.8.8",), "test")

        loop = asyncio.get_running_loop()
        try:
            await dial(EgressPolicy(resolver=hang), "shop.test", 80, deadlines=Deadlines(resolve=0.05))
        finally:
            release.set()

    with pytest.raises(UnavailableError, match="did not resolve"):
        asyncio.run(run())
