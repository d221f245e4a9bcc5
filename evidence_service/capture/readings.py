"""Bytes read through the escapes they may be written with, each reading with its way back to the bytes.

A value may stand percent-encoded in a JSON string in an attribute of HTML. Instead of looking for every
spelling, the bytes are decoded round by round, all escapes at once, and every round is searched.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_ROUNDS = 4
"""Escapes within escapes that are followed: JSON in JSON in an attribute in a form, for instance."""

# RFC 3986, 2.1 · RFC 8259, 7 and ECMAScript's string escapes · HTML's character references · form encoding.
_ESCAPE = (
    rb"%[0-9A-Fa-f]{2}"
    rb"|\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    rb"|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\\r?\n|\\[^ux]"
    rb"|&#[xX]0*[0-9A-Fa-f]{1,6};|&#0*[0-9]{1,7};|&(?:quot|amp|apos|lt|gt);"
    rb"|\+"
)
_COMMON = re.compile(_ESCAPE, re.DOTALL)
# RFC 2045, 6.7: apart, because any query has an equals sign before what may look like two digits.
_PRINTABLE = re.compile(_ESCAPE + rb"|=[0-9A-Fa-f]{2}|=\r?\n", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"0": b"\0"}
_NAMED = {b"quot": b'"', b"amp": b"&", b"apos": b"'", b"lt": b"<", b"gt": b">"}
_LINE_END = re.compile(rb"\\?[\r\n]|\\r|\\n")
_STANDARD = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read bytes.

    Attributes:
        data: what was read.
        starts: offsets in ``data`` where a stretch begins: bytes as they are, or what one escape stands for.
        stretches: of each, begin and end in what was read from, and whether the bytes are as they are.
        source: the reading it was made from; None when that is the bytes themselves.
    """

    data: bytes
    starts: tuple[int, ...] = ()
    stretches: tuple[tuple[int, int, bool], ...] = ()
    source: Reading | None = None

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where a span of ``data`` stands in the bytes; an escape that it touches belongs to it."""
        if not self.starts:
            return start, end
        first = bisect.bisect_right(self.starts, start) - 1
        last = bisect.bisect_left(self.starts, end) - 1
        begin, _, plain = self.stretches[first]
        begin += start - self.starts[first] if plain else 0
        after, stop, plain = self.stretches[last]
        stop = after + end - self.starts[last] if plain else stop
        return self.source.origin(begin, stop) if self.source is not None else (begin, stop)


def readings(data: bytes) -> Iterator[Reading]:
    """The bytes themselves, and every other way to read them that is another."""
    plain = Reading(data)
    yield from _and_base64(plain)
    for escapes in (_COMMON, _PRINTABLE):
        found = plain
        for _ in range(_ROUNDS):
            decoded = _read(found, escapes, _meaning)
            if decoded is None:
                break
            yield from _and_base64(decoded)
            found = decoded


def _and_base64(source: Reading) -> Iterator[Reading]:
    """A reading, and with base64's other alphabet and lines undone where that is another (RFC 4648, 5)."""
    yield source
    found = _read(source, _LINE_END, lambda _: b"") or source
    data = found.data.translate(_STANDARD)
    if data != source.data:
        yield Reading(data, found.starts, found.stretches, found.source)


def _read(source: Reading, escapes: re.Pattern[bytes], meaning: Callable[[bytes], bytes]) -> Reading | None:
    """One round; None when there is no escape."""
    parts: list[bytes] = []
    starts: list[int] = []
    stretches: list[tuple[int, int, bool]] = []
    at = size = 0

    def add(part: bytes, begin: int, end: int, plain: bool) -> None:
        nonlocal size
        # What stands for nothing begins nowhere; it belongs to neither neighbour.
        if part:
            parts.append(part)
            starts.append(size)
            stretches.append((begin, end, plain))
            size += len(part)

    for match in escapes.finditer(source.data):
        begin, end = match.span()
        add(source.data[at:begin], at, begin, True)
        add(meaning(match.group()), begin, end, False)
        at = end
    if not at:
        return None
    add(source.data[at:], at, len(source.data), True)
    return Reading(b"".join(parts), tuple(starts), tuple(stretches), source if source.starts else None)


def _meaning(escape: bytes) -> bytes:
    """What an escape stands for, in UTF-8."""
    kind, rest = escape[:1], escape[1:]
    if kind == b"+":
        return b" "
    if kind in b"%=":
        return bytes.fromhex(rest.decode()) if len(rest) == 2 and rest != b"\r\n" else b""
    if kind == b"&":
        return _reference(rest[:-1])
    if rest[:1] in b"ux":
        units = b"".join(bytes.fromhex(item.decode().zfill(4)) for item in re.split(rb"\\u", rest[1:]))
        return units.decode("utf-16-be", "replace").encode()
    return b"" if rest[-1:] == b"\n" else _LETTERS.get(rest, rest)


def _reference(name: bytes) -> bytes:
    if not name.startswith(b"#"):
        return _NAMED[name]
    code = int(name[2:], 16) if name[1:2] in b"xX" else int(name[1:])
    return chr(code).encode("utf-8", "replace") if code <= 0x10FFFF else b"?"
