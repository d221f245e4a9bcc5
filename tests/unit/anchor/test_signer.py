"""All signers share how a transaction is encoded, and that no signature is believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.anchor import transaction as eip1559
from evidence_service.anchor.kms import KmsSigner
from evidence_service.anchor.signer import CheckedSigner, KeystoreSigner, LocalSigner
from evidence_service.anchor.web3signer import Web3Signer
from evidence_service.bootstrap import signer
from evidence_service.config import SignerSettings
from evidence_service.errors import ConfigurationError, SignerUnavailableError, UnavailableError
from tests.unit.anchor.custodians import ADDRESS, DEPLOYMENT, ORDER, OTHER_SECRET, SECRET

PASSWORD = "correct horse battery staple"


class Given(CheckedSigner):
    """A custodian that returns what it was made with."""

    def __init__(self, r: int, s: int) -> None:
        self.pair = (r, s)

    @property
    def address(self) -> str:
        return ADDRESS

    def _sign(self, payload: bytes) -> tuple[int, int]:
        return self.pair


def genuine(secret: bytes = SECRET, transaction: Mapping[str, Any] = DEPLOYMENT) -> tuple[int, int]:
    return LocalSigner(secret)._sign(eip1559.unsigned(transaction))


@given(
    st.fixed_dictionaries(
        {
            "chainId": st.integers(1, 2**63),
            "nonce": st.integers(0, 2**64 - 2),
            "to": st.binary(min_size=20, max_size=20),
            "value": st.integers(0, 2**96),
            "data": st.binary(max_size=200),
            "gas": st.integers(21_000, 30_000_000),
            "maxFeePerGas": st.integers(0, 2**64),
            "maxPriorityFeePerGas": st.integers(0, 2**64),
        }
    )
)
def test_the_bytes_are_those_of_another_implementation(transaction: dict[str, Any]) -> None:
    other = Account.from_key(SECRET).sign_transaction({**transaction, "type": 2})
    assert LocalSigner(SECRET).sign_transaction(transaction) == bytes(other.raw_transaction)


def test_the_higher_s_is_lowered_and_recovers_the_same_address() -> None:
    r, s = genuine()
    raw = Given(r, ORDER - s).sign_transaction(DEPLOYMENT)
    assert raw == Given(r, s).sign_transaction(DEPLOYMENT)
    assert Account.recover_transaction(raw).lower() == ADDRESS


@pytest.mark.parametrize(
    "pair",
    [
        genuine(OTHER_SECRET),
        genuine(transaction={**DEPLOYMENT, "nonce": 8}),
        (0, 1),
        (1, 0),
        (ORDER, 1),
        (1, ORDER),
        (5, 1),  # 5 is the x coordinate of no point of secp256k1
        (-1, 1),
    ],
    ids=["other key", "other bytes", "r 0", "s 0", "r too large", "s too large", "no point", "negative"],
)
def test_a_signature_that_is_not_the_addresss_is_never_handed_out(pair: tuple[int, int]) -> None:
    with pytest.raises(SignerUnavailableError, match=f"not a signature of {ADDRESS}"):
        Given(*pair).sign_transaction(DEPLOYMENT)


def test_signing_again_gives_the_same_bytes() -> None:
    local = LocalSigner(SECRET)
    assert local.sign_transaction(DEPLOYMENT) == local.sign_transaction(DEPLOYMENT)


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, b"", b"\x01" * 31, b"\x01" * 33])
def test_a_key_that_is_none_is_refused_without_quoting_it(key: bytes) -> None:
    with pytest.raises(ConfigurationError) as refused:
        LocalSigner(key)
    assert refused.value.__cause__ is None
    assert key.hex() not in str(refused.value) or not key


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(SECRET, PASSWORD, kdf="scrypt", iterations=2**4)))
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return path


def test_nothing_secret_is_shown(keystore: Path) -> None:
    opened = KeystoreSigner(keystore, PASSWORD)
    assert repr(opened) == f"KeystoreSigner({ADDRESS})"
    with pytest.raises(ConfigurationError) as refused:
        KeystoreSigner(keystore, "wrong horse")
    shown = f"{refused.value} {refused.value.what_to_do} {refused.value.__cause__!r}"
    assert "horse" not in shown
    assert SECRET.hex() not in shown


def test_a_signer_is_made_of_its_settings(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic import TypeAdapter, ValidationError

    read = TypeAdapter(SignerSettings).validate_python
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    made = [
        signer(read({"kind": "keystore", "path": keystore, "password_file": keystore.with_name("password")})),
        signer(
            read({"kind": "aws_kms", "key_id": "alias/anchor", "region": "eu-west-1", "address": ADDRESS})
        ),
        signer(read({"kind": "web3signer", "url": "https://signer.example:9000", "address": ADDRESS})),
    ]
    assert [type(one) for one in made] == [KeystoreSigner, KmsSigner, Web3Signer]
    assert {one.address for one in made} == {ADDRESS}
    for wrong in (
        {"kind": "ledger"},
        {"kind": "keystore", "path": "x"},
        {"kind": "web3signer", "url": "https://signer.example", "address": "0x1"},
        {"kind": "aws_kms", "key_id": ""},
    ):
        with pytest.raises(ValidationError):
            read(wrong)


def test_a_custodian_that_is_down_is_the_world_not_the_evidence() -> None:
    assert issubclass(SignerUnavailableError, UnavailableError)
