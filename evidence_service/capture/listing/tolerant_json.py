"""JSON as pages embed it, read without executing anything, each value with its place in the text.

Beyond RFC 8259 it takes what JavaScript object literals have: bare and single-quoted names, trailing commas,
comments, ``undefined``. What is neither ends the reading: there is no value then, never a guessed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_NODES = 200_000
MAX_DEPTH = 200

# Possessive are characters alone: the Python of Debian 12 (3.11.2) loses its place after possessive groups.
_TOKEN = re.compile(
    r"""(?:\s++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*\*/)*(?:
    "(?P<double>[^"\\]*+(?:\\.[^"\\]*+)*)"
    |'(?P<single>[^'\\]*+(?:\\.[^'\\]*+)*)'
    |(?P<mark>[{}\[\],:])
    |(?P<number>-?\d[\d.]*+(?:[eE][+-]?\d++)?)
    |(?P<word>[A-Za-z_$][\w$]*+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_WORDS = {"true", "false", "null", "undefined", "NaN", "Infinity"}


@dataclass(slots=True)
class Node:
    """A value and where it is; a text's place is without its quotes.

    Attributes:
        kind: ``object``, ``array``, ``string``, ``number`` or ``word``.
        raw: the scalar as written.
    """

    kind: str
    start: int
    end: int = 0
    raw: str = ""
    members: dict[str, Node] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        """A scalar's value as text; empty for objects, arrays, ``null`` and ``undefined``."""
        if self.kind == "string":
            return unescape(self.raw)
        return self.raw if self.kind == "number" or self.raw in ("true", "false") else ""


def unescape(raw: str) -> str:
    """The text a JSON or JavaScript string literal stands for, without its quotes."""
    if "\\" not in raw:
        return raw

    def one(match: re.Match[str]) -> str:
        code = match.group(1) or match.group(2) or match.group(3)
        if code is None:
            return _SHORT.get(match.group(4), match.group(4))
        return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"

    # Two escapes may be the halves of one character (RFC 8259, section 7).
    return _ESCAPE.sub(one, raw).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def read_value(text: str, start: int = 0, end: int | None = None) -> Node | None:
    """The object or array that begins at ``start``, after white space at most; None when there is none."""
    reader = _Reader()
    for match in _tokens(text, start, len(text) if end is None else end):
        if not reader.take(match):
            return None
        if reader.done:
            return reader.root
    return None


def _tokens(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    for _ in range(MAX_NODES * 2):
        match = _TOKEN.match(text, start, end)
        if match is None:
            return
        yield match
        start = match.end()


class _Reader:
    """Containers that are open, and what is expected next; no recursion, so depth costs no stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.done = False
        self._open: list[Node] = []
        self._names: list[str | None] = []
        self._colon = False

    def take(self, match: re.Match[str]) -> bool:
        """Take one token; False when it cannot stand there."""
        mark = match.group("mark")
        if mark in ("}", "]"):
            return self._close(mark, match.end())
        if mark == ",":
            return bool(self._open) and not self._colon and self._names[-1] is None
        if mark == ":":
            self._colon, before = False, self._colon
            return before
        if mark:
            node = Node("object" if mark == "{" else "array", match.start("mark"))
            if len(self._open) >= MAX_DEPTH or not self._place(node):
                return False
            self._open.append(node)
            self._names.append(None)
            return True
        return self._scalar(match)

    def _scalar(self, match: re.Match[str]) -> bool:
        kind = str(match.lastgroup)
        raw = match.group(kind)
        if self._open and self._open[-1].kind == "object" and self._names[-1] is None:
            self._names[-1] = unescape(raw)
            self._colon = True
            return True
        if kind == "word" and raw not in _WORDS:
            return False
        string = kind in ("double", "single")
        node = Node("string" if string else kind, match.start(kind), match.end(kind), raw)
        return bool(self._open) and self._place(node)

    def _place(self, node: Node) -> bool:
        if not self._open:
            self.root, first = node, self.root is None
            return first
        parent, name = self._open[-1], self._names[-1]
        if parent.kind == "array":
            parent.items.append(node)
            return True
        if name is None or self._colon:
            return False
        parent.members[name] = node
        self._names[-1] = None
        return True

    def _close(self, mark: str, end: int) -> bool:
        if not self._open or self._names[-1] is not None:
            return False
        node = self._open.pop()
        self._names.pop()
        node.end = end
        self.done = not self._open
        return (node.kind == "object") == (mark == "}")


def follow(node: Node, path: str) -> Iterator[Node]:
    """Values at a path such as ``offers.price``; lists are gone through, ``*`` is any member.

    At most the first 100 members of a list or object are looked at.
    """
    found = [node]
    for step in path.split("."):
        found = [child for parent in found[:100] for child in _step(parent, step)]
    for item in found:
        yield from item.items[:100] if item.kind == "array" else (item,)


def _step(parent: Node, step: str) -> list[Node]:
    if parent.kind == "array":
        if step.isdecimal():
            return parent.items[int(step) : int(step) + 1]
        return [child for item in parent.items[:100] if item.kind == "object" for child in _step(item, step)]
    if step == "*":
        return list(parent.members.values())[:100]
    return [parent.members[step]] if step in parent.members else []
