"""HTML as a stream of tags with their places, in time linear in its length.

A tree parser tells no offsets, and offsets are what a fact cites. This reads what facts need and no more:
tags, their attributes, and the text of elements that hold no other elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

MAX_TAGS = 300_000
_OPENING = re.compile(r"<(?=[!/A-Za-z])")
_NAME = re.compile(r"/?[A-Za-z][^\s/>]{0,60}")
_DELIMITER = re.compile(r"[>\"']")
_ATTRIBUTE = re.compile(r"""([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")
_RAW = {
    name: re.compile(rf"</{name}[\s/>]", re.IGNORECASE) for name in ("script", "style", "textarea", "title")
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of the page as written between two offsets, and what it stands for."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Tag:
    """One tag.

    Attributes:
        name: lower-case; a closing tag's begins with a slash.
        start, end: of the tag itself.
        content: for script, style, textarea and title, the offsets of what is in them.
    """

    name: str
    source: str
    start: int
    end: int
    content: tuple[int, int] | None = None

    def attributes(self) -> dict[str, Piece]:
        """Attributes by lower-case name, the first of a name (HTML standard, 13.2.5.33)."""
        found: dict[str, Piece] = {}
        begin = self.start + 1 + len(self.name)
        for match in _ATTRIBUTE.finditer(self.source, begin, min(self.end - 1, begin + 20_000)):
            group = next((number for number in (2, 3, 4) if match.group(number) is not None), 0)
            piece = Piece(
                unescape(match.group(group)) if group else "",
                match.start(group) if group else match.end(),
                match.end(group),
            )
            found.setdefault(match.group(1).lower(), piece)
        return found

    def mentions(self, word: str) -> bool:
        """Whether the word is anywhere in the tag: cheaper than reading its attributes."""
        return self.source.find(word, self.start, self.end) >= 0


def tags(source: str) -> Iterator[Tag]:
    """The page's tags in order, at most 300,000; comments are left out."""
    position, count = 0, 0
    missing: set[str] = set()
    while count < MAX_TAGS and (opening := _OPENING.search(source, position)) is not None:
        start = opening.start()
        if source.startswith("<!--", start):
            end = source.find("-->", start + 4)
            if end < 0:
                return
            position = end + 3
            continue
        name = _NAME.match(source, start + 1)
        if name is None:
            position = start + 1
            continue
        end = _tag_end(source, name.end(), missing)
        if end < 0:
            return
        tag = Tag(name.group().lower(), source, start, end)
        position = end
        if tag.name in _RAW and source[end - 2] != "/":
            closing = _RAW[tag.name].search(source, end)
            position = closing.start() if closing else len(source)
            tag.content = (end, position)
        count += 1
        yield tag


def _tag_end(source: str, position: int, missing: set[str]) -> int:
    """Past the ``>`` that ends a tag, quotes respected; a quote that is never closed is none.

    Args:
        missing: quotes known not to come again, so that no stretch is searched twice.
    """
    while (found := _DELIMITER.search(source, position)) is not None:
        mark = found.group()
        if mark == ">":
            return found.end()
        close = -1 if mark in missing else source.find(mark, found.end())
        if close < 0:
            missing.add(mark)
        position = found.end() if close < 0 else close + 1
    return -1


def stripped(source: str, start: int, end: int) -> Piece:
    """A stretch of text without the white space around it; entities resolved."""
    raw = source[start:end]
    begin = start + len(raw) - len(raw.lstrip())
    text = raw.strip()
    return Piece(unescape(text), begin, begin + len(text))
