"""Every mixture of escapes is read, and every reading leads back to the bytes it was read from."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as some

from evidence_service.capture.masking import Secrets
from evidence_service.capture.readings import readings

SECRET = 'S3cr+t/"t0k&n"<=>\n~ 数据😀 end'

SPELLINGS = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json in json": lambda text: json.dumps(json.dumps(text))[3:-3],
    "json in html": lambda text: html.escape(json.dumps(text)[1:-1]),
    "json in html, in a form": lambda text: quote_plus(html.escape(json.dumps(text)[1:-1])),
    "references": lambda text: "".join(f"&#x{ord(item):x};" for item in text),
    "decimal references": lambda text: "".join(f"&#{ord(item)};" for item in text),
    "mixed": lambda text: "".join(
        (quote(item, safe=""), json.dumps(item)[1:-1], html.escape(item))[number % 3]
        for number, item in enumerate(text)
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_masked_in_every_spelling_and_nothing_else_is(spelling: str) -> None:
    written = SPELLINGS[spelling](SECRET).encode()
    masked = Secrets([SECRET.encode()]).mask(b"before " + written + b" after")
    assert masked.startswith(b"before ") and masked.endswith(b" after")
    assert len(masked) == len(written) + 13
    assert not set(masked[7:-6]) - set(b"x\n=")


@pytest.mark.parametrize("before", [b"%", b"=", b"\\", b"\\\\", b"100%25", b"&#", b"%4", b"?token=", b'\\"'])
def test_what_stands_before_a_secret_does_not_hide_it(before: bytes) -> None:
    for secret in (b"ab12cd34ef56", b"41nlmn-secret"):
        assert secret not in Secrets([secret]).mask(before + secret + b" after")


@given(some.text(min_size=8, max_size=40), some.lists(some.sampled_from(sorted(SPELLINGS)), max_size=2))
def test_spelled_in_two_ways_one_in_another(text: str, names: list[str]) -> None:
    secret, written = text.encode("utf-8", "replace"), text
    for name in names:
        written = SPELLINGS[name](written)
    data = b"<" + written.encode("utf-8", "replace") + b">"
    masked = Secrets([secret]).mask(data)
    assert len(masked) == len(data)
    assert secret not in masked or secret == masked[1:-1]


@given(some.binary(max_size=300))
def test_a_reading_leads_back_into_the_bytes(data: bytes) -> None:
    for reading in readings(data):
        for at in range(len(reading.data)):
            start, end = reading.origin(at, at + 1)
            assert 0 <= start < end <= len(data)


def test_a_long_secret_is_found_wherever_it_is_cut() -> None:
    secret = base64.b85encode(bytes(index % 251 for index in range(6_000)))
    data = b"x=" + quote(secret, safe="").encode() + b"; end"
    pieces = [data[at : at + 700] for at in range(0, len(data), 700)]
    masked = b"".join(Secrets([secret]).mask_stream(pieces, lambda: None))
    assert masked.endswith(b"; end") and set(masked[2:-5]) <= set(b"x=")


def test_a_head_stays_one_whatever_the_secrets_are() -> None:
    secrets = Secrets([b"HTTP/1.1 200 OK", b"Content-Type", b"text/html"])
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX: Content-Type\r\n\r\n"
    assert secrets.mask_head(head, lambda: None) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: xxxxxxxxx\r\nX: xxxxxxxxxxxx\r\n\r\n"
    )


def test_what_a_document_of_ours_says_stays() -> None:
    secrets = Secrets([b"unavailable", b"2026-01-02"])
    document = {"at": "2026-01-02T03:04:05Z", "points": [{"status": "unavailable", "value": "unavailable"}]}
    assert secrets.mask_json(document, lambda: None) == {
        "at": "2026-01-02T03:04:05Z",
        "points": [{"status": "unavailable", "value": "xxxxxxxxxxx"}],
    }
