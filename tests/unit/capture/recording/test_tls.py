"""TLS is verified; whoever fails gets no byte, and what they showed is kept."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_service.capture.exchange import Exchange
from evidence_service.capture.recorder import Recorder
from tests.unit.capture.recording.pki import Identity, Pki
from tests.unit.capture.recording.raw import RawServer, Scripted, allowing, get_inside, inside, now, received

ANSWERS = {
    "/": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/close": b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
}


def visit(
    pki: Pki, identity: Identity, directory: Path, *, tls_1_0: bool = False
) -> tuple[bytes, Exchange, list[bytes]]:
    """One request to a server that shows an identity: what the browser got, the exchange, what the server got."""
    context = identity.context(directory, tls_1_0=tls_1_0)
    with (
        RawServer(ANSWERS, context) as server,
        Recorder(directory / "w", allowing(server.port), now=now, roots=pki.roots) as recorder,
    ):
        answer = get_inside(recorder, server.port, "/")
        return answer, recorder.exchanges[0], server.requests


def kept(directory: Path, exchange: Exchange) -> list[bytes]:
    """The chain's certificates, after their names were compared with their hashes."""
    found = [(directory / "w" / "certificates" / f"{item}.der").read_bytes() for item in exchange.chain]
    assert tuple(hashlib.sha256(item).hexdigest() for item in found) == exchange.chain
    return found


def test_what_was_agreed_and_the_whole_chain_are_recorded(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    identity = pki.server()
    answer, exchange, _ = visit(pki, identity, tmp_path)
    assert answer == ANSWERS["/"]
    assert exchange.tls["verified"] == "yes"
    assert exchange.tls["version"] == "TLSv1.3"
    assert exchange.tls["cipher"].startswith("TLS_")
    assert exchange.tls["roots"].startswith("system, ")
    root = pki.roots.read_bytes()
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(root.decode())).hexdigest()
    assert exchange.tls["roots"].endswith(f"; and by the settings SHA-256 {digest}")
    assert kept(tmp_path, exchange) == identity.sent()


def test_the_protocol_both_sides_chose_is_recorded(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    context = pki.server().context(tmp_path)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        RawServer(ANSWERS, context) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, roots=pki.roots) as recorder,
    ):
        get_inside(recorder, server.port, "/")
        assert recorder.exchanges[0].tls["alpn"] == "http/1.1"


BAD = {
    "expired": (lambda pki: pki.server(days=(-30, -1)), "it has expired"),
    "not valid yet": (lambda pki: pki.server(days=(5, 30)), "it is not valid yet"),
    "wrong host": (lambda pki: pki.server("other.example"), "it is for another host than 127.0.0.1"),
    "wrong address": (lambda pki: pki.server("127.0.0.2"), "it is for another host than 127.0.0.1"),
    "self-signed": (lambda pki: pki.self_signed(), "it is self-signed"),
    "unknown root": (lambda pki: pki.unknown_root(), "its chain ends in a root nobody here trusts"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_chain_that_fails_is_kept_and_gets_no_byte(tmp_path: Path, name: str) -> None:
    pki = Pki(tmp_path)
    make, reason = BAD[name]
    identity = make(pki)
    answer, exchange, requests = visit(pki, identity, tmp_path)
    assert answer.startswith(b"HTTP/1.1 502 Evidence recorder\r\n")
    assert reason.encode() in answer
    assert requests == []
    assert exchange.tls["verified"] == reason
    assert reason in exchange.problem
    assert kept(tmp_path, exchange) == identity.sent()
    assert exchange.peer is not None
    assert (exchange.request, exchange.response) == (None, None)


def test_a_chain_without_its_intermediate_fails(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    identity = pki.server()
    identity.chain = ()
    _, exchange, requests = visit(pki, identity, tmp_path)
    assert exchange.tls["verified"].startswith("no trusted issuer is known")
    assert (requests, kept(tmp_path, exchange)) == ([], identity.sent())


def test_an_old_protocol_is_refused_and_named(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    answer, exchange, requests = visit(pki, pki.server(), tmp_path, tls_1_0=True)
    assert b"Evidence recorder" in answer
    assert exchange.tls["verified"].startswith("TLS handshake failed: ")
    assert exchange.peer is not None
    assert requests == []


def test_a_server_that_speaks_no_tls_is_named(tmp_path: Path) -> None:
    def answer_in_clear(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1000)

    with (
        Scripted(answer_in_clear) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
    ):
        assert b"cannot be spoken to" in get_inside(recorder, server.port, "/")
        assert "TLS handshake failed" in recorder.exchanges[0].tls["verified"]


def test_an_end_without_closure_alert_is_marked(tmp_path: Path) -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(ANSWERS["/close"])
        # The TCP connection ends; TLS was not told.
        socket.socket(fileno=connection.detach()).close()

    pki = Pki(tmp_path)
    with (
        RawServer({**ANSWERS, "/cut": cut}, pki.server().context(tmp_path)) as server,
        Recorder(tmp_path / "w", allowing(server.port), now=now, roots=pki.roots) as recorder,
    ):
        assert get_inside(recorder, server.port, "/close") == ANSWERS["/close"]
        with inside(recorder, server.port) as browser:
            browser.sendall(b"GET /cut HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises((ssl.SSLEOFError, AssertionError)):
                while browser.recv(1000):
                    pass
                raise AssertionError
        whole, cut_off = recorder.exchanges
        assert whole.problem == ""
        assert "closure alert" in cut_off.problem
        assert received(tmp_path / "w", cut_off) == ANSWERS["/close"]


def test_each_host_gets_a_certificate_of_the_capture_s_one_key(tmp_path: Path) -> None:
    with Recorder(tmp_path / "w", allowing(), now=now) as recorder:
        for host in ("shop.example", "127.0.0.1"):
            with inside(recorder, 1, host=host) as browser:
                der = browser.getpeercert(binary_form=True)
            assert der is not None
            certificate = x509.load_der_x509_certificate(der)
            spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            assert base64.b64encode(hashlib.sha256(spki).digest()).decode() == recorder.spki
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert [str(item.value) for item in names] == [host]
        # The key is in the memory of that process alone.
        assert sorted(item.name for item in (tmp_path / "w").iterdir()) == [
            "certificates",
            "journal.jsonl",
            "recorder.log",
            "reserve",
        ]
