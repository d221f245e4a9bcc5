"""1688: the state in ``__INIT_DATA`` and the visible offer."""

from __future__ import annotations

from evidence_service.sandbox.marketplace.answer import Answer, Asked, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document, state

_ITEM = BY_ID["200104"]


def _offer(_: Asked) -> Answer:
    item = _ITEM
    data = {
        "globalData": {
            "tempModel": {
                "offerTitle": item.title,
                "offerId": 730000000001,
                "companyName": "杭州运河数码有限公司",
                "sellerUserId": 2200000001,
                "sellerLoginId": "yunhe_digital",
                "saledCount": item.sold,
            },
            "images": [],
        },
        "data": {},
    }
    body = (
        f'<div class="title-content"><div class="title-first-column"><div class="title-text">{item.title}</div></div>'
        f'<div class="title-sale-column">成交 <span class="title-info-number">{item.sold}</span> 件</div></div>'
        f'<div class="od-pc-offer-price-contain">价格 <span class="price-unit">￥</span>'
        f'<span class="price-text">{item.price}</span></div>'
        f'<div class="company-name"><a href="/shop/{item.shop.id}">杭州运河数码有限公司</a></div>'
        f'<div>发货地 <span class="logistics-city">浙江 杭州</span></div>'
        + "".join(f'<div class="sku-item-name">{name}</div>' for name in item.variants)
        + f'<img class="detail-gallery-img" src="/picture/{item.id}/0.jpg"><p>{item.description}</p>'
    )
    head = f"<script>window.__INIT_DATA={state(data)}</script>"
    return respond(document(f"{item.title} - 阿里巴巴", body, language="zh-CN", head=head))


WHOLESALE: tuple[Fixture, ...] = (
    Fixture(
        "1688-layout",
        "/layouts/1688/offer/730000000001.html",
        "zh-CN",
        "captured",
        _offer,
        facts={
            "title": _ITEM.title,
            "listing_id": "730000000001",
            "price": _ITEM.price,
            "shop": "杭州运河数码有限公司",
            "seller_id": "2200000001",
            "ships_from": "浙江 杭州",
            "variants": " | ".join(_ITEM.variants),
        },
    ),
)
