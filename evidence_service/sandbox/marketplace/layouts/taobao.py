"""Taobao and Tmall: the older layout of elements with ids, and the newer one with its state in the page."""

from __future__ import annotations

from html import escape

from evidence_service.sandbox.marketplace.answer import Answer, Asked, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document, state

_BAG, _PHONES, _SHOE = BY_ID["200101"], BY_ID["200102"], BY_ID["200103"]


def _older(_: Asked) -> Answer:
    item = _BAG
    options = "".join(f"<li><a><span>{name}</span></a></li>" for name in item.variants)
    body = (
        f'<div id="J_Title"><h3 class="tb-main-title" data-title="{escape(item.title)}">{item.title}</h3></div>'
        f'<div id="J_StrPrice"><em class="tb-rmb">¥</em><em class="tb-rmb-num">598.00</em></div>'
        f'<div>促销 <em id="J_PromoPriceNum">{item.price}</em></div>'
        f'<div>交易成功 <strong id="J_SellCounter">{item.sold}</strong></div>'
        f'<div>累计评论 <strong id="J_RateCounter">886</strong></div>'
        f'<div>配送 <span id="J-From">福建莆田</span> 至 <span id="J-To">上海</span></div>'
        f'<div id="J_isku"><dl class="J_Prop"><dd><ul>{options}</ul></dd></dl></div>'
        f'<div>库存 <span id="J_SpanStock">213</span> 件</div>'
        f'<ul id="J_UlThumb"><li><img src="/picture/{item.id}/0.jpg"></li><li><img src="/picture/{item.id}/1.jpg">'
        f"</li></ul>"
        f'<div class="tb-shop-name"><a href="/shop/{item.shop.id}">{item.shop.name}</a></div>'
        f'<div id="description">{item.description}</div>'
    )
    settings = (
        "var g_config = {startTime: +new Date, // filled in by the page\n itemId: '728001001'};"
        f" window.g_config = {{itemId: '728001001', sellerId: '90210001', shopId: '5550001',"
        f" shopName: '{item.shop.name}', sellerNick: '蓝海工厂',}};"
    )
    return respond(
        document(f"{item.title}-淘宝网", body, language="zh-CN", head=f"<script>{settings}</script>")
    )


def _newer(_: Asked) -> Answer:
    item = _PHONES
    data = {
        "item": {
            "title": item.title,
            "itemId": "728001002",
            "images": [f"/picture/{item.id}/{number}.jpg" for number in range(3)],
            "vagueSellCount": "1万+",
        },
        "seller": {
            "sellerId": "90210002",
            "sellerNick": "运河数码",
            "shopName": item.shop.name,
            "shopId": "5550002",
        },
        "componentsVO": {"priceVO": {"price": {"priceText": item.price}}},
    }
    context = {"appData": None, "loaderData": {"home": {"data": {"res": data}}}}
    options = "".join(f'<div class="valueItem--GzWd2LsV"><span>{name}</span></div>' for name in item.variants)
    body = (
        f'<h1 class="mainTitle--O1XCl8e2 f-els-2">{item.title}</h1>'
        f'<div class="highlightPrice--LlVWiXXs"><span>¥</span><span class="text--LP7Wf49z">{item.price}</span></div>'
        f'<div class="salesDesc--SUQwB8it">已售 1万+</div>'
        f'<a class="detailWrap--svoEjPUO" href="/shop/{item.shop.id}"><span class="shopName--cSjM9uKk">'
        f"{item.shop.name}</span></a>{options}"
        f'<div class="thumbnail--TxeB1sWz"><img src="/picture/{item.id}/0.jpg"></div><p>{item.description}</p>'
    )
    head = f"<script>window.__ICE_APP_CONTEXT__ = {state(context)};</script>"
    return respond(document(f"{item.title}-tmall.com天猫", body, language="zh-CN", head=head))


def _tmall(_: Asked) -> Answer:
    item = _SHOE
    options = "".join(f"<li><a><span>{name}</span></a></li>" for name in item.variants)
    body = (
        f'<div class="tb-detail-hd"><h1 data-spm="1">{item.title}</h1></div>'
        f'<dl class="tm-price-panel">价格 <em>¥</em><span class="tm-price">399.00</span></dl>'
        f'<dl class="tm-promo-price">促销价 <em>¥</em><span class="tm-price">{item.price}</span></dl>'
        f'<ul><li class="tm-ind-sellCount">月销量 <span class="tm-count">{item.sold}</span></li></ul>'
        f'<dl class="tb-sku"><ul class="tm-sale-prop">{options}</ul></dl><em id="J_EmStock">库存 96 件</em>'
        f'<a class="slogo-shopname" href="/shop/{item.shop.id}"><strong>{item.shop.name}</strong></a>'
        f'<ul id="J_UlThumb"><li><img src="/picture/{item.id}/0.jpg"></li></ul>'
        f'<ul><li id="J_attrBrandName">品牌: {item.brand}</li></ul><div id="description">{item.description}</div>'
    )
    return respond(document(f"{item.title}-tmall.com天猫", body, language="zh-CN"))


TAOBAO: tuple[Fixture, ...] = (
    Fixture(
        "taobao-older-layout",
        "/layouts/taobao/item.htm?spm=a21bo&id=728001001",
        "zh-CN",
        "captured",
        _older,
        facts={
            "title": _BAG.title,
            "listing_id": "728001001",
            "price": _BAG.price,
            "price_original": "598.00",
            "sales_count": "5210",
            "review_count": "886",
            "seller_id": "90210001",
            "shop_id": "5550001",
            "shop": _BAG.shop.name,
            "variants": " | ".join(_BAG.variants),
            "ships_from": "福建莆田",
            "ship_to": "上海",
        },
    ),
    Fixture(
        "taobao-newer-layout",
        "/layouts/taobao-new/item.htm?id=728001002",
        "zh-CN",
        "captured",
        _newer,
        facts={
            "title": _PHONES.title,
            "listing_id": "728001002",
            "price": _PHONES.price,
            "seller_id": "90210002",
            "shop": _PHONES.shop.name,
            "sales_count": "1万+",
        },
    ),
    Fixture(
        "tmall-layout",
        "/layouts/tmall/item.htm?id=728001003",
        "zh-CN",
        "captured",
        _tmall,
        facts={
            "title": _SHOE.title,
            "listing_id": "728001003",
            "price": _SHOE.price,
            "price_original": "399.00",
            "shop": _SHOE.shop.name,
            "sales_count": str(_SHOE.sold),
        },
    ),
)
