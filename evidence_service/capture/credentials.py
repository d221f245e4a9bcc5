"""What counts as a secret: values an operator supplied, credentials on the wire, and what looks like one.

A page can store and set whatever it likes. If every word it keeps were a secret, it could have its own title
masked; so what an operator did not supply has to look like a credential.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

SHORTEST = 6
"""Shorter values are no secrets: masking "1" or "en" would tear the record apart. In headers that carry
credentials the whole value is masked, whatever its length."""
_SHORTEST_TOKEN, _LONGEST_TOKEN = 16, 4096
_DEPTH = 5
_MOST_BRACKETS = 10_000
_MOST_PARTS = 5_000
"""Of one value; a page's cache of its catalogue is no credential."""

HEADERS = re.compile(
    rb"^(cookie|set-cookie|authorization|proxy-authorization)([ \t]*:)((?:[^\r\n]|\r?\n[ \t])*)",
    re.IGNORECASE | re.MULTILINE,
)
"""Headers that carry credentials: name, separator, value with its folds."""
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")


def secret_values(supplied: Mapping[str, Any], ended_with: Mapping[str, Any]) -> frozenset[bytes]:
    """The secrets of a session.

    Args:
        supplied: the operator's login state; its values are secrets, whole and in their parts.
        ended_with: what the browser held in the end; of it, what looks like a credential.
    """
    found = set(_stored(supplied))
    for value in [*_stored(supplied), *_stored(ended_with)]:
        found |= set(tokens(value))
    return frozenset(value.encode("utf-8", "replace") for value in found)


def tokens(value: str, depth: int = _DEPTH) -> Iterator[str]:
    """Parts of a value that look like credentials: words, members of JSON, values of a form or a query."""
    found = 0
    for part in _parts(value, depth):
        if looks_like_credential(part):
            yield part
            found += 1
            if found == _MOST_PARTS:
                return


def looks_like_credential(text: str) -> bool:
    """Long, in one word, of letters and digits, and no time."""
    return (
        _SHORTEST_TOKEN <= len(text) <= _LONGEST_TOKEN
        and not re.search(r"\s", text)
        and bool(re.search(r"\d", text))
        and bool(re.search(r"[A-Za-z]", text))
        and not _TIME.match(text)
    )


def in_heads(head: bytes) -> Iterator[bytes]:
    """Credentials in the head of a message: passwords and tokens whole, of cookies what looks like one."""
    for name, _, value in HEADERS.findall(head):
        if name.lower().endswith(b"authorization"):
            yield from _authorization(value.strip())
        else:
            for cookie in _cookies(name.lower(), value.strip()):
                yield from (item.encode() for item in tokens(cookie.decode("utf-8", "replace")))


def in_queries(urls: Iterator[str]) -> Iterator[bytes]:
    """What looks like a credential in the queries of addresses."""
    for url in urls:
        for _, value in parse_qsl(urlsplit(url).query):
            yield from (item.encode("utf-8", "replace") for item in tokens(value))


def _stored(state: Mapping[str, Any]) -> Iterator[str]:
    """Values of cookies and of the storage of their origins."""
    for cookie in state.get("cookies", []):
        yield cookie["value"]
    for origin in state.get("origins", []):
        for item in origin.get("localStorage", []):
            yield item["value"]


def _parts(value: str, depth: int) -> Iterator[str]:
    yield value
    if not depth:
        return
    document = _json(value)
    if document is not None:
        yield from _members(document, depth - 1)
        return
    smaller = [part for _, part in parse_qsl(value)] if "=" in value else []
    smaller += re.split(r"[\s,;|]+", value)
    for part in smaller:
        if part != value:
            yield from _parts(part, depth - 1)


def _json(value: str) -> Any:
    """A document of JSON; None for what is none, or might be too deep for its reader."""
    if value[:1] not in tuple('{["') or value.count("[") + value.count("{") > _MOST_BRACKETS:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _members(document: Any, depth: int) -> Iterator[str]:
    """Texts in a document of JSON; without recursion, its depth is somebody else's word."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            yield from _parts(item, depth)


def _authorization(value: bytes) -> Iterator[bytes]:
    scheme, _, token = value.partition(b" ")
    yield token.strip()
    if scheme.lower() == b"basic":
        try:
            yield base64.b64decode(token, validate=True).partition(b":")[2]
        except ValueError:
            return


def _cookies(name: bytes, value: bytes) -> Iterator[bytes]:
    """Values of cookies, as they are and without percent-encoding."""
    for pair in value.split(b";") if name == b"cookie" else value.split(b";")[:1]:
        found = pair.partition(b"=")[2].strip().strip(b'"')
        yield found
        yield unquote_to_bytes(found)
