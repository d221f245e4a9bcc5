"""A signing service: failed, failed but landed, wrong, hanging, and what each means for whoever waits."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from evidence_service.certificate.sealing import Sealed
from evidence_service.certificate.sealing.remote import RemoteKey
from evidence_service.egress.http import exchange
from evidence_service.errors import ConfigurationError, EvidenceServiceError, SignerUnavailableError
from tests.unit.certificate.sealing.conftest import SealIssuer
from tests.unit.certificate.sealing.signing_service import SigningService

SIGN = "/csc/v2/signatures/signHash"


@pytest.fixture
def remote(service: SigningService) -> RemoteKey:
    """Certificates are asked for; the whole exchange has a second."""
    return RemoteKey(
        service.url + "/", "p256", token=lambda: "bearer-secret", send=partial(exchange, seconds=1.0)
    )


def paths(service: SigningService) -> list[str]:
    return [path for _, path, _ in service.seen]


def test_nobody_is_asked_before_it_is_needed(service: SigningService, remote: RemoteKey) -> None:
    assert repr(remote) == "RemoteKey('p256')"
    assert service.seen == []
    assert remote.sign(b"one")
    assert remote.sign(b"two")
    assert paths(service) == ["/csc/v2/credentials/info", SIGN, SIGN]


def test_it_is_given_the_digest_alone(service: SigningService, remote: RemoteKey) -> None:
    remote.sign(b"what is signed")
    question = json.loads(service.seen[-1][2])
    assert question.keys() == {"credentialID", "hashes", "hashAlgorithmOID", "signAlgo"}
    assert b"what is signed" not in service.seen[-1][2]


def test_certificates_of_a_file_are_used_without_asking(
    service: SigningService, issuer: SealIssuer, tmp_path: Path
) -> None:
    file = tmp_path / "seal.pem"
    file.write_bytes(issuer.pem(service.credentials["p256"]))
    key = RemoteKey(service.url, "p256", token=lambda: "bearer-secret", certificates=file)
    assert key.sign(b"data")
    assert paths(service) == [SIGN]
    with pytest.raises(ConfigurationError, match=r"seal\.remote\.certificates_file"):
        RemoteKey(service.url, "p256", token=str, certificates=tmp_path / "absent.pem")


def test_the_token_is_read_for_every_request(service: SigningService) -> None:
    tokens = iter(["bearer-secret", "bearer-secret", "renewed-secret"])
    key = RemoteKey(service.url, "p256", token=lambda: next(tokens))
    key.sign(b"data")
    service.bearer = "renewed-secret"
    assert key.sign(b"data")


FAULTS = {
    "throttled": ((429, "application/json", b'{"error": "slow_down"}'), r"answered HTTP 429 \(slow_down\)"),
    "broken": ((500, "text/html", b"<h1>oops</h1>"), "HTTP 500"),
    "redirect": ((302, "text/html", b""), "HTTP 302"),
    "not JSON": ((200, "text/html", b"<html>"), "not JSON"),
    "no object": ((200, "application/json", b"[]"), "not JSON"),
    "nested": ((200, "application/json", b"[" * 100_000), "not JSON"),
    "empty": ((200, "application/json", b"{}"), "returned no signature"),
    "two": ((200, "application/json", b'{"signatures": ["AAAA", "AAAA"]}'), "returned no signature"),
    "not base64": ((200, "application/json", b'{"signatures": ["\xc3\xa4"]}'), "returned no signature"),
    "number": ((200, "application/json", b'{"signatures": [1]}'), "returned no signature"),
    "oversize": ((200, "application/json", b" " * 300_000), "larger than 262144 bytes"),
    "nonsense": ((200, "application/json", b'{"signatures": ["AAAA"]}'), "not a signature by the key"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_usable_answer_is_waited_for(fault: str, service: SigningService, remote: RemoteKey) -> None:
    remote.identity()
    service.instead, words = FAULTS[fault]
    with pytest.raises(SignerUnavailableError, match=words):
        remote.sign(b"data")
    service.instead = None
    assert remote.sign(b"data")


def test_a_signature_by_another_key_is_never_used(
    service: SigningService, remote: RemoteKey, issuer: SealIssuer, sealed: Callable[..., Sealed]
) -> None:
    for name, kind in (("other", "p256"), ("other rsa", "rsa2048")):
        service.signs_with = issuer.issued(name, kind)
        with pytest.raises(SignerUnavailableError, match="not a signature by the key of remote p256"):
            sealed(remote, "PAdES B-LTA")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_said_and_not_shown(
    status: int, service: SigningService, remote: RemoteKey
) -> None:
    service.bearer = "another"
    if status == 403:
        service.instead = (
            403,
            "application/json",
            b'{"error": "no <b>", "error_description": "bearer-secret"}',
        )
    with pytest.raises(SignerUnavailableError, match=f"refused the bearer token: HTTP {status}") as raised:
        remote.sign(b"data")
    assert "seal.remote.token_file" in raised.value.what_to_do
    assert "bearer-secret" not in "".join(traceback.format_exception(raised.value))
    assert "<b>" not in raised.value.told


def test_an_unknown_credential_is_a_setting(service: SigningService) -> None:
    key = RemoteKey(service.url, "absent", token=lambda: "bearer-secret")
    with pytest.raises(ConfigurationError, match=r"HTTP 400 \(invalid_request\)") as raised:
        key.sign(b"data")
    assert "seal.remote.credential" in raised.value.what_to_do


def test_certificates_that_cannot_be_read_are_not_remembered(
    service: SigningService, remote: RemoteKey
) -> None:
    for body in (b"{}", b'{"cert": {"certificates": ["AAAA"]}}', b'{"cert": {"certificates": [1]}}'):
        service.instead = (200, "application/json", body)
        with pytest.raises(SignerUnavailableError, match="no certificates that can be read"):
            remote.identity()
    service.instead = (200, "application/json", b'{"cert": {"certificates": []}}')
    with pytest.raises(ConfigurationError, match="holds no certificate"):
        remote.identity()
    service.instead = None
    assert remote.identity().certificate == service.credentials["p256"].certificate


@pytest.mark.parametrize("way", ["silent", "drip"])
def test_a_hanging_service_ends_with_the_deadline(
    way: str, service: SigningService, remote: RemoteKey
) -> None:
    remote.identity()
    if way == "silent":
        service.silent = True
    else:
        service.drip = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    with pytest.raises(SignerUnavailableError, match="did not answer completely within 1 s"):
        remote.sign(b"data")


def test_a_service_that_is_down_is_waited_for(remote: RemoteKey, service: SigningService) -> None:
    remote.identity()
    service.shutdown()
    service.server_close()
    with pytest.raises(SignerUnavailableError, match="gave no answer"):
        remote.sign(b"data")


def test_failed_but_landed_is_signed_again(
    service: SigningService, remote: RemoteKey, sealed: Callable[..., Sealed]
) -> None:
    remote.identity()
    service.lose = 1
    with pytest.raises(EvidenceServiceError) as raised:
        sealed(remote, "PAdES B-T")
    assert isinstance(raised.value, SignerUnavailableError)
    assert service.signatures == 1
    # The lost signature is over a file nobody has; the next attempt stands by itself.
    assert sealed(remote, "PAdES B-LTA").level == "PAdES B-LTA"
    assert service.signatures == 2
