"""A host is read as a browser reads it, in every notation."""

from __future__ import annotations

import pytest

from evidence_service.egress.hosts import canonical_host
from evidence_service.errors import RefusedError


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "127.1", "127.0.1", "017700000001",
        "127.0.0.1.", "0x7f.0x0.0x0.0x1", "①②⑦.⓪.⓪.①", "１２７。０。０。１", "00000177.0.0.1",
    ],
)  # fmt: skip
def test_loopback_is_recognised_in_every_notation(host: str) -> None:
    assert canonical_host(host) == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("Shop.Example", "shop.example"), ("shop.example.", "shop.example"), ("bücher.example", "xn--bcher-kva.example"),
        ("淘宝.example", "xn--pbt173b.example"), ("[::1]", "::1"), ("::FFFF:127.0.0.1", "::ffff:7f00:1"),
        ("under_score.example", "under_score.example"), ("ｌｏｃａｌｈｏｓｔ", "localhost"), ("0x.example", "0x.example"),
        ("0x", "0.0.0.0"), ("1.2.example", "1.2.example"), ("0", "0.0.0.0"),
    ],
)  # fmt: skip
def test_a_host_has_one_form(host: str, canonical: str) -> None:
    assert canonical_host(host) == canonical


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "a..b", ".a", "256.256.256.256.256", "1.2.3.4.5", "256.1.1.1", "4294967296", "08.0.0.1",
        "127.0.0.0x100", "a b", "a%00b", "a\\b", "a@b", "[::1", "[::g]", "::1%eth0", "a/b", "foo.1",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(RefusedError):
        canonical_host(host)
