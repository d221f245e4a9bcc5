"""Microdata (HTML standard, chapter 5) as the same kind of nodes that JSON is read into."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evidence_service.capture.listing.markup import Piece, Tag, stripped
from evidence_service.capture.listing.tolerant_json import Node

_MAX_ITEMS = 2_000
_MAX_DEPTH = 2_000
_LOOK_BACK = 64
_MAX_TEXT = 20_000
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_ATTRIBUTE_OF = {
    "meta": "content", "a": "href", "link": "href", "area": "href", "img": "src", "iframe": "src",
    "audio": "src", "video": "src", "source": "src", "embed": "src", "object": "data", "data": "value",
    "meter": "value", "time": "datetime",
}  # fmt: skip
_MARKUP = re.compile(r"<[^>]*>")


@dataclass(slots=True)
class _Open:
    """An element that is not closed yet."""

    name: str
    begin: int
    item: Node | None
    properties: tuple[str, ...] = ()
    owner: Node | None = None


class Microdata:
    """Feed it the page's tags in order; ``items`` are those that are no property of another."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._open: list[_Open] = []
        self._count = 0
        self.items: list[Node] = []

    def take(self, tag: Tag) -> None:
        """Take the next tag."""
        if tag.name.startswith("/"):
            self._close(tag.name[1:], tag.start)
            return
        around = self._open[-1].item if self._open else None
        item = around
        properties: tuple[str, ...] = ()
        if tag.mentions("item"):
            attributes = tag.attributes()
            properties = tuple(attributes["itemprop"].text.split()[:10]) if "itemprop" in attributes else ()
            if "itemscope" in attributes and self._count < _MAX_ITEMS:
                item = self._begin(tag, attributes, around, properties)
                properties = ()
            elif (given := self._given(tag.name, attributes)) is not None and around is not None:
                for name in properties:
                    _add(around, name, _scalar(given))
                properties = ()
        if tag.name not in _VOID and tag.content is None and len(self._open) < _MAX_DEPTH:
            self._open.append(_Open(tag.name, tag.end, item, properties, around))

    def _begin(
        self, tag: Tag, attributes: dict[str, Piece], around: Node | None, properties: tuple[str, ...]
    ) -> Node:
        self._count += 1
        item = Node("object", tag.start, tag.end)
        for kind in attributes["itemtype"].text.split()[:5] if "itemtype" in attributes else ():
            _add(item, "@type", Node("string", tag.start, tag.end, kind))
        if around is None or not properties:
            self.items.append(item)
        if around is not None:
            for name in properties:
                _add(around, name, item)
        return item

    @staticmethod
    def _given(element: str, attributes: dict[str, Piece]) -> Piece | None:
        # "content" is meta's by the standard; pages and search engines use it on every element.
        name = _ATTRIBUTE_OF.get(element, "content")
        return attributes.get("content") or attributes.get(name)

    def _close(self, name: str, end: int) -> None:
        for position in range(len(self._open) - 1, max(-1, len(self._open) - 1 - _LOOK_BACK), -1):
            if self._open[position].name == name:
                element = self._open[position]
                del self._open[position:]
                if element.properties and element.owner is not None:
                    value = self._content(element.begin, end)
                    for property_name in element.properties:
                        _add(element.owner, property_name, value)
                return

    def _content(self, begin: int, end: int) -> Node:
        piece = stripped(self._source, begin, min(end, begin + _MAX_TEXT))
        if "<" not in self._source[piece.start : piece.end]:
            return _scalar(piece)
        # What is put together from several elements has no bytes of its own to cite.
        return _scalar(Piece(_MARKUP.sub(" ", piece.text), 0, 0))


def _scalar(piece: Piece) -> Node:
    # A backslash means itself here; nodes hold texts as JSON writes them.
    return Node("string", piece.start, piece.end, piece.text.replace("\\", "\\\\"))


def _add(item: Node, name: str, value: Node) -> None:
    # A list of microdata is nowhere written as one; it has no place.
    values = item.members.setdefault(name, Node("array", 0))
    if len(values.items) < 200:
        values.items.append(value)
