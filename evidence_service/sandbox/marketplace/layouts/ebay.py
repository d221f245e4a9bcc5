"""eBay: a listing on sale and one that has ended, which keeps its content but offers nothing."""

from __future__ import annotations

from html import escape

from evidence_service.sandbox.marketplace.answer import Answer, Asked, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document

_ITEM = BY_ID["100203"]


def _body(notice: str, number: str) -> str:
    item = _ITEM
    options = "".join(f"<option>{name}</option>" for name in item.variants)
    return (
        f'{notice}<h1 class="x-item-title__mainTitle"><span class="ux-textspans">{escape(item.title)}</span></h1>'
        f'<div class="x-price-primary"><span class="ux-textspans">EUR {item.price}</span></div>'
        f'<div class="x-item-condition-text"><span class="ux-textspans">New with box</span></div>'
        f'<div class="x-quantity__availability">More than 10 available</div>'
        f'<select class="x-msku__select-box">{options}</select>'
        f'<div class="x-sellercard-atf__info__about-seller"><a href="/shop/{item.shop.id}">{item.shop.name}</a></div>'
        f'<div class="ux-labels-values--itemLocation">Located in: <span class="ux-labels-values__values">'
        f"{item.shop.place}</span></div>"
        f'<div class="ux-image-carousel-item"><img src="/picture/{item.id}/0.jpg"></div>'
        f'<div class="ux-layout-section__textual-display--itemId">eBay item number: '
        f'<span class="ux-textspans ux-textspans--BOLD">{number}</span></div><p>{item.description}</p>'
    )


def _listing(_: Asked) -> Answer:
    return respond(document(f"{_ITEM.title} | eBay", _body("", "385000000001")))


def _ended(_: Asked) -> Answer:
    notice = "<p>This listing was ended by the seller on Tue, Nov 3 because the item was lost or broken.</p>"
    return respond(document(f"{_ITEM.title} | eBay", _body(notice, "385000000002")))


EBAY: tuple[Fixture, ...] = (
    Fixture(
        "ebay-layout",
        "/layouts/ebay/itm/385000000001?hash=item59",
        "en",
        "captured",
        _listing,
        facts={
            "title": _ITEM.title,
            "listing_id": "385000000001",
            "price": f"EUR {_ITEM.price}",
            "price_amount": _ITEM.price,
            "currency": "EUR",
            "condition": "New with box",
            "seller_name": _ITEM.shop.name,
            "ships_from": _ITEM.shop.place,
        },
    ),
    Fixture("ebay-ended", "/layouts/ebay/itm/385000000002", "en", "removed", _ended, rule="ended-by-seller"),
)
