"""Login states are sealed, bound to their id, and tell nobody anything without the key."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from evidence_service.errors import ConfigurationError, RefusedError
from evidence_service.service.login_state import SealingKey, check, open_or_make
from evidence_service.store.logins import SealedLogin

SECRET = "s3cr3t-session-value"
STATE: dict[str, Any] = {
    "cookies": [{"name": "sid", "value": SECRET, "domain": "shop.example", "path": "/"}],
    "origins": [{"origin": "https://shop.example", "localStorage": [{"name": "t", "value": SECRET}]}],
}
RECIPIENTS = ("age1" + "q" * 58,)


@pytest.fixture
def key(tmp_path: Path) -> SealingKey:
    return open_or_make(tmp_path / "data" / "login-state.key")


def test_the_key_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "login-state.key"
    sealed = open_or_make(path).seal(STATE, os.urandom)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 32
    assert list(path.parent.iterdir()) == [path]
    assert open_or_make(path).open(sealed) == STATE


def test_what_is_sealed_shows_nothing_and_is_different_every_time(key: SealingKey) -> None:
    one, other = (key.seal(STATE, os.urandom) for _ in range(2))
    assert one.id != other.id and one.sealed != other.sealed
    assert SECRET.encode() not in one.sealed
    assert key.open(one) == key.open(other) == STATE


def test_a_changed_or_exchanged_state_is_refused(key: SealingKey, tmp_path: Path) -> None:
    one, other = (key.seal(STATE, os.urandom) for _ in range(2))
    flipped = bytes([one.sealed[0] ^ 1]) + one.sealed[1:]
    stranger = open_or_make(tmp_path / "other.key")
    for wrong in (SealedLogin(one.id, flipped), SealedLogin(one.id, other.sealed), SealedLogin(one.id, b"")):
        with pytest.raises(RefusedError, match="cannot be opened with this service's key"):
            key.open(wrong)
    with pytest.raises(RefusedError, match="cannot be opened"):
        stranger.open(one)


def test_a_fingerprint_needs_the_key(key: SealingKey, tmp_path: Path) -> None:
    turned = json.loads(json.dumps(STATE))
    assert key.fingerprint(turned) == key.fingerprint(STATE)
    turned["cookies"][0]["value"] += "x"
    assert key.fingerprint(turned) != key.fingerprint(STATE)
    assert open_or_make(tmp_path / "other.key").fingerprint(STATE) != key.fingerprint(STATE)


def test_a_key_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match=r"short\.key is not a key of 32 bytes"):
        SealingKey(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        SealingKey(tmp_path)


def test_without_a_recipient_the_setting_is_named() -> None:
    with pytest.raises(RefusedError) as caught:
        check(STATE, ())
    assert "originals_recipients" in caught.value.what_to_do


@pytest.mark.parametrize("state", [{}, {**STATE, SECRET: 1}, {"cookies": SECRET}, {"cookies": [SECRET]}])
def test_what_is_no_login_state_is_refused_without_repeating_it(state: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        check(state, RECIPIENTS)
    assert SECRET not in caught.value.told


def test_what_playwright_saves_is_a_login_state() -> None:
    check(STATE, RECIPIENTS)
    check({"cookies": [], "origins": []}, RECIPIENTS)
