"""Facts: where each was read, exact to the byte, and what happens when sources disagree."""

from __future__ import annotations

import html
import json
import re

import pytest

from evidence_service.capture.listing import Fact, Source, place, read_listing, selectors_of
from evidence_service.capture.listing.fact import fold
from evidence_service.capture.listing.tolerant_json import unescape

URL = "https://shop.example/item/1"
RECORD = "urn:uuid:00000000-0000-5000-8000-000000000001"


def from_wire(
    page: str, encoding: str = "utf-8", media_type: str = "text/html; charset=utf-8", url: str = URL
):
    payload = page.encode(encoding)
    return read_listing(page, url, [Source(RECORD, media_type, payload)]), payload


def says(payload: bytes, fact: Fact, encoding: str = "utf-8") -> bool:
    """Whether the bytes a fact cites are its value or an escaped form of it."""
    assert fact.record == RECORD
    cut = payload[slice(*fact.span)].decode(encoding)
    forms = {fold(form) for form in (cut, html.unescape(cut), unescape(cut))}
    if cut.startswith("["):
        forms.add(" ".join(re.findall(r"https?://[^\"]+", cut)))
    return fact.value in forms


PRODUCT = {
    "@type": "Product",
    "name": 'Bag "Größe" 链条包',
    "productID": "77",
    "sku": "S-1",
    "brand": {"name": "AURELLE"},
    "image": ["https://x.example/1.jpg", "https://x.example/2.jpg"],
    "offers": {
        "price": 12.5,
        "priceCurrency": "EUR",
        "availability": "https://schema.org/InStock",
        "seller": {"name": "Shop", "identifier": "9"},
    },
    "aggregateRating": {"ratingValue": "4.8", "reviewCount": 310},
}


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    ("encoding", "media_type"),
    [
        ("utf-8", "text/html; charset=utf-8"),
        ("utf-8", "text/html"),
        ("gb18030", "text/html; charset=GBK"),
        ("utf-16-le", "text/html; charset=utf-16-le"),
    ],
)
def test_every_span_holds_the_value(encoding: str, media_type: str, ascii_only: bool) -> None:
    page = f'<p>前言 ü</p><script type="application/ld+json">{json.dumps(PRODUCT, ensure_ascii=ascii_only)}</script>'
    facts, payload = from_wire("<html>" + page * 1, encoding, media_type)
    assert facts["title"].value == 'Bag "Größe" 链条包'
    assert facts["price"].value == "12.5"
    assert facts["availability"].value == "InStock"
    located = {name: fact for name, fact in facts.items() if fact.method == "json-ld"}
    assert len(located) == 12
    for fact in located.values():
        assert says(payload, fact, encoding), fact


def test_offsets_hold_far_into_a_long_page() -> None:
    page = (
        "<p>"
        + "漫长的页面 text ü " * 60_000
        + f'</p><script type="application/ld+json">{json.dumps(PRODUCT)}</script>'
    )
    facts, payload = from_wire(page)
    assert facts["seller_name"].span[0] > 1_000_000
    assert says(payload, facts["seller_name"])


def test_bytes_that_are_no_utf_8_move_no_offset() -> None:
    payload = b"<p>\xff\xfe broken \x80</p>" + b'<meta property="og:title" content="Caf&eacute; bag">'
    facts = read_listing("", URL, [Source(RECORD, "text/html; charset=utf-8", payload)])
    assert facts["title"].value == "Café bag"
    assert payload[slice(*facts["title"].span)] == b"Caf&eacute; bag"


def test_microdata_is_read_with_its_place() -> None:
    page = (
        '<div itemscope itemtype="https://schema.org/Product"><h2 itemprop="name"> Red &amp; blue\n bag </h2>'
        '<div itemprop="offers" itemscope itemtype="https://schema.org/Offer">'
        '<span itemprop="price" content="12.00">€12</span><meta itemprop="priceCurrency" content="EUR">'
        '<link itemprop="availability" href="https://schema.org/OutOfStock"></div>'
        '<p itemprop="description">In <b>two</b> parts</p></div><p itemprop="name">Outside</p>'
    )
    facts, payload = from_wire(page)
    assert facts["title"].value == "Red & blue bag"
    assert facts["price"].value == "12.00"
    assert facts["availability"].value == "OutOfStock"
    for name in ("title", "price", "currency", "availability"):
        assert facts[name].method == "microdata"
        assert says(payload, facts[name])
    # Put together from several elements: no bytes to cite, and none are claimed.
    assert facts["description"].value == "In two parts"
    assert facts["description"].span is None


def test_a_malformed_block_does_not_take_the_others_along() -> None:
    page = (
        '<script type="application/ld+json">{"@type": "Product", "name": </script>'
        '<script type="application/ld+json">{"@type": "Product", "name": "Bag", "offers": '
        '[{"price": 12.5, "priceCurrency": "EUR", "seller": "Shop"}]}</script>'
    )
    facts = read_listing(page, URL)
    assert (facts["title"].value, facts["title"].read_from) == ("Bag", "JSON-LD block 2, name")
    assert facts["price"].value == "12.5"
    assert facts["seller_name"].value == "Shop"


def test_other_goods_on_the_page_are_not_mixed_in() -> None:
    blocks = [
        {"@type": "ItemList", "itemListElement": [{"@type": "Product", "name": "Other", "sku": "O"}]},
        {"@graph": [{"@type": "WebPage"}, {"@type": ["Product", "Thing"], "name": "This one"}]},
        {"@type": "Product", "name": "Another", "brand": "Other brand"},
        {"@type": "Product", "name": "this one", "brand": "Right brand"},
    ]
    page = "".join(f'<script type="application/ld+json">{json.dumps(block)}</script>' for block in blocks)
    facts = read_listing(page, URL)
    assert facts["title"].value == "This one"
    assert facts["brand"].value == "Right brand"
    assert "conflicts" not in facts


def test_sources_that_disagree_are_both_kept() -> None:
    page = (
        f'<script type="application/ld+json">{json.dumps(PRODUCT)}</script>'
        '<meta property="og:title" content="Bag &quot;Größe&quot; 链条包 – Shop">'
        '<meta property="product:price:amount" content="99,00"><meta property="product:price:currency" content="EUR">'
    )
    facts, payload = from_wire(page)
    price = facts["price"]
    assert price.value == "12.5"
    assert [(item.value, item.method) for item in price.disagreements] == [("99,00", "opengraph")]
    assert says(payload, price.disagreements[0])
    assert (
        facts["conflicts"].value
        == "price: “12.5” (JSON-LD block 1, offers.price) but “99,00” (OpenGraph product:price:amount)"
    )
    assert "other places disagree" in price.read_from
    # A longer title says more, not something else.
    assert facts["title"].disagreements == ()


@pytest.mark.parametrize(
    "page", ["", "\x00", "<", "plain words", "<h1>Only a heading</h1>", "<script", "<a b='"]
)
def test_unknown_stays_unknown(page: str) -> None:
    facts = read_listing(page, URL)
    assert facts["platform"].value == "shop.example"
    assert "price" not in facts
    assert "currency" not in facts


def test_direction_controls_are_kept_and_marked() -> None:
    facts = read_listing("<h1>Genuine \u202egab\u202c bag</h1>", URL)
    assert facts["title"].value == "Genuine \u202egab\u202c bag"
    assert "direction controls" in facts["title"].read_from
    assert facts["title"].to_json()["bidi_controls"] is True


def test_prototype_keys_are_members_like_others() -> None:
    block = '{"__proto__": {"@type": "Product", "name": "No"}, "constructor": 1, "@type": "Product", "name": "Yes"}'
    facts = read_listing(f'<script type="application/ld+json">{block}</script>', URL)
    assert facts["title"].value == "Yes"
    assert not {"__proto__", "constructor"} & facts.keys()


def test_words_for_the_manifest_are_short() -> None:
    fact = Fact("x", "selector", "w" * 900, record=RECORD, span=(1, 2), box=(1.0, 2.0, 3.0, 4.0))
    assert len(fact.read_from) == 400


TAOBAO = '<h1 class="mainTitle--x">链条包</h1><div class="highlightPrice--y"><i>￥</i><b>398</b></div>'


def test_a_box_is_taken_only_for_what_the_browser_saw_there() -> None:
    facts = read_listing(TAOBAO, "https://item.taobao.com/item.htm?spm=a&id=712345678901")
    assert facts["platform_name"].value == "Taobao"
    assert facts["listing_id"].value == "712345678901"
    assert facts["price"].value == "￥398"
    # Two countries write this symbol: the amount is known, the currency is not.
    assert facts["price_amount"].value == "398"
    assert "currency" not in facts
    price, title = facts["price"].selector, facts["title"].selector
    assert {price, title} <= set(selectors_of(facts))
    boxes = {
        price: {"box": [10, 20.5, 100, 30], "text": "￥ 398"},
        title: {"box": [1, 2, 3, 4], "text": "another element"},
    }
    placed = place(facts, boxes)
    assert placed["price"].box == (10.0, 20.5, 100.0, 30.0)
    assert "at 10,20" in placed["price"].read_from
    assert placed["title"].box is None


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"box": None, "text": "￥398"}, {"box": [1, 2, 3], "text": "￥398"}, {"box": [1, 2, 3, "4"], "text": "￥398"},
     {"box": [1, 2, 3, float("nan")], "text": "￥398"}, {"box": [1, 2, 3, 1e9], "text": "￥398"}, {"box": [1, 2, 3, 4]}],
)  # fmt: skip
def test_what_the_page_answers_about_boxes_is_not_believed(answer) -> None:
    facts = read_listing(TAOBAO, "https://item.taobao.com/item.htm?id=712345678901")
    assert place(facts, {facts["price"].selector: answer})["price"].box is None


def test_an_agreeing_element_adds_its_selector() -> None:
    page = (
        TAOBAO
        + '<script type="application/ld+json">{"@type":"Product","name":"链条包","offers":{"price":"398.00"}}</script>'
    )
    facts, payload = from_wire(page, url="https://item.taobao.com/item.htm?id=712345678901")
    assert facts["price"].method == "json-ld"
    assert facts["price"].selector == "[class*='highlightPrice--']"
    assert says(payload, facts["price"])
