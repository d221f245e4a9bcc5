"""Amazon: everything is in elements with ids; the price is there for screen readers as one text."""

from __future__ import annotations

from html import escape

from evidence_service.sandbox.marketplace.answer import Answer, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document

_ITEM = BY_ID["100204"]


def _product(stock: str, asin: str) -> Answer:
    item = _ITEM
    price = (
        '<div id="corePriceDisplay_desktop_feature_div"><span class="a-price"><span class="a-offscreen">'
        f'£{item.price}</span></span> <span class="basisPrice">RRP <span class="a-offscreen">£44.99</span></span></div>'
    )
    body = (
        f'<div id="glow-ingress-line2">Manchester M1</div><span id="productTitle"> {escape(item.title)} </span>'
        f'<a id="bylineInfo" href="/shop/x">Visit the {item.brand} Store</a>{price}'
        f'<div id="availability"><span> {stock} </span></div><input type="hidden" id="ASIN" value="{asin}">'
        f'<div>Sold by <a id="sellerProfileTriggerId" href="/shop/{item.shop.id}">{item.shop.name}</a></div>'
        f'<span id="acrPopover" title="4.2 out of 5 stars"><span id="acrCustomerReviewText">1,204 ratings</span></span>'
        f'<img id="landingImage" src="/picture/{item.id}/0.jpg"><div id="feature-bullets">{item.description}</div>'
    )
    return respond(document(f"{item.title} : Amazon.co.uk: DIY & Tools", body))


_FACTS = {
    "title": _ITEM.title,
    "price": f"£{_ITEM.price}",
    "price_amount": _ITEM.price,
    "price_original": "£44.99",
    "seller_name": _ITEM.shop.name,
    "seller_url": f"/shop/{_ITEM.shop.id}",
    "brand": f"Visit the {_ITEM.brand} Store",
    "rating": "4.2 out of 5 stars",
    "ship_to": "Manchester M1",
}

AMAZON: tuple[Fixture, ...] = (
    Fixture(
        "amazon-layout",
        "/layouts/amazon/Brenholm-Battery/dp/B0FIXTURE1?th=1",
        "en",
        "captured",
        lambda _: _product("In stock", "B0FIXTURE1"),
        facts={**_FACTS, "listing_id": "B0FIXTURE1", "availability": "In stock"},
    ),
    Fixture(
        "amazon-sold-out",
        "/layouts/amazon/dp/B0FIXTURE2",
        "en",
        "captured",
        lambda _: _product(
            "Currently unavailable. This item is no longer available from this seller.", "B0FIXTURE2"
        ),
        facts={**_FACTS, "listing_id": "B0FIXTURE2"},
    ),
)
