"""Finding what is masked: as it is, and in everything a reader's program would decode it from.

Masking works on bytes (:mod:`evidence_service.masking`); the search reads the same bytes once more the way
programs do, and so finds what masking cannot reach: words that markup tears apart, an escape nobody thought
of. What it does not read: compressed streams and pictures, which is why these are never searched, only named.
"""

from __future__ import annotations

import base64
import html
import quopri
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import IO
from urllib.parse import unquote

from evidence_service.masking import Secrets

_WINDOW = 1 << 20
_OVERLAP = 1 << 16
"""What is longer in its encoded form than this may be missed at the border of two windows."""
_ESCAPE = re.compile(r"\\{1,3}(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\"'/\\]))")
_MARKUP = re.compile(r"<[^<>]*>")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}(?:\\?[\r\n]+[A-Za-z0-9+/_-]+)*")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


class Needles:
    """Texts that must not be found; they appear in no repr and no error."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(
            unicodedata.normalize(form, text) for text in texts for form in ("NFC", "NFD")
        ) | frozenset(texts)
        self.secrets = Secrets(text.encode("utf-8", "surrogatepass") for text in self._texts)

    def __repr__(self) -> str:
        return f"Needles({len(self._texts)} texts)"

    def __bool__(self) -> bool:
        return bool(self._texts)

    def survives(self, reader: IO[bytes]) -> bool:
        """Whether one of the texts is in a stream, in any form."""
        return any(self._in(window) for window in _windows(reader))

    def _in(self, window: bytes) -> bool:
        if self.secrets.finds(window):
            return True
        return any(text in view for view in readings(window) for text in self._texts)


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
    if b"=" in data:
        yield quopri.decodestring(data).decode("utf-8", "replace")
    if b"\x00" in data:
        for charset in ("utf-16-le", "utf-16-be"):
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
