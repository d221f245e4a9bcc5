"""Shapes of documents, declared as data: every member named, typed and bounded, nothing unknown accepted.

A shape is called with a value and the place it was found at; it returns nothing and raises
:class:`MalformedError` that names the place (``files[3].sha256``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from evidence_service.errors import LimitExceededError, MalformedError, UnsupportedVersionError

Shape = Callable[[Any, str], None]

# ASCII alone: the digits of other scripts would be a second notation of the same time.
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)


def check_format(value: Any, *expected: str, what: str) -> None:
    """Refuse a document whose ``format`` member names another format or version.

    Args:
        expected: the versions of one format that are known, newest last.

    Raises:
        MalformedError: no ``format`` member, or another kind of document.
        UnsupportedVersionError: the right kind in a version this program does not know.
    """
    found = value.get("format") if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise MalformedError(f"the {what} has no format member; expected {expected[-1]!r}")
    if found in expected:
        return
    kind = expected[-1].rsplit("/", 1)[0]
    if found.rsplit("/", 1)[0] == kind:
        raise UnsupportedVersionError(
            f"the {what} is of version {found!r}; this program knows {' and '.join(map(repr, expected))}",
            what_to_do="verify it with a newer release of the evidence service",
        )
    raise MalformedError(f"this is a {found!r} document, not a {what} ({expected[-1]!r})")


def of_format(expected: str, shape: Shape, *, what: str) -> Shape:
    """The shape of a document inside another; an unknown version is told from a wrong form first."""

    def check(value: Any, where: str) -> None:
        check_format(value, expected, what=what)
        shape(value, where)

    return check


def text(*, maximum: int = 4096, minimum: int = 0, pattern: str | None = None) -> Shape:
    """Text of bounded length (characters), optionally matching a pattern as a whole."""
    compiled = None if pattern is None else re.compile(pattern)

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str):
            raise MalformedError(f"{where} is not text")
        if not minimum <= len(value) <= maximum:
            raise MalformedError(f"{where} has {len(value)} characters; {minimum} to {maximum} are allowed")
        if compiled is not None and compiled.fullmatch(value) is None:
            raise MalformedError(f"{where} has a form that is not allowed: {value[:80]!r}")

    return check


def integer(*, minimum: int = 0, maximum: int = 2**53 - 1) -> Shape:
    """Whole number within bounds; booleans are not numbers."""

    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise MalformedError(f"{where} is not a whole number")
        if not minimum <= value <= maximum:
            raise MalformedError(f"{where} is {value}; {minimum} to {maximum} are allowed")

    return check


def choice(*allowed: str) -> Shape:
    """One of a fixed set of words."""

    def check(value: Any, where: str) -> None:
        if value not in allowed:
            raise MalformedError(f"{where} is {value!r}; allowed: {', '.join(allowed)}")

    return check


def hexadecimal(size: int) -> Shape:
    """``size`` bytes as lower-case hexadecimal without prefix."""
    return text(maximum=2 * size, minimum=2 * size, pattern=r"[0-9a-f]*")


def prefixed_hexadecimal(size: int) -> Shape:
    """``size`` bytes as 0x and lower-case hexadecimal (the chain's own notation)."""
    return text(maximum=2 * size + 2, minimum=2 * size + 2, pattern=r"0x[0-9a-f]*")


def decimal(*, digits: int = 78) -> Shape:
    """A non-negative integer of any size as decimal text without leading zeros (78 digits hold 2**256)."""
    return text(maximum=digits, minimum=1, pattern=r"0|[1-9][0-9]*")


def binary(*, maximum: int) -> Shape:
    """Bytes as standard padded base64 (RFC 4648 section 4), at most ``maximum`` bytes decoded."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str):
            raise MalformedError(f"{where} is not base64 text")
        if len(value) > 4 * -(-maximum // 3):
            raise LimitExceededError(f"{where} is larger than {maximum} bytes")
        try:
            decoded = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise MalformedError(f"{where} is not base64: {error}") from error
        # Two texts must not stand for the same bytes: unused bits of the last group have to be zero.
        if base64.b64encode(decoded).decode() != value:
            raise MalformedError(f"{where} is not canonical base64")
        if len(decoded) > maximum:
            raise LimitExceededError(f"{where} is larger than {maximum} bytes")

    return check


def timestamp(value: Any, where: str) -> None:
    """UTC time as RFC 3339 with milliseconds and ``Z``, an existing date."""
    parse_time(value, where)


def parse_time(value: Any, where: str) -> datetime:
    """Parse the only notation of time the formats know: ``2026-11-24T08:30:00.123Z``."""
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        raise MalformedError(f"{where} is not a UTC time with milliseconds: {str(value)[:40]!r}")
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise MalformedError(f"{where} is not a date that exists: {value!r}") from error


def format_time(moment: datetime) -> str:
    """Notation of a moment in the formats; finer parts than milliseconds are cut off, never rounded up."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"


def optional(shape: Shape) -> Shape:
    """The shape, or null."""

    def check(value: Any, where: str) -> None:
        if value is not None:
            shape(value, where)

    return check


def boolean(value: Any, where: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise MalformedError(f"{where} is not true or false")


def list_of(shape: Shape, *, maximum: int, minimum: int = 0) -> Shape:
    """An array with bounded length."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise MalformedError(f"{where} is not a list")
        if len(value) > maximum:
            raise LimitExceededError(f"{where} has {len(value)} items; the limit is {maximum}")
        if len(value) < minimum:
            raise MalformedError(f"{where} has {len(value)} items; at least {minimum} are needed")
        for position, item in enumerate(value):
            shape(item, f"{where}[{position}]")

    return check


def map_of(shape: Shape, *, maximum: int = 200) -> Shape:
    """An object whose keys are free (up to 200 characters) and whose values share a shape."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"{where} is not an object")
        if len(value) > maximum:
            raise LimitExceededError(f"{where} has {len(value)} members; the limit is {maximum}")
        for key, item in value.items():
            if len(key) > 200:
                raise LimitExceededError(f"{where} has a key of {len(key)} characters")
            shape(item, f"{where}.{key}")

    return check


def record(members: Mapping[str, Shape]) -> Shape:
    """An object with exactly these members."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"{where} is not an object")
        missing = sorted(members.keys() - value.keys())
        unknown = sorted(value.keys() - members.keys())
        if missing:
            raise MalformedError(f"{where} lacks {', '.join(missing)}")
        if unknown:
            raise MalformedError(f"{where} has unknown members: {', '.join(key[:40] for key in unknown[:5])}")
        for name, shape in members.items():
            shape(value[name], f"{where}.{name}")

    return check


def one_of(discriminator: str, variants: Mapping[str, Shape]) -> Shape:
    """An object whose shape depends on the word in one of its members."""

    def check(value: Any, where: str) -> None:
        found = value.get(discriminator) if isinstance(value, dict) else None
        if not isinstance(found, str) or found not in variants:
            raise MalformedError(f"{where}.{discriminator} is {found!r}; allowed: {', '.join(variants)}")
        variants[found](value, where)

    return check
