"""A listing's facts: every source in its order of trust, and where sources disagree.

JSON-LD, microdata, OpenGraph, embedded state, selectors, the address. Responses, whose bytes are in the
record, come before the rendered page. Unknown stays unknown; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from evidence_service.capture.listing.amounts import amount, amounts, currency
from evidence_service.capture.listing.fact import Fact, Source, fold, without_bidi_controls
from evidence_service.capture.listing.page import Page, read_page, read_response
from evidence_service.capture.listing.payload import Text
from evidence_service.capture.listing.platforms import Platform, host_of, layout, owner, variables
from evidence_service.capture.listing.selectors import parse, read_elements, read_selectors
from evidence_service.capture.listing.structured import (
    Reading,
    read_json_ld,
    read_members,
    read_microdata,
    read_open_graph,
)

_MAX_SOURCES = 40
_MAX_TOTAL = 24_000_000
_MAX_DISAGREEMENTS = 5
_STRUCTURED = (read_json_ld, read_microdata, read_open_graph)


def read_listing(document: str, url: str, sources: Sequence[Source] = ()) -> dict[str, Fact]:
    """Facts by name.

    Args:
        document: the page's HTML as rendered.
        url: its final address.
        sources: the main response and responses of JSON, codings removed; the first 40 are read.

    Returns:
        ``platform`` (the host) always; what the page tells of ``title``, ``price`` …; ``conflicts`` when
        sources disagree; ``unread`` when the page held more than is read.
    """
    facts: dict[str, Fact] = {}
    host = host_of(url)
    if host:
        facts["platform"] = Fact(host, "url", "host of the final URL")
    pages, unread = _pages(document, sources)
    platform = _platform(facts, host, [page.text.text for page in pages])
    for name, fact in _readings(document, url, pages, platform):
        _take(facts, name, fact)
    _derive(facts)
    _note_conflicts(facts)
    if unread:
        facts["unread"] = Fact(fold("; ".join(unread)), "comparison", "limits of reading")
    return facts


def _pages(document: str, sources: Sequence[Source]) -> tuple[list[Page], list[str]]:
    pages, unread, total = [], [], 0
    for source in sources[:_MAX_SOURCES]:
        total += len(source.payload)
        if total > _MAX_TOTAL:
            unread.append(f"responses beyond the first {_MAX_TOTAL:,} bytes")
            break
        text = Text.of(source)
        html = "html" in source.media_type.lower()
        pages.append(read_page(text, variables()) if html else read_response(text))
    if len(sources) > _MAX_SOURCES:
        unread.append(f"responses beyond the first {_MAX_SOURCES}")
    pages.append(read_page(Text(document), variables()))
    for page in pages:
        unread += [words for words in page.unread if words not in unread]
    return pages, unread


def _platform(facts: dict[str, Fact], host: str, texts: list[str]) -> Platform | None:
    """The rules to read by. A layout shows what software made a page, never who runs it."""
    found = owner(host)
    if found is not None and not found.software:
        facts["platform_name"] = Fact(found.name, "url", f"host of the final URL: {host}")
        return found
    for text in reversed(texts):
        if (known := layout(text)) is not None:
            if known[0].software:
                facts["shop_software"] = Fact(known[0].name, "element", f"the page's HTML holds {known[1]}")
            return known[0]
    return found


def _readings(document: str, url: str, pages: list[Page], platform: Platform | None) -> Iterator[Reading]:
    for read in _STRUCTURED:
        for page in pages:
            yield from read(page)
    if platform is not None:
        for page in pages:
            yield from _state_facts(page, platform)
    tree = parse(document)
    if tree is not None:
        if platform is not None:
            yield from read_selectors(tree, platform)
        yield from read_elements(tree)
    if platform is not None and (found := platform.id_in(url)):
        yield "listing_id", Fact(found, "url", f"the final URL, by {platform.name}'s pattern")


def _state_facts(page: Page, platform: Platform) -> Iterator[Reading]:
    for variable, members in platform.states.items():
        name = "" if variable == "response" else variable
        node = page.states.get(name)
        if node is not None:
            where = "a response of JSON" if not name else f"embedded state {name}"
            yield from read_members(page, node, members, "state", where)


def _take(facts: dict[str, Fact], name: str, fact: Fact) -> None:
    """Keep the most trusted reading; one that says the same adds its place, one that does not is noted."""
    before = facts.get(name)
    if before is None:
        facts[name] = fact
    elif _same(name, before.value, fact.value):
        facts[name] = before.seen_at(fact)
    elif _contradicts(name, before.value, fact.value):
        noted = before.disagreements
        known = any(item.value == fact.value and item.method == fact.method for item in noted)
        if not known and len(noted) < _MAX_DISAGREEMENTS:
            facts[name] = replace(before, disagreements=(*noted, fact))


def _same(name: str, one: str, other: str) -> bool:
    if name.startswith("price"):
        meant = amounts(one)
        return one == other or (len(meant) == 1 and meant == amounts(other))
    return _comparable(one) == _comparable(other)


def _contradicts(name: str, one: str, other: str) -> bool:
    """Whether both cannot be true; what merely says more or less is no contradiction."""
    if name == "price":
        meant, other_meant = amounts(one), amounts(other)
        return bool(meant and other_meant) and not any(a == b for a in meant for b in other_meant)
    if name in ("currency", "listing_id", "seller_id", "shop_id", "sku", "product_id"):
        return _comparable(one) != _comparable(other)
    if name == "availability":
        return (_sold_out(one), _sold_out(other)) in ((True, False), (False, True))
    if name in ("title", "seller_name", "shop", "brand"):
        first, second = _comparable(one), _comparable(other)
        return first not in second and second not in first
    return False


_OUT = ("outofstock", "soldout", "discontinued", "currentlyunavailable", "售罄", "缺货", "卖光", "无货")
_IN = ("instock", "limitedavailability", "onlineonly", "有货", "现货")


def _sold_out(value: str) -> bool | None:
    squeezed = _comparable(value)
    if any(word in squeezed for word in _OUT):
        return True
    return False if any(word in squeezed for word in _IN) else None


def _comparable(value: str) -> str:
    return "".join(part for part in without_bidi_controls(value).casefold() if part.isalnum())


def _derive(facts: dict[str, Fact]) -> None:
    """What follows from a price as shown, where it can mean but one thing."""
    price = facts.get("price")
    if price is None:
        return
    if number := amount(price.value):
        facts["price_amount"] = replace(
            price,
            value=number,
            method="comparison",
            where="the price as shown, read as a number",
            disagreements=(),
        )
    if "currency" not in facts and (code := currency(price.value)):
        facts["currency"] = replace(
            price, value=code, method="comparison", where="named in the price as shown", disagreements=()
        )


def _note_conflicts(facts: dict[str, Fact]) -> None:
    lines = [
        f"{name}: “{fact.value[:200]}” ({fact.where[:120]}) but “{other.value[:200]}” ({other.where[:120]})"
        for name, fact in facts.items()
        for other in fact.disagreements
    ]
    if lines:
        facts["conflicts"] = Fact("; ".join(lines)[:4_000], "comparison", "sources of the page that disagree")
