"""Words of others on a terminal: shown as they are, never obeyed.

Nodes, authorities, listings and forged documents all get words into answers and errors. Control characters in
them could move the cursor, colour a verdict or turn text around, and what looks like markup would be read as
markup; both are shown for what they are.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from rich.text import Text

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""General categories of Unicode that a terminal acts on, or that no encoding takes."""


def plain(words: object) -> str:
    """One line of text; each control or format character as JSON escapes it."""
    return "".join(map(_shown, str(words)))


def cell(words: object, style: str = "") -> Text:
    """The same for tables and consoles: no markup or emoji codes; folded, since ids and hashes are copied."""
    return Text(plain(words), style=style, overflow="fold")


def document(value: Any) -> str:
    """A JSON document, indented, that is safe to print; it means the same as without the escapes."""
    lines = json.dumps(value, ensure_ascii=False, indent=2).split("\n")
    return "\n".join(map(plain, lines))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) not in _OBEYED:
        return character
    return json.dumps(character)[1:-1]
