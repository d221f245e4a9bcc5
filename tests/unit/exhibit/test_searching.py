"""What is masked is found in every form, and what cannot be masked is found all the same."""

from __future__ import annotations

import base64
import html
import io
import json
import quopri
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from evidence_service.capture.masking import Secrets
from evidence_service.errors import RefusedError
from evidence_service.exhibit import patterns, searching
from evidence_service.exhibit.patterns import find_texts
from evidence_service.exhibit.searching import Needles

TEXTS = ("张小三丰", "José Ñandú", "13800138000", 'Jane "J" O\'Neil', "😀 emoji 👜", "Ärmel & Söhne")


def forms(text: str) -> Iterator[bytes]:
    """Encodings that masking reaches, written here without the code that is tested."""
    yield text.encode()
    yield json.dumps(text).encode()
    yield json.dumps(json.dumps(text)).encode()
    yield html.escape(text).encode()
    yield "".join(f"&#{ord(item)};" for item in text).encode()
    yield "".join(f"&#x{ord(item):X};" for item in text).encode()
    yield quote(text, safe="").encode()
    yield quote(quote(text, safe=""), safe="").encode()
    yield quote_plus(text).encode()
    yield quopri.encodestring(text.encode())
    for before in (b"", b"u", b"us"):
        yield base64.b64encode(before + text.encode() + b":x")
        yield base64.urlsafe_b64encode(before + text.encode() + b":x")
    yield text.encode("utf-16")
    yield text.encode("utf-16-be")
    yield text.encode("gb18030")
    yield quote(text.encode("gb18030"), safe="").encode()
    yield unicodedata.normalize("NFD", text).encode()


def torn(text: str) -> Iterator[bytes]:
    """Forms in which a reader sees the text and no mask fits."""
    yield f"{text[:2]}<b class='x'>{text[2:3]}</b>{text[3:]}".encode()
    yield "".join(f"\\u{{{ord(item):x}}}" for item in text).encode()


@pytest.mark.parametrize("text", TEXTS)
def test_every_form_is_found_and_masked(text: str) -> None:
    needles = Needles([text], Secrets)
    for form in forms(text):
        data = b"before " + form + b" after"
        assert needles.survives(io.BytesIO(data)), form
        masked = b"".join(needles.masking.mask_stream((data,), lambda: None))
        assert len(masked) == len(data)
        assert not needles.survives(io.BytesIO(masked)), form


@pytest.mark.parametrize("text", TEXTS)
def test_what_masking_does_not_reach_is_found_by_the_search(text: str) -> None:
    needles = Needles([text], Secrets)
    for form in torn(text):
        masked = b"".join(needles.masking.mask_stream((b" " + form + b" ",), lambda: None))
        assert needles.survives(io.BytesIO(masked)), form


def test_a_text_over_the_border_of_two_windows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_WINDOW", 100)
    monkeypatch.setattr(searching, "_OVERLAP", 40)
    needles = Needles(["13800138000"], Secrets)
    for before in range(80, 110):
        assert needles.survives(io.BytesIO(b"x" * before + b"13800<i>138</i>000" + b"x" * 200)), before
    assert not needles.survives(io.BytesIO(b"1380013800x" * 100))


def test_nothing_is_found_where_nothing_is_looked_for() -> None:
    needles = Needles([], Secrets)
    assert not needles
    assert "138" not in repr(Needles(["13800138000"], Secrets))


def test_patterns_find_texts_in_every_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(
        b"call 13800138000 or <a href='?t=13900%3139000'>me</a>, mail jane&#64;example.com \\u0041BC"
    )
    found = find_texts(path, [r"1[3-9]\d{9}", r"[a-z]+@[a-z]+\.com"])
    assert found == {"13800138000", "13900139000", "jane@example.com"}


def test_patterns_that_find_too_much_or_too_little_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b" ".join(b"%07d" % number for number in range(1_200)))
    with pytest.raises(RefusedError, match="more than 1000 different texts"):
        find_texts(path, [r"\d{7}"])
    with pytest.raises(RefusedError, match="texts of less than 6 bytes"):
        find_texts(path, ["00010"])
    path.write_bytes(b"a" * 40 + b"b")
    monkeypatch.setattr(patterns, "SECONDS", 1)
    with pytest.raises(RefusedError, match="more than 1 s"):
        find_texts(path, ["(a+)+$"])
