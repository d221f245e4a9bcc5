"""One point of the checklist: its status, a value for people, and the raw output it was judged from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

Status = Literal["pass", "fail", "unavailable"]

MOST_RAW = 4_000
"""Characters of raw output that are kept; its digest is of all of it."""

NAMES = {
    1: "fresh process and machine",
    2: "browser, flags, new profile",
    3: "proxies",
    4: "hosts file and resolver",
    5: "DNS answers of two resolvers",
    6: "route and egress",
    7: "TLS",
    8: "clock against two sources",
    9: "processes, ports and packages",
    10: "control fetch of a known page",
    11: "page left unmodified but for disclosed scripts",
    12: "second, independent fetch",
    13: "challenge, login wall, truncation, images",
    14: "not-before block hash",
    15: "control repeat",
}


def point(number: int, status: Status, value: Any, raw: str | None = None) -> dict[str, Any]:
    """A point as the record keeps it.

    Args:
        value: what people read: a text, or an object of texts and lists.
        raw: what it was judged from; the value itself when there is nothing else.

    Returns:
        ``{"number", "name", "status", "value", "raw", "raw_sha256"}``.
    """
    whole = json.dumps(value, ensure_ascii=False, sort_keys=True) if raw is None else raw
    return {
        "number": number,
        "name": NAMES[number],
        "status": status,
        "value": value,
        "raw": whole[:MOST_RAW],
        "raw_sha256": hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest(),
    }


def unavailable(number: int, why: str) -> dict[str, Any]:
    """A point that could not be looked at, with the reason: never a silent pass."""
    return point(number, "unavailable", why[:400])


def lines(members: Mapping[str, object]) -> str:
    """Raw output of several parts, one to a line."""
    return "".join(f"{name}: {member}\n" for name, member in members.items())
