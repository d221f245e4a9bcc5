"""Keys in files and in tokens: what is wrong with them is said, and no secret with it."""

from __future__ import annotations

import builtins
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from evidence_service.certificate.sealing import SealKey
from evidence_service.certificate.sealing.keys import read_certificates
from evidence_service.certificate.sealing.pkcs11 import Pkcs11Key
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key
from evidence_service.errors import ConfigurationError, SignerUnavailableError
from tests.forgeries.keys import certify, key
from tests.unit.certificate.sealing.conftest import PIN, SealIssuer, Token, file_key, key_file

WRONG = "0815-secret"
Opens = Callable[..., Pkcs11Key]


@pytest.fixture
def opens(token: Token, issuer: SealIssuer, tmp_path: Path) -> Opens:
    """Opens the token; what is not said is as it should be."""

    def open_key(of: str = "p256", **changes: Any) -> Pkcs11Key:
        file = tmp_path / "certificates.pem"
        file.write_bytes(issuer.pem(issuer.issued(f"pkcs11 {of}", of)))
        usual = {"module": token.module, "token": token.label, "pin": PIN, "key": of, "certificates": file}
        return Pkcs11Key(**{**usual, **changes})

    return open_key


def test_a_file_that_cannot_be_used_is_named(issuer: SealIssuer, tmp_path: Path) -> None:
    path = tmp_path / "seal.p12"
    with pytest.raises(ConfigurationError, match=r"seal\.pkcs12 \(.*\) cannot be read: No such file"):
        Pkcs12Key(path, "x")
    path.write_bytes(b"not PKCS#12")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        Pkcs12Key(path, "x")
    issued = issuer.issued("file", "p256")
    key_file(issued, issued.certificate, tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be opened") as raised:
        Pkcs12Key(path, WRONG)
    assert "seal.password_file" in raised.value.what_to_do
    assert WRONG not in "".join(traceback.format_exception(raised.value))


def test_a_file_without_a_key_that_is_read_is_refused(issuer: SealIssuer, tmp_path: Path) -> None:
    path = tmp_path / "seal.p12"
    own = issuer.issued("file", "p256")
    for stored, certificate in ((None, own.certificate), (ed25519.Ed25519PrivateKey.generate(), None)):
        path.write_bytes(serialize_key_and_certificates(b"x", stored, certificate, None, NoEncryption()))
        with pytest.raises(ConfigurationError, match="does not hold an RSA or elliptic-curve key"):
            Pkcs12Key(path, "")


def test_key_and_certificate_of_a_file_belong_together(issuer: SealIssuer, tmp_path: Path) -> None:
    path = tmp_path / "seal.p12"
    own, other = issuer.issued("file", "p256"), issuer.issued("other", "p256")
    others = [other.certificate]
    path.write_bytes(serialize_key_and_certificates(b"x", own.key, None, others, NoEncryption()))
    with pytest.raises(ConfigurationError, match="with its certificate"):
        Pkcs12Key(path, "")


def test_what_is_no_signature_by_the_key_is_not_used(issuer: SealIssuer, tmp_path: Path) -> None:
    opened = file_key(issuer.issued("file", "p256"), tmp_path)
    opened._key = issuer.issued("other", "p256").key
    with pytest.raises(SignerUnavailableError, match="not a signature by the key of file"):
        opened.sign(b"data")


def test_only_certificates_above_the_key_travel(issuer: SealIssuer, tmp_path: Path) -> None:
    middle = certify("Middle", key("Middle"), issuer.root, ca=True)
    leaf = certify("Leaf", key("Leaf"), middle)
    stranger = issuer.issued("stranger", "p256")
    file = tmp_path / "chain.pem"
    file.write_bytes(issuer.pem(leaf, stranger, issuer.root, middle))
    path = read_certificates(file, setting="here").path
    assert path == (leaf.certificate, middle.certificate, issuer.root.certificate)
    file.write_bytes(issuer.pem(leaf, stranger))
    assert read_certificates(file, setting="here").path == (leaf.certificate,)


def test_certificates_that_cannot_be_used_are_named(issuer: SealIssuer, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"

    def read() -> None:
        read_certificates(file, setting="seal.here")

    with pytest.raises(ConfigurationError, match=r"seal\.here \(.*\) cannot be read"):
        read()
    file.write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="no certificates in PEM form"):
        read()
    small = certify("Small", key("Small", "rsa1024"), issuer.root)
    file.write_bytes(issuer.pem(small))
    with pytest.raises(ConfigurationError, match="RSA key of an unusual size"):
        read()
    namesake = certify("Namesake", key("Namesake"), None, ca=True, issuer_name=None)
    impostor = certify("Namesake", key("Impostor"), None, ca=True)
    file.write_bytes(issuer.pem(certify("Below", key("Below"), namesake), impostor))
    with pytest.raises(ConfigurationError, match="are not a path"):
        read()


def test_a_token_is_opened_once_and_signs(opens: Opens) -> None:
    opened = opens()
    assert opened.sign(b"one") != opened.sign(b"two")
    assert repr(opened) == "Pkcs11Key(token='seals', key='p256')"


def test_a_session_that_is_lost_is_opened_again(opens: Opens) -> None:
    opened = opens()

    class Gone:
        def sign(self, data: bytes, *, mechanism: object) -> bytes:
            raise pkcs11.DeviceRemoved

    opened._key = Gone()
    with pytest.raises(SignerUnavailableError, match=r"token seals gave no signature \(DeviceRemoved\)"):
        opened.sign(b"data")
    assert opened.sign(b"data")


def test_what_is_wrong_with_a_token_is_said(opens: Opens, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"seal\.pkcs11\.module .* cannot be loaded"):
        opens(module=tmp_path / "missing.so")
    (tmp_path / "text.so").write_text("not a library")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        opens(module=tmp_path / "text.so")
    with pytest.raises(ConfigurationError, match="0 tokens with the label absent") as raised:
        opens(token="absent")
    assert "seal.pkcs11.token" in raised.value.what_to_do
    with pytest.raises(ConfigurationError, match="0 private keys with the label absent"):
        opens(key="absent")
    with pytest.raises(ConfigurationError, match="2 private keys with the label twin"):
        opens(key="twin")
    with pytest.raises(ConfigurationError, match=r"seal\.pkcs11\.certificates_file"):
        opens(certificates=tmp_path / "absent.pem")


@pytest.mark.parametrize(("of", "used"), [("p384", "p256"), ("rsa2048", "p256"), ("p256", "rsa2048")])
def test_key_and_certificate_of_a_token_belong_together(of: str, used: str, opens: Opens) -> None:
    with pytest.raises(
        ConfigurationError, match=f"does not belong to the certificate of pkcs11 {of}"
    ) as raised:
        opens(of, key=used)
    assert "seal.pkcs11.key_label" in raised.value.what_to_do


def test_a_wrong_pin_is_presented_once_and_never_shown(
    opens: Opens, token: Token, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError, match="token spare refused the PIN") as raised:
        opens(token=token.spare, pin=WRONG)
    assert WRONG not in "".join(traceback.format_exception(raised.value)) + caplog.text

    presented: list[str] = []

    class Refusing:
        def open(self, user_pin: str) -> None:
            presented.append(user_pin)
            raise pkcs11.PinIncorrect

    opened = opens()
    opened._key = None
    monkeypatch.setattr(opened, "_find_token", Refusing)
    for _ in range(3):
        with pytest.raises(ConfigurationError, match="not presented again before a restart"):
            opened.sign(b"data")
    assert presented == [PIN]
    assert PIN not in repr(opened)


def test_without_the_library_it_says_what_to_install(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pkcs11":
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match="not installed") as raised:
        opens()
    assert raised.value.what_to_do == "install evidence-service[pkcs11]"


def test_a_file_key_shows_nothing(issuer: SealIssuer, tmp_path: Path) -> None:
    opened: SealKey = file_key(issuer.issued("file", "p256"), tmp_path)
    assert repr(opened) == "Pkcs12Key()"
