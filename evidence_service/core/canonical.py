"""Canonical JSON: one byte sequence for one value, and a parser that accepts nothing else.

Encoding follows RFC 8785 (JSON Canonicalization Scheme) restricted to what hashes safely: objects, arrays,
strings, booleans, null and integers of magnitude below 2**53. There are no floats; numbers that may grow
larger are decimal strings. See ``docs/spec/formats.md`` section 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import rfc8785

from evidence_service.errors import LimitExceededError, MalformedError

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1
DEFAULT_LIMIT = 4 * 1024 * 1024
"""Largest canonical document that is read, in bytes."""

_BOM = b"\xef\xbb\xbf"
# Text that never ends is taken as well, and nothing is given back: else each of a million quotes would be
# tried as a beginning, and a hostile document would cost hours. Possessive are characters
# alone: the Python of Debian 12 (3.11.2) loses its place after possessive groups.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*\\?(?:"|\Z)', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def encode(value: Any) -> bytes:
    """Canonical bytes of a value.

    Raises:
        MalformedError: a float, a big integer, a lone surrogate, a key that is not text.
        LimitExceededError: nested deeper than 32 levels.
    """
    _check(value, depth=1)
    return rfc8785.dumps(value)


def joined(members: Mapping[str, bytes]) -> bytes:
    """Canonical bytes of an object whose members are canonical already.

    Args:
        members: by name; a name is of ASCII letters, digits and underscores.
    """
    # RFC 8785 section 3.2.3: members in the order of their names, nothing between them.
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), members[name]) for name in sorted(members)) + b"}"


def decode(data: bytes, *, what: str, limit: int = DEFAULT_LIMIT) -> Any:
    """Parse canonical bytes; anything that is not the canonical form of its value is refused.

    Args:
        data: the document.
        what: name of the document for error messages ("manifest").
        limit: largest accepted size in bytes.

    Raises:
        MalformedError: not UTF-8, a byte order mark, duplicate keys, floats, or not the canonical form.
        LimitExceededError: larger than ``limit`` or nested too deep.
    """
    value = decode_json(data, what=what, limit=limit)
    if encode(value) != data:
        raise MalformedError(
            f"the {what} is not in canonical form (RFC 8785): its bytes differ from its re-encoding",
            what_to_do="use the original file; editors and formatters change its bytes",
        )
    return value


def decode_json(data: bytes, *, what: str, limit: int = DEFAULT_LIMIT) -> Any:
    """Parse JSON as strictly as :func:`decode`, but accept any spacing and order of keys.

    For documents that people write by hand, such as a trust policy.
    """
    if len(data) > limit:
        raise LimitExceededError(f"the {what} has {len(data)} bytes; the limit is {limit}")
    if data.startswith(_BOM):
        raise MalformedError(f"the {what} starts with a byte order mark")
    check_nesting(data, what=what)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"the {what} is not UTF-8: invalid byte at offset {error.start}") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_float=_refuse_float,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
        )
    except json.JSONDecodeError as error:
        raise MalformedError(f"the {what} is not JSON: {error.msg} at offset {error.pos}") from error
    except MalformedError as error:
        raise MalformedError(f"the {what} is not acceptable JSON: {error.message}") from error
    _check(value, depth=1)
    return value


def check_nesting(data: bytes | bytearray, *, what: str, maximum: int = MAX_DEPTH) -> None:
    """Refuse JSON nested deeper than ``maximum`` levels before a parser sees it.

    Python's own parser is recursive C code: where some library has raised the recursion limit, a document of
    a hundred thousand brackets ends the process instead of raising an error.

    Raises:
        MalformedError: not in UTF-8; the parser would find out, but quotes are not where they seem to be.
        LimitExceededError: nested too deep.
    """
    if b"\0" in data:  # every bracket of UTF-16 and UTF-32 has one; RFC 8259, section 8.1
        raise MalformedError(f"the {what} holds a NUL byte: it is not JSON in UTF-8")
    depth = 0
    for bracket in _BRACKET.finditer(_TEXT.sub(b"", data)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > maximum:
            raise LimitExceededError(f"the {what} is nested deeper than {maximum} levels")


def _check(value: Any, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LimitExceededError(f"JSON nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise MalformedError(f"integer {value} does not fit 53 bits; write it as a decimal string")
    elif isinstance(value, list):
        for item in value:
            _check(item, depth=depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise MalformedError(f"object key {key!r} is not text")
            _check_text(key)
            _check(item, depth=depth + 1)
    else:
        raise MalformedError(f"a {type(value).__name__} has no canonical JSON form")


def _check_text(text: str) -> None:
    # RFC 8785 section 3.2.2.2: lone surrogates must be refused, they have no UTF-8 form.
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise MalformedError("text holds a lone surrogate")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        duplicate = next(key for key in keys if keys.count(key) > 1)
        raise MalformedError(f"duplicate key {duplicate!r}")
    return result


def _refuse_float(literal: str) -> NoReturn:
    raise MalformedError(f"number {literal[:40]} is not an integer")


def _refuse_constant(literal: str) -> NoReturn:
    raise MalformedError(f"{literal} is not JSON")


def _bounded_integer(literal: str) -> int:
    # int() on a very long literal is quadratic; 17 characters hold every 53-bit integer with its sign.
    if len(literal) > 17:
        raise MalformedError(f"integer of {len(literal)} digits does not fit 53 bits")
    if literal == "-0":
        raise MalformedError("-0 has no canonical form as an integer")
    return int(literal)
