"""What counts as a secret: everything an operator supplied, and of the rest what looks like a credential."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evidence_service.capture.credentials import in_heads, in_queries, secret_values, tokens

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


def storage(value: str) -> dict[str, Any]:
    return {"origins": [{"origin": "https://shop.example", "localStorage": [{"name": "a", "value": value}]}]}


@pytest.mark.parametrize(
    "stored",
    [
        json.dumps({"access_token": JWT, "lang": "en"}),
        json.dumps({"user": json.dumps({"deep": [{"token": JWT}]})}),
        f"lang=en&token={JWT}",
        f"https://shop.example/back?token={JWT}&x=1",
        f"Bearer {JWT}",
        f"v1,{JWT};en",
    ],
)
def test_a_token_within_a_stored_value_is_a_secret_of_its_own(stored: str) -> None:
    for state in ((storage(stored), {}), ({}, storage(stored))):
        assert JWT.encode() in secret_values(*state)


@pytest.mark.parametrize(
    "word",
    [
        "Gucci bag",
        "response",
        "2026-07-14",
        "HTTP/1.1 200 OK",
        "Content-Type",
        "captured",
        "100201",
        "2026-07-14T10:11:12Z",
    ],
)
def test_a_page_cannot_have_ordinary_words_masked_by_storing_them(word: str) -> None:
    assert secret_values({}, storage(word)) == frozenset()
    assert list(in_heads(f"GET / HTTP/1.1\r\nCookie: a={word}\r\n\r\n".encode())) == []
    assert word.encode() in secret_values(storage(word), {})


def test_credentials_on_the_wire() -> None:
    head = (
        b"GET / HTTP/1.1\r\nAuthorization: Basic bWU6aHVudGVyMg==\r\ncookie: a=1; b="
        + JWT.encode()
        + b"\r\n\r\n"
    )
    assert set(in_heads(head)) == {b"bWU6aHVudGVyMg==", b"hunter2", JWT.encode()}
    assert list(in_queries(iter([f"https://shop.example/?q=bag&t={JWT}"]))) == [JWT.encode()]


def test_a_value_of_any_depth_and_width_is_gone_through() -> None:
    deep = "[" * 100_000
    assert list(tokens(deep)) == []
    wide = json.dumps([f"{number:020}a" for number in range(20_000)])
    assert len(list(tokens(wide))) == 5_000
