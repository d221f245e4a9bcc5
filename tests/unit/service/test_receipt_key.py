"""The key of receipts: made once, kept private, refused in words when it cannot be used."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core import receipt
from evidence_service.errors import ConfigurationError
from evidence_service.service.receipt_key import ReceiptKey, open_or_make
from evidence_service.verify.receipt import read_public_key


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "receipt-key.pem"
    key = open_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert key.key_id == receipt.key_id(read_public_key(key.public_pem()))
    assert open_or_make(path).key_id == key.key_id == ReceiptKey(path).key_id
    assert open_or_make(path).sign(b"data") == key.sign(b"data")


def make(path: str) -> str:
    return open_or_make(Path(path)).key_id


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.map(make, [str(tmp_path / "key.pem")] * 16, chunksize=1)
    assert len(set(found)) == 1
    assert [item.name for item in tmp_path.iterdir()] == ["key.pem"]


def test_what_is_no_such_key_is_refused_without_quoting_it(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ReceiptKey(path)
    path.write_bytes(b"a secret, not a key")
    with pytest.raises(ConfigurationError, match="no private key") as caught:
        ReceiptKey(path)
    assert "secret" not in caught.value.message
    assert "openssl genpkey" in caught.value.what_to_do
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigurationError, match="another kind of key"):
        ReceiptKey(path)
    locked = Ed25519PrivateKey.generate()
    path.write_bytes(locked.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    with pytest.raises(ConfigurationError, match="without a password"):
        ReceiptKey(path)


def test_a_promise_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_directory=tmp_path, batch_seconds=600, promised_delay_seconds=600)
    with pytest.raises(ConfigurationError, match=r"may take 690 s") as caught:
        bootstrap.promised_delay(settings)
    assert "promised_delay_seconds to 690" in caught.value.what_to_do
    enough = Settings(data_directory=tmp_path, batch_seconds=600, promised_delay_seconds=690)
    assert bootstrap.promised_delay(enough).total_seconds() == 690
