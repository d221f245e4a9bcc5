"""Facts from what a page says in the vocabularies of schema.org and OpenGraph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evidence_service.capture.listing.fact import Fact, fold, without_bidi_controls
from evidence_service.capture.listing.page import Page
from evidence_service.capture.listing.tolerant_json import Node, follow

Reading = tuple[str, Fact]

_PRODUCTS = frozenset(("product", "productgroup", "individualproduct", "productmodel", "vehicle", "book"))
_MAX_SEARCHED = 2_000
_EXCERPT = 1_000

# Fact → members of a product, most telling first (schema.org/Product, schema.org/Offer).
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "title": ("name",),
    "listing_id": ("productID", "offers.productID"),
    "sku": ("sku", "offers.sku"),
    "gtin": ("gtin", "gtin13", "gtin14", "gtin12", "gtin8"),
    "mpn": ("mpn",),
    "brand": ("brand.name", "brand"),
    "price": ("offers.price", "offers.lowPrice", "offers.priceSpecification.price", "offers.offers.price"),
    "price_high": ("offers.highPrice",),
    "currency": (
        "offers.priceCurrency",
        "offers.priceSpecification.priceCurrency",
        "offers.offers.priceCurrency",
    ),
    "availability": ("offers.availability", "offers.offers.availability"),
    "condition": ("offers.itemCondition", "itemCondition"),
    "seller_name": ("offers.seller.name", "offers.seller", "seller.name"),
    "seller_id": ("offers.seller.identifier", "seller.identifier"),
    "seller_url": ("offers.seller.url", "seller.url"),
    "rating": ("aggregateRating.ratingValue",),
    "review_count": ("aggregateRating.reviewCount", "aggregateRating.ratingCount"),
    "category": ("category",),
    "ship_to": ("offers.shippingDetails.shippingDestination.addressCountry", "offers.eligibleRegion"),
    "ships_from": ("offers.availableAtOrFrom.address.addressCountry", "offers.availableAtOrFrom.name"),
    "variants": ("hasVariant.name", "model.name"),
    "description": ("description",),
    "images": ("image", "image.url", "image.contentUrl"),
}
_LISTS = {"variants": " | ", "images": " "}
_LAST_SEGMENT = ("availability", "condition")
_OPEN_GRAPH: Mapping[str, tuple[str, ...]] = {
    "title": ("og:title",),
    "price": ("product:price:amount", "og:price:amount"),
    "currency": ("product:price:currency", "og:price:currency"),
    "availability": ("product:availability", "og:availability"),
    "brand": ("product:brand",),
    "condition": ("product:condition",),
    "listing_id": ("product:retailer_item_id",),
    "images": ("og:image",),
    "description": ("og:description",),
    "platform_name": ("og:site_name",),
}


def read_json_ld(page: Page) -> Iterator[Reading]:
    """Facts of the page's product in JSON-LD."""
    found = [(f"JSON-LD block {number}", node) for number, root in page.blocks for node in _products(root)]
    for where, node in _one_product(found):
        yield from read_members(page, node, _MEMBERS, "json-ld", where)


def read_microdata(page: Page) -> Iterator[Reading]:
    """Facts of the page's product in microdata."""
    found = [("microdata", node) for root in page.items for node in _products(root)]
    for where, node in _one_product(found):
        yield from read_members(page, node, _MEMBERS, "microdata", where)


def read_open_graph(page: Page) -> Iterator[Reading]:
    """Facts of the page's meta elements."""
    for name, properties in _OPEN_GRAPH.items():
        for source in properties:
            piece = page.metas.get(source)
            if piece is not None and (value := fold(piece.text)):
                if name == "description":
                    value = value[:_EXCERPT]
                yield (
                    name,
                    Fact(
                        value,
                        "opengraph",
                        f"OpenGraph {source}",
                        record=page.text.record,
                        span=page.text.span(piece.start, piece.end),
                    ),
                )
                break


def read_members(
    page: Page, node: Node, members: Mapping[str, tuple[str, ...]], method: str, where: str
) -> Iterator[Reading]:
    """Facts at paths within one object; of several paths to a fact the first that leads to a value."""
    for name, paths in members.items():
        for path in paths:
            fact = _gathered(page, node, name, path) if name in _LISTS else _single(page, node, name, path)
            if fact is not None:
                yield name, Fact(fact.value, method, f"{where}, {path}", record=fact.record, span=fact.span)
                break


def _single(page: Page, node: Node, name: str, path: str) -> Fact | None:
    for found in follow(node, path):
        value, start = fold(found.text), found.start
        if not value:
            continue
        if name in _LAST_SEGMENT and "/" in value:
            value = value.rsplit("/", 1)[-1]
            start = found.end - len(value)
        if name == "description":
            value = value[:_EXCERPT]
        span = page.text.span(start, found.end) if found.end else None
        return Fact(value, "", "", record=page.text.record if span else "", span=span)
    return None


def _gathered(page: Page, node: Node, name: str, path: str) -> Fact | None:
    found = [item for item in follow(node, path) if fold(item.text)]
    if not found:
        return None
    # The list as the page writes it, brackets included, or its only value.
    holder = next(
        (item for item in _holders(node, path) if item.kind == "array" and item.items == found), None
    )
    place = found[0] if len(found) == 1 else holder
    span = page.text.span(place.start, place.end) if place is not None and place.end else None
    value = fold(_LISTS[name].join(fold(item.text) for item in found))
    return Fact(value, "", "", record=page.text.record if span else "", span=span)


def _holders(node: Node, path: str) -> list[Node]:
    """The containers a path leads to, before its lists are gone through."""
    parent, _, last = path.rpartition(".")
    parents = list(follow(node, parent)) if parent else [node]
    return [item.members[last] for item in parents if last in item.members]


def _products(root: Node) -> list[Node]:
    """Products in a document, not those that are merely listed beside it (``ItemList``, ``isRelatedTo``)."""
    found: list[Node] = []
    waiting, searched = [root], 0
    while waiting and searched < _MAX_SEARCHED:
        node = waiting.pop(0)
        searched += 1
        if node.kind == "array":
            waiting[:0] = node.items[:200]
        elif node.kind == "object":
            if _types(node) & _PRODUCTS:
                found.append(node)
            else:
                waiting += [node.members[name] for name in ("@graph", "mainEntity") if name in node.members]
    return found


def _types(node: Node) -> set[str]:
    return {item.text.rsplit("/", 1)[-1].lower() for item in follow(node, "@type")}


def _one_product(found: list[tuple[str, Node]]) -> list[tuple[str, Node]]:
    """The first product and what else is said of a product of that name; others are other goods."""
    names = [_name(node) for _, node in found]
    first = next((name for name in names if name), "")
    return [item for item, name in zip(found, names, strict=True) if name in ("", first)]


def _name(node: Node) -> str:
    return next((without_bidi_controls(fold(item.text)).casefold() for item in follow(node, "name")), "")
