"""Web3Signer, against a server in tests that implements its documented ETH1 API.

No real Web3Signer (a Java program) was available where this was written: that its answers look as its OpenAPI
description and its source say is an assumption of these tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from eth_account import Account

from evidence_service.anchor import web3signer
from evidence_service.anchor.web3signer import Web3Signer
from evidence_service.errors import ConfigurationError, SignerUnavailableError
from tests.unit.anchor.custodians import ADDRESS, DEPLOYMENT, OTHER_SECRET, Reply, Web3SignerServer


@pytest.fixture
def server() -> Iterator[Web3SignerServer]:
    with Web3SignerServer() as server:
        assert isinstance(server, Web3SignerServer)
        yield server


@pytest.fixture
def signing(server: Web3SignerServer) -> Iterator[Web3Signer]:
    signer = Web3Signer(server.url, ADDRESS, timeout=0.3)
    yield signer
    signer.close()


def test_it_signs_what_it_hashes_itself(server: Web3SignerServer, signing: Web3Signer) -> None:
    for nonce in range(8):  # both parities come up
        raw = signing.sign_transaction({**DEPLOYMENT, "nonce": nonce})
        assert Account.recover_transaction(raw).lower() == ADDRESS == signing.address
    paths = [path for _, path, _ in server.seen]
    assert paths == ["/api/v1/eth1/publicKeys"] + [f"/api/v1/eth1/sign/{server.public_key()}"] * 8


def test_the_higher_s_becomes_the_lower(server: Web3SignerServer, signing: Web3Signer) -> None:
    low = signing.sign_transaction(DEPLOYMENT)
    server.high_s = True
    assert signing.sign_transaction(DEPLOYMENT) == low


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((500, "text/plain", b"Internal Server Error"), "HTTP 500 without a signature"),
        ((429, "text/plain", b""), "HTTP 429 without a signature"),
        ((307, "text/plain", b""), "HTTP 307 without a signature"),
        ((200, "text/html", b"<html>"), "HTTP 200 without a signature"),
        ((200, "text/plain", b"0x" + b"1" * 128), "HTTP 200 without a signature"),
        ((200, "text/plain", b"0x" + b"g" * 130), "HTTP 200 without a signature"),
        ((200, "text/plain", b"0x" + b"1" * 130), "not a signature of"),
        ((200, "text/plain", b"\xff" * 100), "HTTP 200 without a signature"),
        ((200, "text/plain", b"0" * (web3signer.MAX_ANSWER + 1)), "larger than"),
        ((404, "text/plain", b"Resource not found"), "has no key of"),
    ],
)
def test_no_signature_lets_anchors_wait(
    server: Web3SignerServer, signing: Web3Signer, reply: Reply, words: str
) -> None:
    signing.sign_transaction(DEPLOYMENT)
    server.instead = reply
    with pytest.raises(SignerUnavailableError, match=words) as refused:
        signing.sign_transaction(DEPLOYMENT)
    assert refused.value.what_to_do
    assert not any(path == "/elsewhere" for _, path, _ in server.seen)
    server.instead = None
    assert Account.recover_transaction(signing.sign_transaction(DEPLOYMENT)).lower() == ADDRESS


@pytest.mark.parametrize(
    "reply",
    [
        (500, "text/plain", b""),
        (200, "application/json", b"{}"),
        (200, "application/json", b"[" * 100_000),
        (200, "text/html", b"<html>"),
    ],
)
def test_a_list_of_keys_that_is_none(server: Web3SignerServer, signing: Web3Signer, reply: Reply) -> None:
    server.instead = reply
    with pytest.raises(SignerUnavailableError, match="without a list of public keys"):
        signing.sign_transaction(DEPLOYMENT)


@pytest.mark.parametrize("listed", [b"[]", b'["0x12", 7, null, "0x' + b"zz" * 64 + b'"]'])
def test_a_key_that_is_not_loaded_is_named(
    server: Web3SignerServer, signing: Web3Signer, listed: bytes
) -> None:
    server.instead = (200, "application/json", listed)
    with pytest.raises(SignerUnavailableError, match=f"has no key of {ADDRESS}") as refused:
        signing.sign_transaction(DEPLOYMENT)
    assert "load the key there" in refused.value.what_to_do


def test_a_signature_of_another_key_is_refused(server: Web3SignerServer, signing: Web3Signer) -> None:
    signing.sign_transaction(DEPLOYMENT)
    honest = server.public_key()
    server.secret, server.public_key = OTHER_SECRET, lambda: honest  # type: ignore[method-assign]
    with pytest.raises(SignerUnavailableError, match="not a signature of"):
        signing.sign_transaction(DEPLOYMENT)


def test_it_is_silent_or_gone(server: Web3SignerServer, signing: Web3Signer) -> None:
    server.silent = True
    with pytest.raises(SignerUnavailableError, match="did not answer: ReadTimeout"):
        signing.sign_transaction(DEPLOYMENT)
    server.__exit__()
    with pytest.raises(SignerUnavailableError, match="did not answer: ConnectError"):
        signing.sign_transaction(DEPLOYMENT)


def test_an_answer_that_drips_is_given_up() -> None:
    seconds = iter(range(1000))

    def drip(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=(b"x" for _ in range(500)))

    dripping = Web3Signer(
        "http://signer.example",
        ADDRESS,
        timeout=3.0,
        transport=httpx.MockTransport(drip),
        clock=lambda: float(next(seconds)),
    )
    with pytest.raises(SignerUnavailableError, match="took too long"):
        dripping.sign_transaction(DEPLOYMENT)


def test_a_reply_is_lost_after_it_signed(server: Web3SignerServer, signing: Web3Signer) -> None:
    signing.sign_transaction(DEPLOYMENT)
    server.lose = 1
    with pytest.raises(SignerUnavailableError, match="did not answer: RemoteProtocolError"):
        signing.sign_transaction(DEPLOYMENT)
    assert server.signatures == 2
    assert Account.recover_transaction(signing.sign_transaction(DEPLOYMENT)).lower() == ADDRESS


def test_a_password_in_the_url_is_sent_and_never_shown(server: Web3SignerServer) -> None:
    url = server.url.replace("http://", "http://anchor:hunter2@")
    seen = []
    signing = Web3Signer(url, ADDRESS, transport=httpx.MockTransport(lambda request: _record(seen, request)))
    with pytest.raises(SignerUnavailableError) as refused:
        signing.sign_transaction(DEPLOYMENT)
    assert seen == ["Basic YW5jaG9yOmh1bnRlcjI="]
    assert "hunter2" not in f"{refused.value} {refused.value.what_to_do} {signing!r}"
    with pytest.raises(ConfigurationError) as unusable:
        Web3Signer("ftp://anchor:hunter2@signer.example", ADDRESS)
    assert "hunter2" not in f"{unusable.value} {unusable.value.what_to_do}"


def _record(seen: list[str], request: httpx.Request) -> httpx.Response:
    seen.append(request.headers["Authorization"])
    return httpx.Response(503)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not the address of a key"):
        Web3Signer("http://signer.example", "0x12")
