"""AWS KMS: its protocol against moto, its faults against a server that speaks the protocol and fails.

Neither is AWS. moto hashes what it is told to sign although it is told that it is a digest; the fixture puts
that right, and the server refuses anything but a digest.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from eth_account import Account

from evidence_service.anchor import kms
from evidence_service.anchor.kms import KmsSigner
from evidence_service.errors import ConfigurationError, SignerUnavailableError
from tests.unit.anchor.custodians import ADDRESS, DEPLOYMENT, OTHER_SECRET, KmsServer, Reply, kms_error

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of moto's KMS."""
    import boto3
    from moto import mock_aws
    from moto.kms.utils import ECDSAPrivateKey

    def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:
        assert signing_algorithm == "ECDSA_SHA_256"
        made: bytes = self.private_key.sign(message, ec.ECDSA(Prehashed(SHA256())))
        return made

    monkeypatch.setattr(ECDSAPrivateKey, "sign", sign)
    with mock_aws():
        yield boto3.client("kms", region_name=REGION)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsServer]:
    monkeypatch.setattr(kms, "READ_SECONDS", 0.3)
    monkeypatch.setattr(kms, "CONNECT_SECONDS", 0.3)
    with KmsServer() as server:
        assert isinstance(server, KmsServer)
        yield server


def signer(server: KmsServer, *, address: str = "") -> KmsSigner:
    return KmsSigner("alias/anchor", region=REGION, endpoint=server.url, address=address)


def key(client: Any, spec: str = "ECC_SECG_P256K1") -> str:
    return str(client.create_key(KeyUsage="SIGN_VERIFY", KeySpec=spec)["KeyMetadata"]["KeyId"])


def test_a_key_of_kms_signs_transactions_for_its_address(moto: Any) -> None:
    signing = KmsSigner(key(moto), region=REGION)
    for nonce in range(8):  # both parities and both values of s come up
        raw = signing.sign_transaction({**DEPLOYMENT, "nonce": nonce})
        assert Account.recover_transaction(raw).lower() == signing.address


def test_a_key_of_another_curve_is_refused(moto: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not of secp256k1"):
        _ = KmsSigner(key(moto, "ECC_NIST_P256"), region=REGION).address


def test_an_unknown_key_is_named(moto: Any) -> None:
    with pytest.raises(SignerUnavailableError, match="NotFoundException") as refused:
        _ = KmsSigner("no-such-key", region=REGION).address
    assert refused.value.what_to_do == "correct the key id and the region"


def test_the_address_is_asked_once_or_never(server: KmsServer) -> None:
    asking = signer(server)
    assert asking.address == asking.address == ADDRESS
    assert len(server.seen) == 1
    assert signer(server, address=ADDRESS).address == ADDRESS
    assert len(server.seen) == 1


def test_the_higher_s_becomes_the_lower(server: KmsServer) -> None:
    low = signer(server).sign_transaction(DEPLOYMENT)
    server.high_s = True
    assert signer(server).sign_transaction(DEPLOYMENT) == low


@pytest.mark.parametrize(
    ("reply", "code", "advice"),
    [
        (kms_error("ThrottlingException"), "ThrottlingException", "tried again"),
        (kms_error("KMSInternalException", 500), "KMSInternalException", "tried again"),
        (kms_error("DisabledException"), "DisabledException", "enable the key"),
        (kms_error("KMSInvalidStateException"), "KMSInvalidStateException", "deletion"),
        (kms_error("AccessDeniedException"), "AccessDeniedException", "grant kms:Sign"),
        (kms_error("ExpiredTokenException"), "ExpiredTokenException", "renew"),
        ((200, "text/html", b"<html>"), "key alias/anchor", "tried again"),
        ((200, "application/x-amz-json-1.1", b'{"Signature": "AAAA"}'), "no DER signature", "tried again"),
        ((200, "application/x-amz-json-1.1", b"{}"), "no DER signature", "tried again"),
        ((200, "application/x-amz-json-1.1", b'{"Signature": 7}'), "alias/anchor", "tried again"),
        ((200, "application/x-amz-json-1.1", b"[1]"), "alias/anchor", "tried again"),
        ((503, "text/plain", b""), "503", "tried again"),
    ],
)
def test_no_signature_lets_anchors_wait(server: KmsServer, reply: Reply, code: str, advice: str) -> None:
    server.instead = reply
    with pytest.raises(SignerUnavailableError, match=code) as refused:
        signer(server, address=ADDRESS).sign_transaction(DEPLOYMENT)
    assert advice in refused.value.what_to_do
    assert "secret" not in str(refused.value)
    server.instead = None
    raw = signer(server, address=ADDRESS).sign_transaction(DEPLOYMENT)
    assert Account.recover_transaction(raw).lower() == ADDRESS


def test_a_signature_of_another_key_is_refused(server: KmsServer) -> None:
    signing = signer(server)
    assert signing.address == ADDRESS
    server.secret = OTHER_SECRET
    with pytest.raises(SignerUnavailableError, match="not a signature of"):
        signing.sign_transaction(DEPLOYMENT)


@pytest.mark.parametrize("body", [b'{"PublicKey": "AAAA"}', b"{}"])
def test_a_public_key_that_is_none_is_refused(server: KmsServer, body: bytes) -> None:
    server.instead = (200, "application/x-amz-json-1.1", body)
    with pytest.raises(SignerUnavailableError, match="returned no public key"):
        _ = signer(server).address


def test_kms_is_silent_or_gone(server: KmsServer) -> None:
    signing = signer(server, address=ADDRESS)
    server.silent = True
    with pytest.raises(SignerUnavailableError, match="did not answer"):
        signing.sign_transaction(DEPLOYMENT)
    server.__exit__()
    with pytest.raises(SignerUnavailableError, match="did not answer"):
        signing.sign_transaction(DEPLOYMENT)


def test_a_reply_is_lost_after_kms_signed(server: KmsServer) -> None:
    signing = signer(server, address=ADDRESS)
    server.lose = kms.TRIES
    with pytest.raises(SignerUnavailableError, match="did not answer"):
        signing.sign_transaction(DEPLOYMENT)
    assert server.signatures == kms.TRIES
    raw = signing.sign_transaction(DEPLOYMENT)
    assert Account.recover_transaction(raw).lower() == ADDRESS


def test_nothing_secret_is_shown(server: KmsServer) -> None:
    assert repr(signer(server)) == "KmsSigner('alias/anchor')"


def test_no_region_and_no_boto3_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        KmsSigner("alias/anchor")
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "boto3":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigurationError) as refused:
        KmsSigner("alias/anchor", region=REGION)
    assert "evidence-service[kms]" in refused.value.what_to_do
