"""HAR and certificate chains say what the recorder knows, in the forms other tools read."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from evidence_service.capture.certificates import chains_pem
from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.har import BODY_LIMIT, write_har
from evidence_service.capture.wacz import Page

NOW = "2026-01-02T03:04:05.000Z"
TLS = {"verified": "yes", "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256"}


def store(
    wire: Path, number: int, response: bytes, request: bytes = b"GET /?a=1&b= HTTP/1.1\r\nCookie: a=1\r\n\r\n"
) -> Exchange:
    name = f"x{number:04}"
    sides = {}
    for side, data in (("request", request), ("response", response)):
        (wire / f"{name}.{side}").write_bytes(data)
        sides[side] = Stored(f"{name}.{side}", len(data), sha256(data).hexdigest())
    return Exchange(
        name,
        "https://shop.example/?a=1&b=",
        "GET",
        NOW,
        **sides,
        request_head=request.find(b"\r\n\r\n") + 4,
        response_head=response.rfind(b"\r\n\r\n") + 4,
        status=200,
        content_type="text/html",
        peer=("203.0.113.7", 443),
        connection=3,
        tls=TLS,
        finished_at="2026-01-02T03:04:05.250Z",
    )


def entries(wire: Path, exchanges: list[Exchange]) -> list[dict]:
    sink = io.BytesIO()
    write_har(
        sink, wire, exchanges, page=Page("https://shop.example/", "页", NOW), software="evidence-service 1.2"
    )
    log = json.loads(sink.getvalue())["log"]
    assert (log["version"], log["creator"]) == ("1.2", {"name": "evidence-service", "version": "1.2"})
    assert log["pages"][0]["title"] == "页"
    return log["entries"]


def test_an_entry_says_what_was_sent_and_received(tmp_path: Path) -> None:
    body = gzip.compress("页面".encode())
    hints = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    head = b"HTTP/1.1 200 All right\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
    exchange = replace(store(tmp_path, 1, hints + head + body), response_head=len(hints + head))
    (entry,) = entries(tmp_path, [exchange])
    assert entry["time"] == 250
    assert entry["timings"]["wait"] == 250
    assert (entry["serverIPAddress"], entry["connection"]) == ("203.0.113.7", "3")
    assert entry["_tls"] == TLS
    request, response = entry["request"], entry["response"]
    assert request["headers"] == [{"name": "Cookie", "value": "a=1"}]
    assert request["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
    assert (response["status"], response["statusText"], response["httpVersion"]) == (
        200,
        "All right",
        "HTTP/1.1",
    )
    assert [item["value"] for item in response["headers"]] == ["gzip", "a=1", "b=2"]
    assert response["headersSize"] == len(hints + head)
    assert response["bodySize"] == len(body)
    assert response["content"] == {"size": 6, "mimeType": "text/html", "text": "页面"}


def test_bodies_that_are_no_text_are_base64_and_large_ones_are_left_out(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    found = entries(
        tmp_path,
        [
            store(tmp_path, 1, head + b"\xff\xd8"),
            store(tmp_path, 2, head + bytes(BODY_LIMIT)),
            store(tmp_path, 3, head + bytes(BODY_LIMIT + 1)),
            store(tmp_path, 4, b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n\xff\xff\xff"),
        ],
    )
    contents = [entry["response"]["content"] for entry in found]
    assert base64.b64decode(contents[0]["text"]) == b"\xff\xd8"
    assert contents[0]["encoding"] == "base64"
    assert contents[1]["size"] == BODY_LIMIT
    assert "text" not in contents[2] and "larger than" in contents[2]["comment"]
    assert "text" not in contents[3] and "could not be decoded" in contents[3]["comment"]


def test_what_was_posted_is_there_and_a_tunnel_is_not(tmp_path: Path) -> None:
    posted = store(
        tmp_path, 1, b"HTTP/1.1 200 OK\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nhi"
    )
    tunnel = Exchange("x0002", "https://bank.example:443", "CONNECT", NOW, kind="tunnel")
    refused = Exchange("x0003", "https://shop.example/x", "GET", NOW, problem="10.0.0.1 is not public")
    first, second = entries(tmp_path, [posted, tunnel, refused])
    assert first["request"]["postData"] == {"mimeType": "text/plain", "params": [], "text": "hi"}
    assert (second["response"]["status"], second["_problem"]) == (0, "10.0.0.1 is not public")


def test_each_chain_stands_once_with_its_hosts(tmp_path: Path) -> None:
    (tmp_path / "certificates").mkdir()
    key = tmp_path / "k.pem"
    chain = []
    for name in ("leaf", "root"):
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-keyout",
                key,
                "-subj",
                f"/CN={name}",
                "-outform",
                "DER",
                "-out",
                tmp_path / "c.der",
            ],
            check=True,
            capture_output=True,
        )
        der = (tmp_path / "c.der").read_bytes()
        chain.append(sha256(der).hexdigest())
        (tmp_path / "certificates" / f"{chain[-1]}.der").write_bytes(der)
    base = Exchange("x0001", "https://a.example/", "GET", NOW, tls=TLS, chain=tuple(chain))
    exchanges = [
        base,
        replace(base, id="x0002", url="https://u:p@a.example/other"),
        replace(base, id="x0003", url="https://b.example:8443/", tls={"verified": "self-signed certificate"}),
        Exchange("x0004", "http://plain.example/", "GET", NOW),
    ]
    pem = chains_pem(tmp_path, exchanges)
    found = load_pem_x509_certificates(pem)
    assert [item.subject.rfc4514_string() for item in found] == ["CN=leaf", "CN=root"]
    text = pem.decode()
    assert text.startswith(
        "# a.example, verified: yes\n# b.example:8443, verified: self-signed certificate\n"
    )
    assert [f"# SHA-256 {item}" in text for item in chain] == [True, True]
    assert chains_pem(tmp_path, exchanges[3:]) == b""
