"""A login state: checked strictly, used, and never told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence_service.capture.login import check_login_state, login_hosts, secret_values
from evidence_service.capture.options import CaptureOptions
from evidence_service.errors import RefusedError
from tests.capture.serving import Pages, capture

SECRET = "s3cret/value of a session"


def cookie(**changed: Any) -> dict[str, Any]:
    return {"name": "sid", "value": SECRET, "domain": ".shop.example", "path": "/", **changed}


def origin(**changed: Any) -> dict[str, Any]:
    item = {"name": "token", "value": "abcdef123456"}
    return {"origin": "https://m.shop.example", "localStorage": [item], **changed}


def test_hosts_are_told_and_values_are_kept_to_be_masked() -> None:
    state = {"cookies": [cookie(), cookie(name="lang", value="en")], "origins": [origin()]}
    check_login_state(state)
    assert login_hosts(state) == ["m.shop.example", "shop.example"]
    values = secret_values(state)
    assert SECRET.encode() in values
    assert b"s3cret%2Fvalue%20of%20a%20session" in values
    assert b"abcdef123456" in values
    # What is too short to be a secret would tear the record apart.
    assert b"en" not in values


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "cookies and origins"),
        ([], "cookies and origins"),
        ({"cookies": [], "other": 1}, "cookies and origins"),
        ({"cookies": {}}, "cookies has to be a list"),
        ({"cookies": [cookie()] * 501}, "at most 500"),
        ({"cookies": ["sid=1"]}, "cookies 1 has to be an object"),
        ({"cookies": [cookie(), {"name": "a", "value": SECRET}]}, "cookies 2 has no domain"),
        ({"cookies": [cookie(value=7)]}, "cookies 1: value has the wrong type"),
        ({"cookies": [cookie(expires=True)]}, "cookies 1: expires has the wrong type"),
        ({"cookies": [cookie(domain="")]}, "empty name or domain"),
        ({"cookies": [cookie(sameSite="lax")]}, "sameSite"),
        ({"cookies": [cookie(extra=SECRET)]}, "a member that cookies do not have"),
        ({"cookies": [cookie(value="x" * 1_100_000)]}, "larger than 1048576 bytes"),
        ({"origins": [origin(origin="file:///etc")]}, "origins 1 has to have an http or https origin"),
        ({"origins": [origin(localStorage=[{"name": "t"}])]}, "origins 1, localStorage 1"),
    ],
)
def test_anything_else_is_refused_without_telling_a_value(state: Any, words: str) -> None:
    with pytest.raises(RefusedError, match="the login state cannot be used") as refusal:
        check_login_state(state)
    assert words in refusal.value.message
    assert SECRET not in refusal.value.told


def test_nothing_is_started_when_nobody_may_read_the_original(tmp_path: Path) -> None:
    options = CaptureOptions(login_state={"cookies": [cookie()]})
    with Pages({"/item/1": "<p>Lamp</p>"}) as pages, pytest.raises(RefusedError, match="recipients"):
        capture(pages, tmp_path / "c", options=options)
    assert pages.requests == []
    assert not (tmp_path / "c").exists()
