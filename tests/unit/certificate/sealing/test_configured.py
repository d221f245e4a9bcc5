"""The seal's settings: exactly one key, each kind opened as it says, and secrets in files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_service import bootstrap, config
from evidence_service.errors import ConfigurationError
from tests.unit.certificate.sealing.conftest import PIN, SealIssuer, Token, key_file
from tests.unit.certificate.sealing.signing_service import SigningService

PKCS12 = {"pkcs12": "/seal.p12", "password_file": "/seal.password"}
PKCS11 = {
    "module": "/module.so",
    "token": "seals",
    "pin_file": "/pin",
    "key_label": "seal",
    "certificates_file": "/seal.pem",
}
REMOTE = {"url": "https://sign.example", "credential": "seal-1", "token_file": "/token"}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def load(**seal: Any) -> config.SealSettings:
        file = tmp_path / "settings.json"
        file.write_text(json.dumps({"seal": seal}))
        monkeypatch.setenv("EVIDENCE_CONFIG", str(file))
        found = config.load().seal
        assert found is not None
        return found

    return load


def secret_file(directory: Path, content: str) -> str:
    path = directory / "secret"
    path.write_text(content + "\n")
    return str(path)


def test_the_level_is_b_t_when_it_is_not_said(load: Any) -> None:
    assert load(**PKCS12).level == "PAdES B-T"
    assert load(**PKCS12, level="PAdES B-LTA").level == "PAdES B-LTA"


@pytest.mark.parametrize(
    ("seal", "words"),
    [
        (
            {},
            "seal cannot be used: set exactly one of seal.pkcs12, seal.pkcs11 and seal.remote; none of them is set",
        ),
        ({**PKCS12, "remote": REMOTE}, "exactly one .*; seal.pkcs12 and seal.remote are set"),
        ({"pkcs11": PKCS11, "remote": REMOTE}, "exactly one .*; seal.pkcs11 and seal.remote are set"),
        ({"pkcs12": "/seal.p12"}, "seal.pkcs12 and seal.password_file belong together"),
        ({"remote": REMOTE, "password_file": "/x"}, "seal.pkcs12 and seal.password_file belong together"),
        ({**PKCS12, "level": "PAdES B-LTB"}, "seal.level cannot be used"),
        ({"pkcs11": {**PKCS11, "token": ""}}, "seal.pkcs11.token cannot be used"),
        ({"pkcs11": {"module": "/m.so"}}, "seal.pkcs11.token cannot be used: Field required"),
        ({"remote": {**REMOTE, "url": "http://sign.example"}}, "seal.remote.url cannot be used"),
        ({"remote": {**REMOTE, "url": "https://user:word@sign.example"}}, "seal.remote.url cannot be used"),
        ({"remote": {**REMOTE, "url": "http://127.0.0.1.example"}}, "seal.remote.url cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(load: Any, seal: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        load(**seal)
    assert "user:word" not in raised.value.told


def test_a_file_is_opened(load: Any, issuer: SealIssuer, tmp_path: Path) -> None:
    issued = issuer.issued("configured", "p256")
    file = key_file(issued, issued.certificate, tmp_path)
    key = bootstrap.seal_key(load(pkcs12=str(file), password_file=secret_file(tmp_path, "x")))
    assert key.identity().certificate == issued.certificate
    with pytest.raises(ConfigurationError, match="absent cannot be read"):
        bootstrap.seal_key(load(pkcs12=str(file), password_file=str(tmp_path / "absent")))
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="secret is not text") as raised:
        bootstrap.seal_key(load(pkcs12=str(file), password_file=str(tmp_path / "secret")))
    assert raised.value.__cause__ is None


def test_a_token_is_opened(load: Any, issuer: SealIssuer, token: Token, tmp_path: Path) -> None:
    issued = issuer.issued("pkcs11 p384", "p384")
    (tmp_path / "seal.pem").write_bytes(issuer.pem(issued))
    settings = {
        "module": str(token.module),
        "token": token.label,
        "pin_file": secret_file(tmp_path, PIN),
        "key_label": "p384",
        "certificates_file": str(tmp_path / "seal.pem"),
    }
    key = bootstrap.seal_key(load(pkcs11=settings))
    assert key.identity().certificate == issued.certificate
    assert key.sign(b"data")


def test_a_signing_service_is_asked_later(load: Any, service: SigningService, tmp_path: Path) -> None:
    token_file = secret_file(tmp_path, "expired")
    settings = {"url": service.url, "credential": "p256", "token_file": token_file}
    key = bootstrap.seal_key(load(remote=settings))
    assert service.seen == []
    secret_file(tmp_path, service.bearer)
    assert key.sign(b"data")
