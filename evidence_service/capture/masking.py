"""Secrets, found in every form bytes may have them, and masked at equal length.

Escapes are matched byte by byte, so that any mixture of them is found; soft line breaks are taken out for the
search and stay in the result.
"""

from __future__ import annotations

import base64
import bisect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote_to_bytes

SHORTEST = 6
"""Shorter values are no secrets: masking "1" or "en" would tear the record apart. In headers that carry
credentials the whole value is masked, whatever its length."""

CREDENTIALS = re.compile(
    rb"^(cookie|set-cookie|authorization|proxy-authorization)([ \t]*:)((?:[^\r\n]|\r?\n[ \t])*)",
    re.IGNORECASE | re.MULTILINE,
)
"""Headers that carry credentials: name, separator, value with its folds."""
_SOFT_BREAK = re.compile(rb"=\r?\n")
"""RFC 2045, 6.7, rule 5."""
_NAMED = {34: b"|&quot;", 38: b"|&amp;", 39: b"|&apos;", 60: b"|&lt;", 62: b"|&gt;"}
"""Characters that HTML spells by name."""


class Secrets:
    """Values that must not be disclosed, found in every form bytes may have them.

    Forms: plain, percent-encoded (once or twice), JSON, JavaScript and HTML escapes and quoted-printable in
    any mixture, base64 at any alignment in both alphabets, hexadecimal. The values appear in no repr and no
    error.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = frozenset(value for value in values if len(value) >= SHORTEST)
        longest = sorted(self._values, key=lambda value: (-len(value), value))
        self._pattern = re.compile(b"|".join(form for value in longest for form in _forms(value)) or rb"(?!)")
        # Widest form of a byte: a percent-encoded one whose sign is encoded, and a soft line break after it.
        self._reach = max((len(value) for value in longest), default=0) * 16

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)} values)"

    def with_credentials(self, heads: Iterable[bytes]) -> Secrets:
        """These and the credentials in message heads: cookies the server set meanwhile, for instance."""
        found = set(self._values)
        for head in heads:
            for name, _, value in CREDENTIALS.findall(head):
                found |= set(_credentials(name.lower(), value.strip()))
        return Secrets(found)

    def mask(self, data: bytes) -> bytes:
        """The same bytes with every secret replaced by as many others."""
        return b"".join(self.mask_stream((data,), lambda: None))

    def mask_text(self, text: str) -> str:
        """The same for text."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def mask_stream(self, pieces: Iterable[bytes], count: Callable[[], None]) -> Iterator[bytes]:
        """The same for a stream; ``count`` is called for each secret that is masked."""

        buffer = b""
        for piece in pieces:
            buffer += piece
            # What begins before this point has its end in the buffer.
            masked, done = self._masked_until(buffer, len(buffer) - self._reach, count)
            buffer = buffer[done:]
            yield masked
        yield self._masked_until(buffer, len(buffer), count)[0]

    def _masked_until(self, buffer: bytes, safe: int, count: Callable[[], None]) -> tuple[bytes, int]:
        """The masked beginning of a buffer, and where it ends: at ``safe``, or after what began before."""
        at, parts = 0, []
        for start, end in self._spans(buffer):
            if start >= safe:
                break
            count()
            parts += [buffer[at:start], _masked(buffer[start:end])]
            at = end
        parts.append(buffer[at : max(at, safe)])
        return b"".join(parts), max(at, safe, 0)

    def _spans(self, buffer: bytes) -> list[tuple[int, int]]:
        """Where secrets stand, in order; also those that soft line breaks of quoted-printable fold."""
        found = {match.span() for match in self._pattern.finditer(buffer)}
        breaks = [match.span() for match in _SOFT_BREAK.finditer(buffer)]
        if breaks:
            # Ends of the stretches between breaks, as offsets into the unfolded text.
            ends, removed = [], 0
            for start, end in breaks:
                ends.append(start - removed)
                removed += end - start
            before = [0, *itertools.accumulate(end - start for start, end in breaks)]
            for match in self._pattern.finditer(_SOFT_BREAK.sub(b"", buffer)):
                start = match.start() + before[bisect.bisect_right(ends, match.start())]
                end = match.end() + before[bisect.bisect_left(ends, match.end())]
                found.add((start, end))
        merged: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


def _forms(value: bytes) -> Iterator[bytes]:
    """Patterns of the forms a value may have."""
    yield b"".join(_byte(item) for item in value)
    yield b"(?i:" + value.hex().encode() + b")"
    for shift in range(3):
        # Characters that also depend on what stands before or after the value are left out.
        coded = base64.b64encode(bytes(shift) + value)
        inner = coded[(shift * 8 + 5) // 6 : (shift + len(value)) * 8 // 6]
        letters = [{b"+": b"[+-]", b"/": b"[/_]"}.get(bytes([item]), bytes([item])) for item in inner]
        yield rb"(?:\\?[\r\n]|\\r|\\n)*".join(letters)


def _byte(item: int) -> bytes:
    """One byte, as it is or escaped."""
    high, plain = b"%02x" % item, re.escape(bytes([item])) + _NAMED.get(item, b"")
    return (
        rb"(?:%s|(?i:%%(?:25)?%s|=%s|\\u00%s|\\x%s|&#x0*%s;)|&#0*%d;|\\(?:%s))"
        % (plain, high, high, high, high, high, item, plain)
        if item < 0x80
        else rb"(?:%s|(?i:%%(?:25)?%s|=%s))" % (plain, high, high)
    )


def _masked(data: bytes) -> bytes:
    # A number stays one where JSON has it; line ends keep the lines they end.
    if data.isdigit():
        return b"9" * len(data)
    return re.sub(rb"=(?=\r?\n)|[^\r\n=]|=", lambda found: _letter(found.group(), found.end(), data), data)


def _letter(item: bytes, end: int, data: bytes) -> bytes:
    return item if item == b"=" and data[end : end + 1] in (b"\r", b"\n") else b"x"


def _credentials(name: bytes, value: bytes) -> Iterator[bytes]:
    if name.endswith(b"authorization"):
        scheme, _, token = value.partition(b" ")
        yield token.strip()
        if scheme.lower() == b"basic":
            try:
                yield base64.b64decode(token, validate=True).partition(b":")[2]
            except ValueError:
                return
        return
    pairs = value.split(b";") if name == b"cookie" else value.split(b";")[:1]
    for pair in pairs:
        found = pair.partition(b"=")[2].strip().strip(b'"')
        yield found
        yield unquote_to_bytes(found)
