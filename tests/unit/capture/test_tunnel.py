"""Tunnel mode: the browser speaks to the server itself, and what it reports is kept and says so."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import socket
import zipfile
from asyncio import CancelledError
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock, create_autospec

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Request

from evidence_service.capture import browser
from evidence_service.capture.options import CaptureOptions
from evidence_service.capture.recorder import RecorderLimits
from evidence_service.capture.session import CaptureLimits, CaptureResult
from evidence_service.capture.steps.reporting import Reports
from tests.capture.serving import Pages, capture, says
from tests.unit.capture.recording.pki import Pki

PAGE = b"""<!doctype html><title>Lamp</title><h1>Lamp</h1><link rel=stylesheet href=/style.css>
<script>fetch('/stock', {method: 'POST', body: 'id=1'})</script><img src=/missing.png width=1 height=1>"""
PACKED = gzip.compress(PAGE, mtime=0)


def _page(connection: socket.socket) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(PACKED) + PACKED)


MOVED = b"HTTP/1.1 302 Found\r\nLocation: /item/1\r\nContent-Length: 0\r\n\r\n"
STOCK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"stock":3}'
STYLE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 2000\r\n\r\n" + b"/*" + b"x" * 1996 + b"*/"
)


@pytest.fixture(scope="module")
def tunnelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaptureResult, Path, list[bytes], int]:
    scratch = tmp_path_factory.mktemp("tunnel")
    directory, server = scratch / "c", Pki.self_signed()
    key = server.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    answers = {"/old": MOVED, "/item/1": _page, "/stock": STOCK, "/style.css": STYLE}
    with pytest.MonkeyPatch.context() as patch, Pages(answers, server.context(scratch)) as pages:
        # Stands for a certificate that Chromium trusts by itself.
        trust = (
            f"--ignore-certificate-errors-spki-list={base64.b64encode(hashlib.sha256(key).digest()).decode()}"
        )
        patch.setattr(browser, "_FLAGS", (*browser._FLAGS, trust))
        result = capture(
            pages,
            directory,
            "/old",
            options=CaptureOptions(mode="tunnel"),
            limits=CaptureLimits(seconds=20, recorder=RecorderLimits(body=1500)),
        )
        return result, directory, pages.requests, pages.port


def test_exchanges_are_what_the_browser_reports(
    tunnelled: tuple[CaptureResult, Path, list[bytes], int],
) -> None:
    result, directory, requests, port = tunnelled
    assert result.mode == "tunnel"
    assert "what the browser reported" in result.tool["tunnel"]
    assert result.status == 200
    assert result.peer == "127.0.0.1"
    assert result.redirects == ()
    exchanges = json.loads((directory / "exchanges.json").read_text())
    kinds = {item["kind"] for item in exchanges if item["source"] == "wire"}
    assert kinds == {"tunnel"}
    reported = {item["url"]: item for item in exchanges if item["source"] == "browser"}
    main = reported[f"https://127.0.0.1:{port}/item/1"]
    assert (main["status"], main["peer"], main["tls"]["verified_by"]) == (200, ["127.0.0.1", port], "browser")
    assert main["tls"]["version"].startswith("TLS 1.")
    assert len(main["chain"]) == 1
    assert reported[f"https://127.0.0.1:{port}/old"]["status"] == 302
    assert b"POST /stock HTTP/1.1" in b"".join(requests)


def test_a_reported_head_has_every_field_and_no_coding(
    tunnelled: tuple[CaptureResult, Path, list[bytes], int],
) -> None:
    plain = gzip.decompress(zipfile.ZipFile(tunnelled[1] / "capture.wacz").read("archive/data.warc.gz"))
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in plain
    assert b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE in plain
    assert b"Content-Encoding" not in plain
    assert b"POST /stock HTTP/1.1\r\n" in plain
    assert b"\r\n\r\nid=1" in plain


def test_a_certificate_the_browser_refuses_is_not_called_verified(tmp_path: Path) -> None:
    with Pages({"/item/1": _page}, Pki.self_signed().context(tmp_path)) as pages:
        result = capture(pages, tmp_path / "c", options=CaptureOptions(mode="tunnel"))
    assert result.outcome.status == "blocked"
    assert says(result, "ERR_CERT_AUTHORITY_INVALID")
    exchanges = json.loads((tmp_path / "c" / "exchanges.json").read_text())
    refused = [item["tls"] for item in exchanges if item["source"] == "browser"]
    assert refused == [{"verified": "net::ERR_CERT_AUTHORITY_INVALID", "verified_by": "browser"}]
    points = json.loads((tmp_path / "c" / "environment.json").read_text())["points"]
    assert points[6]["status"] == "fail"
    assert points[6]["value"]["not_verified"] == ["net::ERR_CERT_AUTHORITY_INVALID"]
    # No page was shown, so no script can have met one.
    assert points[10]["status"] == "unavailable"


def test_limits_hold_for_reported_bodies(tunnelled: tuple[CaptureResult, Path, list[bytes], int]) -> None:
    result = tunnelled[0]
    assert result.outcome.status == "partial"
    assert says(result, "the response is larger than 1500 bytes")


@pytest.mark.parametrize("gone", [CancelledError(), PlaywrightError("Target closed")])
def test_a_request_of_a_page_that_is_closed_meanwhile_is_kept_with_what_was_told(
    tmp_path: Path, gone: BaseException
) -> None:
    request = create_autospec(Request, instance=True)
    request.url, request.method, request.failure = "https://shop.example/a?b", "GET", "net::ERR_ABORTED"
    request.headers, request.timing, request.post_data_buffer = {"accept": "*/*"}, {}, None
    request.headers_array.side_effect = gone
    reports = Reports(Mock(), tmp_path, RecorderLimits(), lambda: datetime(2026, 3, 4, tzinfo=UTC))
    reports._failed(request)
    [kept] = reports.exchanges
    assert kept.problem == "net::ERR_ABORTED"
    stored = next(path for path in tmp_path.rglob("*.request"))
    assert stored.read_bytes() == b"GET /a?b HTTP/1.1\r\naccept: */*\r\n\r\n"
