"""The capture campaign in short, and that its judges find what they are for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from evidence_service.sandbox.marketplace import FIXTURES
from evidence_service.sandbox.marketplace.log import ServedExchange
from tests.capture.campaign import SHORT, judge
from tests.capture.recorded import differing


def test_the_short_set_names_fixtures() -> None:
    names = {fixture.name for fixture in FIXTURES}
    assert set(SHORT) <= names
    languages = {fixture.language for fixture in FIXTURES if fixture.name in SHORT}
    assert languages == {"en", "zh-CN"}


@pytest.mark.parametrize("name", SHORT)
def test_a_fixture_is_captured_as_it_has_to_be(name: str) -> None:
    found = judge(name)
    assert (found.mislabelled, found.bytes_differing, found.warcio, found.wacz) == ([], [], [], [])
    assert found.cited >= (8 if name in ("gzip-chunked", "websocket") else 0)


def package(directory: Path, request: bytes, response: bytes) -> None:
    """A package of one exchange."""
    warc = b""
    for kind, block in (("request", request), ("response", response)):
        head = f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://127.0.0.1:9/a\r\nContent-Length: {len(block)}\r\n\r\n"
        warc += gzip.compress(head.encode() + block + b"\r\n\r\n")
    (directory / "exchanges.warc.gz").write_bytes(warc)


def served(request: bytes, response: bytes) -> list[ServedExchange]:
    entry = ServedExchange(1, 0, "/a")
    entry.received(request)
    entry.sent(response)
    return [entry]


@pytest.mark.parametrize(
    ("request_", "response", "broken", "faults"),
    [
        (b"GET", b"HTTP/1.1 200 OK", False, 0),
        (b"GET", b"HTTP/1.1 200 O", False, 2),
        (b"GET", b"HTTP/1.1 200 O", True, 0),
        (b"GET", b"HTTP/1.1 200 XX", True, 2),
        (b"PUT", b"HTTP/1.1 200 OK", False, 2),
    ],
)
def test_one_byte_of_difference_is_found(
    tmp_path: Path, request_: bytes, response: bytes, broken: bool, faults: int
) -> None:
    package(tmp_path, request_, response)
    found = differing(tmp_path, served(b"GET", b"HTTP/1.1 200 OK"), port=9, broken=broken)
    assert len(found) == faults, found


def test_an_exchange_that_is_in_no_record_is_found(tmp_path: Path) -> None:
    package(tmp_path, b"GET", b"OK")
    twice = [*served(b"GET", b"OK"), *served(b"GET", b"OK")]
    assert len(differing(tmp_path, twice, port=9, broken=False)) == 2
