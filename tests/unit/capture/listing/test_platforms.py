"""Platforms are data: every file is whole, every selector and pattern can be used, hosts are told exactly."""

from __future__ import annotations

import pytest
from lxml.cssselect import CSSSelector

from evidence_service.capture.listing import read_listing
from evidence_service.capture.listing.platforms import owner, platforms


@pytest.mark.parametrize("platform", platforms(), ids=lambda platform: platform.name)
def test_every_rule_can_be_used(platform) -> None:
    assert platform.hosts or platform.markers
    assert all(rule.groups == 1 for rule in platform.listing_id)
    assert {"title", "price"} <= platform.selectors.keys()
    for selectors in platform.selectors.values():
        for selector in selectors:
            CSSSelector(selector.partition("@")[0], translator="html")


def test_all_eight_are_there() -> None:
    names = {platform.name for platform in platforms()}
    assert names == {"Taobao", "Tmall", "1688", "AliExpress", "Amazon", "eBay", "Shopify", "WooCommerce"}


@pytest.mark.parametrize(
    ("url", "name", "listing"),
    [
        ("https://item.taobao.com/item.htm?spm=a.1&id=612345678901&x=2", "Taobao", "612345678901"),
        ("https://detail.tmall.com/item.htm?id=612345678902", "Tmall", "612345678902"),
        ("https://detail.1688.com/offer/612345678903.html?spm=1", "1688", "612345678903"),
        ("https://www.aliexpress.com/item/1005001234567890.html", "AliExpress", "1005001234567890"),
        ("https://de.aliexpress.com/item/Some-Bag/1005001234567891.html", "AliExpress", "1005001234567891"),
        ("https://www.amazon.de/Ein-Titel/dp/B000000001/ref=x", "Amazon", "B000000001"),
        ("https://www.amazon.co.uk/gp/product/B000000002?th=1", "Amazon", "B000000002"),
        ("https://www.ebay.co.uk/itm/385123456789", "eBay", "385123456789"),
        ("https://www.ebay.com/itm/A-Title/385123456780?hash=x", "eBay", "385123456780"),
    ],
)
def test_an_address_tells_platform_and_listing(url: str, name: str, listing: str) -> None:
    facts = read_listing("<h1>Bag</h1>", url)
    assert facts["platform_name"].value == name
    assert facts["listing_id"].value == listing
    assert facts["listing_id"].method == "url"


@pytest.mark.parametrize(
    "host",
    ["taobao.com.example", "nottaobao.com", "amazon.com.evil.example", "ebay.example", "xn--ebay.example"],
)
def test_a_host_that_only_looks_like_it_is_nobody_s(host: str) -> None:
    assert owner(host) is None


def test_a_copied_layout_does_not_make_a_host_the_platform() -> None:
    page = '<span id="productTitle">Bag</span><div id="corePriceDisplay_desktop_feature_div"></div>'
    facts = read_listing(page, "https://outlet.example/dp/B000000001")
    assert facts["platform"].value == "outlet.example"
    assert "platform_name" not in facts
    assert facts["title"].value == "Bag"
