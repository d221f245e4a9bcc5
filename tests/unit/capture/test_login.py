"""A login state: checked strictly, used, and never told."""

from __future__ import annotations

import functools
import gzip
import socket
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyrage
import pytest

from evidence_service.capture.credentials import secret_values
from evidence_service.capture.login import check_login_state, login_hosts
from evidence_service.capture.options import CaptureOptions
from evidence_service.capture.session import CaptureLimits, CaptureResult
from evidence_service.errors import RefusedError
from tests.capture.serving import WORDS, Pages, capture, response

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
    assert secret_values(state, {}) == {SECRET.encode(), b"en", b"abcdef123456"}


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
        ({"cookies": [cookie(expires=-5)]}, "expires has to be -1 or seconds"),
        ({"cookies": [cookie(expires=float("nan"))]}, "expires has to be -1 or seconds"),
        ({"cookies": [cookie(value="a\r\nb")]}, "a control character"),
        ({"cookies": [cookie(path="item")]}, "does not begin with a slash"),
        ({"origins": [origin(origin="http://[")]}, "origins 1 has to have an http or https origin"),
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


def test_a_state_too_deep_to_be_read_is_refused() -> None:
    deep: list[Any] = functools.reduce(lambda inner, _: [inner], range(5_000), [])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    try:
        with pytest.raises(RefusedError, match="nested too deep"):
            check_login_state({"origins": deep})
    finally:
        sys.setrecursionlimit(limit)


def test_nothing_is_started_when_nobody_may_read_the_original(tmp_path: Path) -> None:
    options = CaptureOptions(login_state={"cookies": [cookie()]})
    with Pages({"/item/1": "<p>Lamp</p>"}) as pages, pytest.raises(RefusedError, match="recipients"):
        capture(pages, tmp_path / "c", options=options)
    assert pages.requests == []
    assert not (tmp_path / "c").exists()


PRIVATE = "fedcba9876543210"


def _signed_in(connection: socket.socket) -> None:
    body = f"""<!doctype html><title>Lamp</title><h1>Lamp</h1>{WORDS}<p id="mine"></p><script>
document.getElementById('mine').textContent = document.cookie + ' ' + localStorage.getItem('token');
console.log('token ' + localStorage.getItem('token')); history.replaceState({{}}, '', '?session={PRIVATE}');
fetch('/api?token=' + localStorage.getItem('token'));</script>"""
    answer = response(body.encode(), headers=f"Set-Cookie: fresh={PRIVATE}; Path=/; HttpOnly\r\n")
    connection.sendall(answer)


def everything_disclosed(folder: Path, result: CaptureResult) -> dict[str, bytes]:
    disclosed = {
        item.path: (folder / item.path).read_bytes()
        for item in result.files
        if item.media_type not in ("image/png", "application/pdf", "application/age-encryption")
    }
    with zipfile.ZipFile(folder / "capture.wacz") as package:
        disclosed |= {f"wacz/{name}": package.read(name) for name in package.namelist()}
    disclosed["the WARC"] = gzip.decompress(disclosed["wacz/archive/data.warc.gz"])
    told = f"{result.final_url} {result.redirects} {result.outcome} {result.listing} {result.tool}"
    disclosed["the manifest"] = told.encode()
    return disclosed


def test_no_secret_is_disclosed_and_the_original_is_kept_for_its_recipients(tmp_path: Path) -> None:
    reader = pyrage.x25519.Identity.generate()
    with Pages({"/item/1": _signed_in, "/api": response(b"{}", "application/json")}) as pages:
        state = {
            "cookies": [cookie(domain="127.0.0.1", value="0123456789abcdef")],
            "origins": [
                {"origin": pages.url(""), "localStorage": [{"name": "token", "value": "abcdef123456"}]}
            ],
        }
        result = capture(
            pages,
            tmp_path / "c",
            options=CaptureOptions(login_state=state),
            recipients=[str(reader.to_public())],
        )
        sent = b"".join(pages.requests)
    secrets = (b"0123456789abcdef", b"abcdef123456", PRIVATE.encode())
    # The state was in use, or nothing is shown by its absence.
    assert b"Cookie: sid=0123456789abcdef" in sent
    assert b"/api?token=abcdef123456" in sent
    assert result.tool["login_state"].startswith("a login state supplied by the operator was used")
    assert result.tool["login_state"].endswith("; hosts: 127.0.0.1")
    disclosed = everything_disclosed(tmp_path / "c", result)
    assert [(path, secret) for path, data in disclosed.items() for secret in secrets if secret in data] == []
    assert b"Lamp" in disclosed["dom.html"]
    original = pyrage.decrypt((tmp_path / "c" / "original.warc.gz.age").read_bytes(), [reader])
    assert all(secret in gzip.decompress(original) for secret in secrets)


MINTED = "minted.7f3a99c1e5d2"


def _hangs(connection: socket.socket) -> None:
    body = f"""<!doctype html><title>Lamp</title><h1>Lamp</h1>{WORDS}<script>
localStorage.setItem('auth', '{MINTED}'); fetch('/api?t={MINTED}');
setTimeout(() => {{ while (true) {{}} }}, 300);</script>"""
    connection.sendall(response(body.encode()))


def test_what_the_session_held_in_the_end_is_not_disclosed_when_nobody_knows_it(tmp_path: Path) -> None:
    reader = pyrage.x25519.Identity.generate()
    with Pages({"/item/1": _hangs, "/api": response(b"{}", "application/json")}) as pages:
        result = capture(
            pages,
            tmp_path / "c",
            limits=CaptureLimits(seconds=6),
            options=CaptureOptions(login_state={"cookies": [cookie(domain="127.0.0.1")]}),
            recipients=[str(reader.to_public())],
        )
        assert f"/api?t={MINTED}" in pages.paths
    disclosed = everything_disclosed(tmp_path / "c", result)
    assert [path for path, data in disclosed.items() if MINTED.encode() in data] == []
    assert any("the page's texts are withheld" in reason for reason in result.outcome.reasons)
    assert result.outcome.status != "captured"
    original = pyrage.decrypt((tmp_path / "c" / "original.warc.gz.age").read_bytes(), [reader])
    assert MINTED.encode() in gzip.decompress(original)


def test_a_page_that_has_its_own_words_masked_is_not_called_captured(tmp_path: Path) -> None:
    reader = pyrage.x25519.Identity.generate()
    page = f"""<!doctype html><title>Lamp-model-number-1234</title>
<meta property="og:title" content="Lamp-model-number-1234">{WORDS}<script>
localStorage.setItem('x', 'Lamp-model-number-1234'); localStorage.setItem('y', 'Brass table lamp');
document.cookie = 'lv=response'</script>"""
    with Pages({"/item/1": page}) as pages:
        result = capture(
            pages,
            tmp_path / "c",
            options=CaptureOptions(login_state={"cookies": [cookie(domain="127.0.0.1")]}),
            recipients=[str(reader.to_public())],
        )
    assert result.outcome.status == "partial"
    assert any("stands in the listing's title, which is masked" in item for item in result.outcome.reasons)
    assert b"Brass table lamp" in (tmp_path / "c" / "dom.html").read_bytes()
