"""What a value has to be, in words: the library that reads requests answers with patterns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ONE_LINE = "has to be one line, without control characters"
_SOME_LINE = "has to be one line that says something, without control characters"

PATTERNS: Mapping[str, str] = {
    r"^[!-~]{1,64}$": "has to be an id, of at most 64 characters without spaces",
    r"^[0-9a-fA-F]{64}$": "has to be 64 hexadecimal digits",
    r"^[0-9a-f]{64}$": "has to be 64 hexadecimal digits, in small letters",
    r"^[0-9a-f]{128}$": "has to be 128 hexadecimal digits, in small letters",
    r"^[A-Z]{1,8}-[0-9]{4}-[0-9]{6,9}$": "has to be the number of a certificate, like EP-2026-000001",
    r"^[A-Z]{2,8}$": "has to be 2 to 8 capital letters, like AUR",
    r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,90}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,90}$": (
        "has to be a media type, like image/png"
    ),
    r"^[^\x00-\x1f\x7f]*$": _ONE_LINE,
    r"^[^\x00-\x1f\x7f]+$": _ONE_LINE,
    r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$": _SOME_LINE,
    r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$": _SOME_LINE,
    r"^https?://[^\s\x00]+$": "has to be an address that begins with https:// or http://",
}
"""Every pattern of the OpenAPI document."""
_MISMATCH = re.compile(r"String should match pattern '(.*)'", re.DOTALL)


def in_words(error: Mapping[str, Any]) -> str:
    """What one error of a validation says, without where it is."""
    said = str(error["msg"]).removeprefix("Value error, ")
    mismatch = _MISMATCH.fullmatch(said)
    return said if mismatch is None else PATTERNS.get(mismatch[1], said)
