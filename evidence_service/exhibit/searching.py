"""Finding what is masked: as it is, and in everything a reader's program would decode it from.

Masking works on bytes and is given from outside, so that exhibits mask as captures do; the search reads the
result once more the way programs do, and so finds what masking cannot reach: words that markup tears apart,
an escape nobody thought of, an old encoding. What it does not read: compressed streams and pictures, which is
why these are never searched, only named.
"""

from __future__ import annotations

import base64
import html
import quopri
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import IO, Protocol
from urllib.parse import unquote

import ahocorasick

_WINDOW = 1 << 20
_OVERLAP = 1 << 16
"""What is longer in its encoded form than this may be missed at the border of two windows."""
_ESCAPE = re.compile(r"\\{1,3}(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\"'/\\]))")
_MARKUP = re.compile(r"<[^<>]*>")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}(?:\\?[\r\n]+[A-Za-z0-9+/_-]+)*")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_NARROW = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1252")
_WIDE = ("utf_16_le", "utf_16_be")
"""Encodings beside UTF-8 in which marketplaces and programs write text."""


class Masking(Protocol):
    """Replaces values in bytes, in every form it knows, at equal length."""

    def mask_stream(self, pieces: Iterable[bytes], count: Callable[[], None]) -> Iterator[bytes]:
        """A stream without them; ``count`` is called for each that is masked."""

    def mask_text(self, text: str) -> str:
        """The same for text."""


MakeMasking = Callable[[Iterable[bytes]], Masking]


class Needles:
    """Texts that must not be found; they appear in no repr and no error."""

    def __init__(self, texts: Iterable[str], make: MakeMasking) -> None:
        given = frozenset(texts)
        # What looks the same may be composed differently (Unicode Standard Annex 15).
        self._texts = given | {unicodedata.normalize(form, text) for text in given for form in ("NFC", "NFD")}
        self._automaton = ahocorasick.Automaton()
        for text in self._texts:
            self._automaton.add_word(text, True)
        self._automaton.make_automaton()
        self.masking = make(set(_encoded(self._texts)))

    def __repr__(self) -> str:
        return f"Needles({len(self._texts)} texts)"

    def __bool__(self) -> bool:
        return bool(self._texts)

    def survives(self, reader: IO[bytes]) -> bool:
        """Whether one of the texts is in a stream, in any form."""
        return any(self._in(window) for window in _windows(reader))

    def _in(self, window: bytes) -> bool:
        if b"".join(self.masking.mask_stream((window,), lambda: None)) != window:
            return True
        return any(True for view in readings(window) for _ in self._automaton.iter(view))


def _encoded(texts: Iterable[str]) -> Iterator[bytes]:
    for text in texts:
        yield text.encode("utf-8", "surrogatepass")
        for charset in (*_NARROW, *_WIDE):
            with suppress(UnicodeEncodeError):
                yield text.encode(charset)


def _windows(reader: IO[bytes]) -> Iterator[bytes]:
    kept = b""
    while chunk := reader.read(_WINDOW):
        window = kept + chunk
        yield window
        kept = window[-_OVERLAP:]


def readings(data: bytes) -> Iterator[str]:
    """A stretch of bytes as programs read it, one decoding after the other; each without markup too."""
    for view in _decoded(data):
        yield view
        if "<" in view:
            yield _MARKUP.sub("", view)


def _decoded(data: bytes) -> Iterator[str]:
    plain = data.decode("utf-8", "replace")
    yield plain
    text = plain
    for decode in (_unescaped, html.unescape, unquote, unquote):
        following = decode(text)
        if following != text:
            yield following
        text = following
    if "%" in plain:
        yield from (unquote(plain, charset) for charset in _NARROW)
    if "\ufffd" in plain:
        yield from (data.decode(charset, "replace") for charset in _NARROW)
    if b"=" in data:
        yield quopri.decodestring(data).decode("utf-8", "replace")
    if b"\x00" in data:
        for charset in _WIDE:
            for shift in (0, 1):
                yield data[shift:].decode(charset, "replace")
    for found in _BASE64.finditer(data):
        yield from _from_base64(found.group())


def _unescaped(text: str) -> str:
    """Escapes of JSON and JavaScript; a pair of surrogates becomes the character it stands for."""
    shown = _ESCAPE.sub(_character, text)
    return shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(found: re.Match[str]) -> str:
    number = found[1] or found[2] or found[3]
    if number is None:
        return found[4]
    value = int(number, 16)
    return chr(value) if value < 0x110000 else found[0]


def _from_base64(run: bytes) -> Iterator[str]:
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", run.translate(_TO_STANDARD))
    for shift in range(4):
        part = letters[shift:]
        # A single letter at the end stands for no byte.
        part = part[: len(part) - (len(part) % 4 == 1)]
        yield base64.b64decode(part + b"=" * (-len(part) % 4)).decode("utf-8", "replace")
