"""Prices as amounts, only where a text can mean but one."""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(r"\d(?:[\d.,'  \u202f]*\d)?")
_CODE = re.compile(r"(?<![A-Za-z])([A-Z]{3})(?![A-Za-z])")
# A symbol alone is no currency: "¥" is two, "$" is twenty. With its country before it, it is one.
_NAMED_SYMBOLS = (
    (re.compile(r"(?<![A-Za-z])US ?\$"), "USD"),
    (re.compile(r"(?<![A-Za-z])(?:CA|C) ?\$"), "CAD"),
    (re.compile(r"(?<![A-Za-z])(?:AU|A) ?\$"), "AUD"),
    (re.compile(r"(?<![A-Za-z])HK ?\$"), "HKD"),
    (re.compile(r"(?<![A-Za-z])NT ?\$"), "TWD"),
    (re.compile(r"(?<![A-Za-z])CN ?[¥￥]"), "CNY"),
    (re.compile(r"(?<![A-Za-z])JP ?[¥￥]"), "JPY"),
    (re.compile(r"人民币|RMB"), "CNY"),
)
# fmt: off
_CODES = frozenset((
    "AED", "ARS", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK",
    "DKK", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW",
    "MXN", "MYR", "NOK", "NZD", "PEN", "PHP", "PLN", "RON", "RUB", "SAR",
    "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR",
))
# fmt: on


def amounts(text: str) -> set[Decimal]:
    """Every amount the text may mean: one for ``1,299.00``, two for ``1,299``; none without one number.

    A range or a text with several numbers has none: choosing one would be a guess.
    """
    numbers = _NUMBER.findall(text.replace("，", ","))
    if len(numbers) != 1 or "万" in text or "%" in text:
        return set()
    digits = re.sub(r"['\s]", "", numbers[0])
    separators = [mark for mark in digits if mark in ".,"]
    if not separators:
        return {Decimal(digits)}
    last = separators[-1]
    whole, _, rest = digits.rpartition(last)
    as_decimal = Decimal(f"{re.sub('[.,]', '', whole)}.{rest}")
    as_whole = Decimal(re.sub("[.,]", "", digits))
    grouped = re.fullmatch(r"\d{1,3}(?:([.,])\d{3}(?:\1\d{3})*)?", digits) is not None
    if len(set(separators)) == 2:
        return {as_decimal} if separators.count(last) == 1 else set()
    if len(separators) > 1:
        return {as_whole} if grouped else set()
    return {as_decimal, as_whole} if grouped else {as_decimal}


def amount(text: str) -> str:
    """The amount as a plain decimal; empty when the text may mean several, or none."""
    found = amounts(text)
    return format(found.pop(), "f") if len(found) == 1 else ""


def currency(text: str) -> str:
    """The ISO 4217 code a price names; empty when it shows a symbol alone, or more than one currency."""
    found = {code for code in _CODE.findall(text) if code in _CODES}
    found |= {code for pattern, code in _NAMED_SYMBOLS if pattern.search(text)}
    return found.pop() if len(found) == 1 else ""
