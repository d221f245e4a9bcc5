"""Prices are amounts only where they can mean but one."""

from __future__ import annotations

import pytest

from evidence_service.capture.listing.amounts import amount, amounts, currency


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("19.99", "19.99"),
        ("¥398", "398"),
        ("US $1,299.00", "1299.00"),
        ("1.299,00 €", "1299.00"),
        ("45,00 €", "45.00"),
        ("CHF 1'299.50", "1299.50"),
        ("1 234 567,8 zł", "1234567.8"),
        ("1,234,567", "1234567"),
        ("￥ 39.9", "39.9"),
        # May be a thousand or one and a bit; a range; no number; ten thousands; a share.
        ("1,299", ""),
        ("1.299", ""),
        ("$5.00 - $9.00", ""),
        ("Free", ""),
        ("1.2万", ""),
        ("20% off", ""),
        ("1.2.3,4,5", ""),
        ("", ""),
    ],
)
def test_an_amount_is_read_or_left_open(text: str, meant: str) -> None:
    assert amount(text) == meant


def test_an_open_amount_has_two_meanings() -> None:
    assert {format(item, "f") for item in amounts("1,299")} == {"1299", "1.299"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("US $9", "USD"), ("US$9", "USD"), ("EUR 45.00", "EUR"), ("$68.90 USD", "USD"), ("CN¥ 12", "CNY"),
        ("JP￥ 900", "JPY"), ("RMB 9", "CNY"), ("HK$ 5", "HKD"),
        ("$9", ""), ("¥398", ""), ("￥398", ""), ("€ 9", ""), ("kr 9", ""), ("NEW 9", ""), ("USD 9 EUR 8", ""),
        ("XUS$9", ""),
    ],
)  # fmt: skip
def test_a_symbol_alone_is_no_currency(text: str, code: str) -> None:
    assert currency(text) == code
