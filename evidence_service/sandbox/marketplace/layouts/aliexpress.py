"""AliExpress: ``window.runParams`` with a bare name, as the page writes it, and the rendered product."""

from __future__ import annotations

from evidence_service.sandbox.marketplace.answer import Answer, Asked, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document, state

_ITEM = BY_ID["100202"]
_ID = "1005006000000001"


def _product(_: Asked) -> Answer:
    item = _ITEM
    data = {
        "productInfoComponent": {"subject": item.title, "id": int(_ID)},
        "priceComponent": {"discountPrice": {"actCurrencyFormatPrice": f"US ${item.price}"}},
        "sellerComponent": {
            "storeName": item.shop.name,
            "storeNum": 1102000001,
            "adminSeq": 240000001,
            "storeURL": f"/shop/{item.shop.id}",
        },
        "tradeComponent": {"formatTradeCount": "967"},
        "feedbackComponent": {"evarageStar": "4.8", "totalValidNum": 112},
        "imageComponent": {"imagePathList": [f"/picture/{item.id}/{number}.jpg" for number in range(2)]},
        "inventoryComponent": {"totalAvailQuantity": 480},
    }
    body = (
        f'<h1 data-pl="product-title">{item.title}</h1>'
        f'<span class="price--currentPriceText--V8_y_b5">US ${item.price}</span>'
        f'<span class="reviewer--sold--ytPeoEy">967 sold</span>'
        f'<a data-pl="store-name" href="/shop/{item.shop.id}">{item.shop.name}</a>'
        f'<div class="delivery--to--x">Ship to Germany</div>'
        + "".join(f'<div class="sku-item--text--hYfAukP">{name}</div>' for name in item.variants)
        + f'<div class="slider--img--x"><img src="/picture/{item.id}/0.jpg"></div><p>{item.description}</p>'
    )
    head = f"<script>window.runParams = {{\n  data: {state(data)},\n  undefinedYet: undefined,\n}};</script>"
    return respond(document(f"{item.title} - AliExpress", body, head=head))


ALIEXPRESS: tuple[Fixture, ...] = (
    Fixture(
        "aliexpress-layout",
        f"/layouts/aliexpress/item/{_ID}.html",
        "en",
        "captured",
        _product,
        facts={
            "title": _ITEM.title,
            "listing_id": _ID,
            "price": f"US ${_ITEM.price}",
            "price_amount": _ITEM.price,
            "currency": "USD",
            "seller_id": "240000001",
            "shop_id": "1102000001",
            "shop": _ITEM.shop.name,
            "rating": "4.8",
            "ship_to": "Ship to Germany",
        },
    ),
)
