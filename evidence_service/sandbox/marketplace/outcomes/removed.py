"""Listings that are gone: by status, by words, by being led elsewhere."""

from __future__ import annotations

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.answer import redirect, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document

_OTHERS_EN = "".join(
    f"<p>You may also like: {BY_ID['100202'].title}, $39.50, free shipping.</p>" for _ in range(60)
)
_OTHERS_ZH = "".join(f"<p>猜你喜欢：{BY_ID['200102'].title} ￥189</p>" for _ in range(90))


def _page(name: str, language: str, rule: str, *, title: str, body: str, status: int = 200) -> Fixture:
    return Fixture(
        f"removed-{name}",
        f"/fixtures/removed-{name}",
        language,
        "removed",
        lambda _: respond(document(title, body, language=language), status),
        rule=rule,
    )


def _led(name: str, language: str, rule: str, where: str, path: str = "") -> Fixture:
    return Fixture(
        f"removed-{name}",
        path or f"/fixtures/removed-{name}",
        language,
        "removed",
        lambda _: redirect(where, 301),
        rule=rule,
    )


REMOVED: tuple[Fixture, ...] = (
    _page("404", "en", "gone-status", title="Not found", body="<h1>Nothing here</h1>", status=404),
    _page("410", "en", "gone-status", title="Gone", body="<h1>Gone</h1>", status=410),
    _page("404-zh", "zh-CN", "gone-status", title="出错了", body="<h1>出错了</h1>", status=404),
    _page(
        "soft-404",
        "en",
        "removed-text",
        title="Morningbridge",
        body=f"<h1>The page you requested was not found</h1><p>Try a search.</p>{_OTHERS_EN}",
    ),
    _page(
        "by-platform",
        "en",
        "removed-by-platform",
        title="Morningbridge",
        body="<h1>Item unavailable</h1><p>This listing was removed following a notice by a trademark owner.</p>",
    ),
    _page(
        "no-longer",
        "en",
        "removed-text",
        title="Morningbridge",
        body="<p>Sorry, this item is no longer available.</p><a href='/'>Keep shopping</a>",
    ),
    _page(
        "missing-zh",
        "zh-CN",
        "removed-text",
        title="集市",
        body=f"<p>很抱歉，您查看的宝贝不存在，可能已下架或者被转移。</p>{_OTHERS_ZH}",
    ),
    _page(
        "by-platform-zh",
        "zh-CN",
        "removed-by-platform",
        title="集市",
        body="<h1>商品暂时无法查看</h1><p>该商品因涉嫌侵权，已由平台下架处理。</p>",
    ),
    _page(
        "by-seller-zh",
        "zh-CN",
        "ended-by-seller",
        title="集市",
        body="<h1>来晚了</h1><p>该商品卖家已下架，看看别的吧。</p>",
    ),
    _led("home", "en", "redirect-home", "/"),
    _led("home-zh", "zh-CN", "redirect-home", "/?from=offline"),
    _led("search", "en", "redirect-search", "/search?q=bag"),
    _led("search-zh", "zh-CN", "redirect-search", "/list/8801.html"),
    _led("other", "en", "other-listing", "/item/100203", "/goods/item/100777"),
    _led("other-zh", "zh-CN", "other-listing", "/item/200103", "/goods/item/200777"),
    Fixture(
        "removed-search-target",
        "/search?q=bag",
        "en",
        "captured",
        lambda _: respond(pages.shop("Results for “bag”", [BY_ID["100201"], BY_ID["100202"]])),
    ),
    Fixture(
        "removed-list-target",
        "/list/8801.html",
        "zh-CN",
        "captured",
        lambda _: respond(pages.shop("箱包", [BY_ID["200101"], BY_ID["200102"]])),
    ),
)
