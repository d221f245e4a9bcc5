"""Facts from elements of the rendered page, by a platform's selectors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from lxml import html as lxml_html
from lxml.cssselect import CSSSelector
from lxml.etree import LxmlError

from evidence_service.capture.listing.fact import Fact, fold
from evidence_service.capture.listing.markup import tags
from evidence_service.capture.listing.platforms import Platform

_LISTS = {"variants": " | ", "images": " "}
_MAX_LISTED = 100
_MAX_DEPTH = 1_000
_EXCERPT = 1_000
_UNSHOWN = ("script", "style", "noscript", "template")

Reading = tuple[str, Fact]


def parse(document: str) -> Any | None:
    """The page's tree; None for what is no page, or nested deeper than a browser would show it.

    Chromium itself gives up at 512 levels; deeper ones cost a tree parser its stack.
    """
    if _depth(document) > _MAX_DEPTH:
        return None
    try:
        return lxml_html.fromstring(document.replace("\0", "\ufffd"))
    except (LxmlError, ValueError):
        return None


def _depth(document: str) -> int:
    depth = deepest = 0
    for tag in tags(document):
        depth = max(0, depth - 1) if tag.name.startswith("/") else depth + 1
        deepest = max(deepest, depth)
    return deepest


def read_selectors(tree: Any, platform: Platform) -> Iterator[Reading]:
    """Facts by the platform's selectors, the first selector that meets a value."""
    for name, selectors in platform.selectors.items():
        for selector in selectors:
            values = _values(tree, selector, many=name in _LISTS)
            if values:
                value = fold(_LISTS.get(name, " ").join(values))
                if name == "description":
                    value = value[:_EXCERPT]
                yield (
                    name,
                    Fact(value, "selector", f"{platform.name}'s selector {selector}", selector=selector),
                )
                break


def read_elements(tree: Any) -> Iterator[Reading]:
    """What any page has: its first heading and its title."""
    for name, selector, words in (
        ("title", "h1", "first h1 element"),
        ("page_title", "title", "title element"),
    ):
        for value in _values(tree, selector, many=False):
            yield name, Fact(value, "element", words, selector=selector)


def _values(tree: Any, selector: str, *, many: bool) -> list[str]:
    css, _, attribute = selector.partition("@")
    found: list[str] = []
    for element in _compiled(css)(tree)[: _MAX_LISTED * 2]:
        value = fold(element.get(attribute, "") if attribute else _shown(element))
        if value and value not in found:
            found.append(value)
            if not many or len(found) == _MAX_LISTED:
                break
    return found


def _shown(element: Any) -> str:
    pieces: list[str] = []
    for node in element.iter():
        hidden = not isinstance(node.tag, str) or node.tag in _UNSHOWN
        if not hidden and node.text:
            pieces.append(node.text)
        if node is not element and node.tail:
            pieces.append(node.tail)
    return "".join(pieces)


@cache
def _compiled(css: str) -> CSSSelector:
    return CSSSelector(css, translator="html")
