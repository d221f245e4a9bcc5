"""Secrets, found in every form bytes may have them, and masked at equal length."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import ahocorasick

from evidence_service.capture.credentials import SHORTEST
from evidence_service.capture.readings import Reading, readings

_PIECE = 1024
"""Longer secrets are looked for in pieces of at most this: a piece of a secret is one."""
_LONGEST_ESCAPE = 16
"""Bytes one byte may be written with: JSON's escape within JSON, percent-encoded, and a soft line break."""
_SYNTAX = re.compile(rb"^(?:HTTP/\d\.\d \d{3}(?!\d)|[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*:)", re.MULTILINE)
"""What a message's head consists of beside values; without it nobody could read the record."""
_VOCABULARY = frozenset(
    {"format", "at", "started_at", "finished_at", "id", "number", "name", "status", "action", "kind",
     "source", "truncated", "record", "sha256", "raw_sha256", "sha3_512", "media_type", "role"}
)  # fmt: skip
"""Members of our own documents whose values are ours, and times."""


class Secrets:
    """Values that must not be disclosed, found in every form bytes may have them.

    Forms: plain; percent-encoded, form-encoded, JSON, JavaScript and HTML escapes and quoted-printable in any
    mixture, up to four deep; base64 at any alignment in both alphabets; hexadecimal. The values appear in no
    repr and no error.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = frozenset(value for value in values if len(value) >= SHORTEST)
        pieces = {piece for value in self._values for piece in _pieces(value)}
        # Text of one character for each byte: the automaton knows no bytes.
        self._automaton = ahocorasick.Automaton()
        for form in {form for piece in pieces for form in _forms(piece)}:
            self._automaton.add_word(form.decode("latin-1"), len(form))
        self._automaton.make_automaton()
        self._reach = max(map(len, pieces), default=0) * _LONGEST_ESCAPE

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)} values)"

    def mask(self, data: bytes) -> bytes:
        """The same bytes with every secret replaced by as many others."""
        return b"".join(self.mask_stream((data,), lambda: None))

    def mask_text(self, text: str) -> str:
        """The same for text."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def mask_head(self, head: bytes, count: Callable[[], None]) -> bytes:
        """The same for the head of a message, whose status and names of fields stay."""
        at, parts = 0, []
        for match in _SYNTAX.finditer(head):
            parts += [*self.mask_stream((head[at : match.start()],), count), match.group()]
            at = match.end()
        return b"".join([*parts, *self.mask_stream((head[at:],), count)])

    def mask_json(self, value: Any, count: Callable[[], None]) -> Any:
        """The same for a value of a document of our own; what its format says stays, times for instance."""
        if isinstance(value, dict):
            return {
                name: item
                if name in _VOCABULARY and not isinstance(item, dict | list)
                else self.mask_json(item, count)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.mask_json(item, count) for item in value]
        if isinstance(value, str):
            encoded = value.encode("utf-8", "replace")
            return b"".join(self.mask_stream((encoded,), count)).decode()
        return value

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
        for start, end in self._spans(buffer) if safe > 0 else ():
            if start >= safe:
                break
            count()
            parts += [buffer[at:start], _masked(buffer[start:end])]
            at = end
        parts.append(buffer[at : max(at, safe)])
        return b"".join(parts), max(at, safe, 0)

    def _spans(self, buffer: bytes) -> list[tuple[int, int]]:
        """Where secrets stand, in order."""
        if not self._values:
            return []
        # Hexadecimal digits have two cases, and one in the automaton.
        found = {
            reading.origin(last + 1 - size, last + 1)
            for reading in (*readings(buffer), Reading(buffer.lower()))
            for last, size in self._automaton.iter(reading.data.decode("latin-1"))
        }
        merged: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


def _pieces(value: bytes) -> Iterator[bytes]:
    number = -(-len(value) // _PIECE)
    size = -(-len(value) // number)
    for at in range(0, len(value), size):
        yield value[at : at + size]


def _forms(value: bytes) -> Iterator[bytes]:
    """What is looked for in the readings of bytes."""
    for reading in readings(value):
        if len(reading.data) >= SHORTEST:
            yield reading.data
    yield value.hex().encode()
    for shift in range(3):
        # Characters that also depend on what stands before or after the value are left out.
        coded = base64.b64encode(bytes(shift) + value)
        yield coded[(shift * 8 + 5) // 6 : (shift + len(value)) * 8 // 6]


def _masked(data: bytes) -> bytes:
    # A number stays one where JSON has it; line ends keep the lines they end.
    if data.isdigit():
        return b"9" * len(data)
    return re.sub(rb"=(?=\r?\n)|[^\r\n=]|=", lambda found: _letter(found.group(), found.end(), data), data)


def _letter(item: bytes, end: int, data: bytes) -> bytes:
    return item if item == b"=" and data[end : end + 1] in (b"\r", b"\n") else b"x"
