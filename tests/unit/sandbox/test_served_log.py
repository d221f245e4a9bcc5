"""The sample marketplace's own log: what it received and sent, byte for byte, however it was framed."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from evidence_service.sandbox.marketplace import FIXTURES, Marketplace


@pytest.fixture
def marketplace() -> Iterator[Marketplace]:
    with Marketplace() as running:
        yield running


def receive(channel: socket.socket) -> bytes:
    found = b""
    while data := channel.recv(65536):
        found += data
    return found


def test_two_exchanges_on_one_connection_are_two_entries(marketplace: Marketplace) -> None:
    first = b"GET /item/100201 HTTP/1.1\r\nHost: a\r\nX-Odd:  two\r\n\r\n"
    second = b"POST /style.css HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    with socket.create_connection(("127.0.0.1", marketplace.port)) as channel:
        channel.sendall(first + second)
        answered = receive(channel)
    entries = marketplace.log.entries()
    assert [(item.connection, item.number, item.target) for item in entries] == [
        (1, 0, "/item/100201"),
        (1, 1, "/style.css"),
    ]
    assert [bytes(item.request) for item in entries] == [first, second]
    assert b"".join(bytes(item.response) for item in entries) == answered
    assert entries[1].sha256("request") == hashlib.sha256(second).hexdigest()
    assert entries[0].response_size + entries[1].response_size == len(answered)


@pytest.mark.parametrize(
    "name", ["gzip-chunked", "brotli", "deflate-until-close", "chunked", "duplicate-headers"]
)
def test_every_framing_says_the_same_to_a_client(marketplace: Marketplace, name: str) -> None:
    fixture = next(item for item in FIXTURES if item.name == name)
    answer = httpx.get(marketplace.fixture_url(fixture))
    assert answer.status_code == 200
    assert fixture.facts["price"] in answer.text
    assert answer.text.rstrip().endswith("</html>")


def test_set_cookie_comes_line_by_line(marketplace: Marketplace) -> None:
    fixture = next(item for item in FIXTURES if item.name == "duplicate-headers")
    headers = httpx.get(marketplace.fixture_url(fixture)).headers.multi_items()
    assert [value for name, value in headers if name == "set-cookie"][-1] == "c0=again; Path=/"
    assert len([name for name, _ in headers if name == "set-cookie"]) == 6


@pytest.mark.parametrize("name", ["broken-refused", "broken-reset-zh", "broken-closed", "broken-cut"])
def test_what_is_broken_off_is_an_error_to_a_client(marketplace: Marketplace, name: str) -> None:
    fixture = next(item for item in FIXTURES if item.name == name)
    with pytest.raises(httpx.TransportError):
        httpx.get(marketplace.fixture_url(fixture))
    sent = sum(item.response_size for item in marketplace.log.entries())
    assert (sent > 0) == (name == "broken-cut")


def test_an_endless_answer_ends_when_the_client_leaves(marketplace: Marketplace) -> None:
    fixture = next(item for item in FIXTURES if item.name == "broken-endless")
    with httpx.stream("GET", marketplace.fixture_url(fixture)) as answer:
        pieces = answer.iter_raw()
        for _ in range(20):
            next(pieces)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        before = marketplace.log.entries()[0].response_size
        time.sleep(0.2)
        if marketplace.log.entries()[0].response_size == before:
            return
    raise AssertionError("it goes on")


def test_the_log_can_be_cleared(marketplace: Marketplace) -> None:
    httpx.get(marketplace.url + "/style.css")
    marketplace.log.clear()
    assert marketplace.log.entries() == []
