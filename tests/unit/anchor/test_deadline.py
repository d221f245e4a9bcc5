"""An exchange over HTTP ends in time, whatever the other side does."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evidence_service.anchor.deadline import DeadlineTransport
from tests.unit.anchor.custodians import Web3SignerServer

SECONDS = 0.4


@pytest.fixture
def server() -> Iterator[Web3SignerServer]:
    with Web3SignerServer() as server:
        assert isinstance(server, Web3SignerServer)
        yield server


@pytest.fixture
def client(server: Web3SignerServer) -> Iterator[httpx.Client]:
    # The limit for a read is far longer than that for the exchange.
    with httpx.Client(base_url=server.url, timeout=30, transport=DeadlineTransport(SECONDS)) as client:
        yield client


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"],
    ids=["status", "headers", "body"],
)
def test_a_dripping_answer_ends_in_time(server: Web3SignerServer, client: httpx.Client, start: bytes) -> None:
    server.drip = start
    started = time.monotonic()
    with pytest.raises((httpx.ReadTimeout, httpx.RemoteProtocolError)):
        client.get("/api/v1/eth1/publicKeys")
    assert time.monotonic() - started < SECONDS + 3


def test_silence_ends_in_time(server: Web3SignerServer, client: httpx.Client) -> None:
    server.silent = True
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        client.get("/api/v1/eth1/publicKeys")
    assert SECONDS - 0.1 < time.monotonic() - started < SECONDS + 3


def test_each_exchange_has_its_own_time_also_in_other_threads(
    server: Web3SignerServer, client: httpx.Client
) -> None:
    statuses: list[int] = []

    def ask() -> None:
        for _ in range(3):
            statuses.append(client.get("/api/v1/eth1/publicKeys").status_code)
            time.sleep(SECONDS / 2)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 9


def test_a_refused_connection_stays_what_it_is(server: Web3SignerServer, client: httpx.Client) -> None:
    server.__exit__()
    with pytest.raises(httpx.ConnectError):
        client.get("/")


def test_a_certificate_of_nobody_is_refused(server: Web3SignerServer, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "both.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with (
        httpx.Client(transport=DeadlineTransport(5)) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(server.url.replace("http://", "https://"))
