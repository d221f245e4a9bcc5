"""What a page names is looked for among what was recorded; what is no address is passed over."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.responses import pictures

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def test_an_address_that_is_none_costs_no_other_picture(tmp_path: Path) -> None:
    data = HEAD + b"\x89PNG"
    (tmp_path / "x0001.response").write_bytes(data)
    stored = Stored("x0001.response", len(data), sha256(data).hexdigest())
    exchange = Exchange(
        "x0001",
        "https://shop.example/a.png",
        "GET",
        "2026-01-02T03:04:05.678Z",
        response=stored,
        response_head=len(HEAD),
        status=200,
        content_type="image/png",
    )
    named = "http://[bad/x.png https://[::1/ /a.png"
    found = list(pictures(tmp_path, [exchange], named, "https://shop.example/item/1"))
    assert [(path, payload) for _, path, _, payload in found] == [("images/0001.png", b"\x89PNG")]
