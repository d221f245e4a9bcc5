"""What one page, or one response of its, says in machine-readable form: read once, in one pass."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from evidence_service.capture.listing.markup import Piece, Tag, stripped, tags
from evidence_service.capture.listing.microdata import Microdata
from evidence_service.capture.listing.payload import Text
from evidence_service.capture.listing.tolerant_json import Node, read_value

MAX_BLOCKS = 200
MAX_SCRIPT_CHARACTERS = 4_000_000
_MAX_METAS = 500
_STATE_NAME = re.compile(
    r"(?<![\w$.])(?:(?:window|self|globalThis)\.)?([A-Za-z_$][\w$]*(?:\.[\w$]+)?)\s*=\s*(?=[{\[])"
)


@dataclass(slots=True)
class Page:
    """Values by the form they were found in, each with its place in ``text``.

    Attributes:
        blocks: JSON-LD, by the block's number on the page; malformed ones are left out.
        items: microdata items.
        metas: ``property`` or ``name`` → content, the first of each.
        states: embedded JSON by the variable's name or the script's id; ``""`` for a response of JSON.
        title: of the title element.
        unread: what was left out because there was too much of it, in words.
    """

    text: Text
    blocks: list[tuple[int, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    metas: dict[str, Piece] = field(default_factory=dict)
    states: dict[str, Node] = field(default_factory=dict)
    title: Piece | None = None
    unread: list[str] = field(default_factory=list)


def read_page(text: Text, variables: frozenset[str]) -> Page:
    """Read an HTML page.

    Args:
        variables: names of the states that some platform's rules know; others are not read.
    """
    page = Page(text)
    microdata = Microdata(text.text)
    scripts = _Scripts(page, variables)
    for tag in tags(text.text):
        if tag.name == "script":
            scripts.take(tag)
        elif tag.name == "meta":
            _take_meta(page, tag)
        elif tag.name == "title" and page.title is None and tag.content is not None:
            page.title = stripped(text.text, *tag.content)
        microdata.take(tag)
    page.items = microdata.items
    return page


def read_response(text: Text) -> Page:
    """Read a response of JSON, or of JSON in one function call (JSONP)."""
    page = Page(text)
    start = min((at for at in (text.text.find(mark) for mark in "{[") if at >= 0), default=-1)
    if start >= 0 and len(text.text) - start <= MAX_SCRIPT_CHARACTERS:
        node = read_value(text.text, start)
        if node is not None:
            page.states[""] = node
    return page


def _take_meta(page: Page, tag: Tag) -> None:
    if len(page.metas) >= _MAX_METAS:
        return
    attributes = tag.attributes()
    name = attributes.get("property") or attributes.get("name")
    if name is not None and "content" in attributes:
        page.metas.setdefault(name.text.strip().lower(), attributes["content"])


class _Scripts:
    """Reads script elements while their number and length are within bounds."""

    def __init__(self, page: Page, variables: frozenset[str]) -> None:
        self._page = page
        self._variables = variables
        self._blocks = 0
        self._characters = 0

    def take(self, tag: Tag) -> None:
        if tag.content is None or tag.content[0] == tag.content[1]:
            return
        start, end = tag.content
        attributes = tag.attributes()
        kind = attributes["type"].text.strip().lower() if "type" in attributes else ""
        if not self._within_bounds(kind, end - start):
            return
        if kind == "application/ld+json":
            node = read_value(self._page.text.text, start, end)
            if node is not None:
                self._page.blocks.append((self._blocks, node))
        elif kind == "application/json":
            identity = attributes["id"].text if "id" in attributes else ""
            if identity in self._variables:
                self._keep(identity, start, end)
        elif kind in ("", "text/javascript", "application/javascript", "module"):
            for match in _STATE_NAME.finditer(self._page.text.text, start, end):
                if match.group(1) in self._variables:
                    self._keep(match.group(1), match.end(), end)

    def _within_bounds(self, kind: str, size: int) -> bool:
        if kind == "application/ld+json":
            self._blocks += 1
        self._characters += size
        if self._characters > MAX_SCRIPT_CHARACTERS or self._blocks > MAX_BLOCKS:
            words = (
                f"scripts beyond the first {MAX_BLOCKS} JSON-LD blocks"
                f" and {MAX_SCRIPT_CHARACTERS:,} characters"
            )
            if words not in self._page.unread:
                self._page.unread.append(words)
            return False
        return True

    def _keep(self, name: str, start: int, end: int) -> None:
        if name not in self._page.states:
            node = read_value(self._page.text.text, start, end)
            if node is not None:
                self._page.states[name] = node
