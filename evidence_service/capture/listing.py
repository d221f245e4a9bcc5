"""What a page says about its listing, and where each fact was read.

Unknown stays unknown; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from extruct.jsonld import JsonLdExtractor
from extruct.opengraph import OpenGraphExtractor
from lxml import html as lxml_html
from lxml.etree import LxmlError, tostring

_PRODUCT_TYPES = {"product", "productgroup", "individualproduct", "productmodel", "vehicle", "book"}
_MAX_VALUE = 4_000

Fact = dict[str, str]


def read_listing(document: str, url: str) -> dict[str, Fact]:
    """Facts by name, each ``{"value": …, "read_from": …}``.

    Args:
        document: the page's HTML, as rendered.
        url: its final address.
    """
    facts: dict[str, Fact] = {}
    _note(facts, "platform", urlsplit(url).hostname, "host of the final URL")
    try:
        tree = lxml_html.fromstring(document)
    except (LxmlError, ValueError):
        return facts
    for where, product in _products(tree):
        _read_product(facts, where, product)
    _read_open_graph(facts, document)
    for heading in tree.iter("h1"):
        _note(facts, "title", heading.text_content(), "first h1 element")
        break
    for title in tree.iter("title"):
        _note(facts, "page_title", title.text_content(), "title element")
        break
    return facts


def _note(facts: dict[str, Fact], name: str, value: Any, read_from: str) -> None:
    """Take a fact unless an earlier, more reliable place gave it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and value.strip() and name not in facts:
        facts[name] = {"value": " ".join(value.split())[:_MAX_VALUE], "read_from": read_from}


def _products(tree: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Products in JSON-LD, one script block at a time: a malformed block must not take the others along."""
    extractor = JsonLdExtractor()
    blocks = tree.xpath('//script[@type="application/ld+json"]')
    for number, block in enumerate(blocks, start=1):
        try:
            items = extractor.extract(tostring(block, encoding="unicode", with_tail=False))
        except ValueError:
            continue
        for item in items:
            for node in item.get("@graph", [item]) if isinstance(item, dict) else ():
                if isinstance(node, dict) and _types(node) & _PRODUCT_TYPES:
                    yield f"JSON-LD block {number}", node


def _types(node: Mapping[str, Any]) -> set[str]:
    kinds = node.get("@type", [])
    return {str(kind).rsplit("/", 1)[-1].lower() for kind in (kinds if isinstance(kinds, list) else [kinds])}


def _read_product(facts: dict[str, Fact], where: str, product: Mapping[str, Any]) -> None:
    offer = _first(product.get("offers"))
    seller = _first(offer.get("seller") or product.get("seller"))
    for name, value, member in (
        ("title", product.get("name"), "name"),
        ("listing_id", product.get("productID") or product.get("sku"), "productID or sku"),
        ("brand", _first(product.get("brand")).get("name"), "brand.name"),
        ("price", offer.get("price") or offer.get("lowPrice"), "offers.price"),
        ("currency", offer.get("priceCurrency"), "offers.priceCurrency"),
        ("availability", str(offer.get("availability") or "").rsplit("/", 1)[-1], "offers.availability"),
        ("seller_name", seller.get("name"), "offers.seller.name"),
        ("seller_id", seller.get("identifier"), "offers.seller.identifier"),
        ("seller_url", seller.get("url"), "offers.seller.url"),
    ):
        _note(facts, name, value, f"{where}, {member}")
    images = product.get("image")
    listed = [image for image in (images if isinstance(images, list) else [images]) if isinstance(image, str)]
    _note(facts, "images", " ".join(listed), f"{where}, image")


def _read_open_graph(facts: dict[str, Fact], document: str) -> None:
    properties: dict[str, str] = {}
    for group in OpenGraphExtractor().extract(document):
        for name, value in group.get("properties", ()):
            properties.setdefault(name, value)
    for name, source in (
        ("title", "og:title"),
        ("price", "product:price:amount"),
        ("currency", "product:price:currency"),
        ("images", "og:image"),
        ("platform_name", "og:site_name"),
    ):
        _note(facts, name, properties.get(source), f"OpenGraph {source}")


def _first(value: Any) -> Mapping[str, Any]:
    """The first object of a member that may be one object, several, or a bare name."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str):
        return {"name": value}
    return value if isinstance(value, dict) else {}
