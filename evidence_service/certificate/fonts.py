"""The fonts of a certificate, and what happens to characters they do not have.

A missing glyph must be visible, not blank, and must not stop a certificate: the character is written as its
code point, ``[U+1F600]``. So are characters that change the direction or hide text, which a hostile title may
hold.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTCollection

from evidence_service.errors import ConfigurationError

SANS, MONO = "Noto Sans CJK SC", "Noto Sans Mono CJK SC"
_FILES = ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc")
_MOST = 1_500
_ROOTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")


@cache
def font_directory() -> Path:
    """The folder that holds the fonts.

    Raises:
        ConfigurationError: they are not installed.
    """
    for root in _ROOTS:
        for found in sorted(root.rglob(_FILES[0])):
            if (found.parent / _FILES[1]).is_file():
                return found.parent
    raise ConfigurationError(
        "the certificate's fonts (Noto Sans CJK) are not installed",
        what_to_do="install them (Debian: apt-get install fonts-noto-cjk)",
    )


@cache
def _covered() -> frozenset[int]:
    """Code points both faces of both weights have."""
    covered: set[int] | None = None
    for name in _FILES:
        for font in TTCollection(str(font_directory() / name), lazy=True).fonts:
            if font["name"].getDebugName(1) in (SANS, MONO):
                points = set(font.getBestCmap())
                covered = points if covered is None else covered & points
    return frozenset(covered or ())


def printable(value: Any) -> Any:
    """The same value with every character in its texts printable; containers are gone through.

    Line ends, tabs and no-break spaces become spaces. A text of more than 1,500 characters ends in ``[+n]``,
    n being the number of characters that are left out: somebody else's page must not fill hundreds of ours.
    """
    if isinstance(value, str):
        return _line(value)
    if isinstance(value, dict):
        return {_line(name): printable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [printable(member) for member in value]
    return value


def _line(text: str) -> str:
    rest = len(text) - _MOST
    kept = text[:_MOST] if rest > 0 else text
    if not (kept.isascii() and kept.isprintable()):
        # Composed first (Unicode Standard Annex 15): an accent is then no mark of its own.
        composed = unicodedata.normalize("NFC", kept)
        kept = "".join(_visible(*pair) for pair in zip(" " + composed, composed, strict=False))
    return f"{kept} … [+{rest}]" if rest > 0 else kept


def _visible(before: str, character: str) -> str:
    kind = unicodedata.category(character)
    # A space that lines may not break at could lead them over the edge of the page.
    if character in "\t\n\r" or (kind == "Zs" and character != "\u3000"):
        return " "
    # Marks piled on one another reach into other lines; one on a letter is what languages need.
    piled = kind in ("Mn", "Me") and unicodedata.category(before) in ("Mn", "Me", "Zs")
    if piled or kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or ord(character) not in _covered():
        return f"[U+{ord(character):04X}]"
    return character
