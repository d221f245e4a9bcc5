"""Shops of their own: Shopify with JSON-LD, WooCommerce with microdata, one whose two prices differ."""

from __future__ import annotations

from html import escape

from evidence_service.sandbox.marketplace.answer import Answer, Asked, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID, Listing
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document, json_ld, state

_BAG, _PHONES = BY_ID["100201"], BY_ID["100202"]


def _shopify(item: Listing, asked: Asked, *, shown: str, availability: str, badge: str) -> Answer:
    product = {
        "@context": "http://schema.org/",
        "@type": "Product",
        "name": item.title,
        "url": asked.origin + asked.target,
        "image": [f"{asked.origin}/picture/{item.id}/0.jpg"],
        "brand": {"@type": "Brand", "name": item.brand},
        "offers": [
            {
                "@type": "Offer",
                "sku": "AUR-BLK",
                "availability": f"http://schema.org/{availability}",
                "price": item.price,
                "priceCurrency": item.currency,
            }
        ],
    }
    meta = {
        "product": {"id": 8100000001, "vendor": item.brand, "type": "Handbags", "variants": [{"price": 6890}]}
    }
    head = (
        '<link rel="preconnect" href="https://cdn.shopify.com" crossorigin>'
        f"{json_ld(product)}<script>var meta = {state(meta)};\nfor (var attr in meta) {{ window.x = attr }}</script>"
    )
    options = "".join(f"<label>{name}</label>" for name in item.variants)
    body = (
        f'<div class="product__media"><img src="/picture/{item.id}/0.jpg"></div><div class="product__title"><h1>'
        f'{escape(item.title)}</h1></div><div class="price"><div class="price__regular">'
        f'<span class="price-item price-item--regular">{shown}</span></div></div>{badge}'
        f'<div class="product-form__input">{options}</div><div class="product__description">{item.description}</div>'
    )
    return respond(document(f"{item.title} – Aurelle Outlet", body, head=head))


def _woocommerce(item: Listing, _: Asked) -> Answer:
    body = (
        f'<div class="product" itemscope itemtype="https://schema.org/Product"><div class="summary">'
        f'<h1 class="product_title entry-title" itemprop="name">{escape(item.title)}</h1>'
        f'<p class="price" itemprop="offers" itemscope itemtype="https://schema.org/Offer">'
        f'<span class="woocommerce-Price-amount amount"><bdi><span>$</span>{item.price}</bdi></span>'
        f'<meta itemprop="price" content="{item.price}"><meta itemprop="priceCurrency" content="{item.currency}">'
        f'<link itemprop="availability" href="https://schema.org/InStock"></p>'
        f'<p class="stock in-stock">14 in stock</p><form><button name="add-to-cart" value="4411">Add to cart</button>'
        f'</form><div class="product_meta"><span class="sku_wrapper">SKU: <span class="sku" itemprop="sku">VX-2</span>'
        f'</span><span class="posted_in">Category: <a href="/c">Headphones</a></span></div></div>'
        f'<div class="woocommerce-product-gallery"><div class="woocommerce-product-gallery__image">'
        f'<img itemprop="image" src="/picture/{item.id}/0.jpg"></div></div>'
        f'<div id="tab-description">{item.description}</div></div>'
    )
    head = '<meta name="generator" content="WooCommerce 9.4.2">'
    return respond(document(item.title, body, head=head, attributes='class="single-product woocommerce"'))


SHOPS: tuple[Fixture, ...] = (
    Fixture(
        "shopify-layout",
        "/layouts/shopify/products/aurelle-chain-bag",
        "en",
        "captured",
        lambda asked: _shopify(_BAG, asked, shown="$68.90 USD", availability="InStock", badge=""),
        facts={
            "title": _BAG.title,
            "price": "68.90",
            "currency": "USD",
            "availability": "InStock",
            "product_id": "8100000001",
            "listing_id": "aurelle-chain-bag",
            "category": "Handbags",
            "shop_software": "Shopify",
            "variants": " | ".join(_BAG.variants),
        },
    ),
    Fixture(
        "shopify-two-prices",
        "/layouts/shopify/products/aurelle-two-prices",
        "en",
        "captured",
        lambda asked: _shopify(_BAG, asked, shown="$98.00 USD", availability="InStock", badge=""),
        facts={
            "price": "68.90",
            "conflicts": "price: “68.90” (JSON-LD block 1, offers.price) but “$98.00 USD” (Shopify's selector"
            " .price__regular .price-item--regular)",
        },
    ),
    Fixture(
        "shopify-sold-out",
        "/layouts/shopify/products/aurelle-sold-out",
        "en",
        "captured",
        lambda asked: _shopify(
            _BAG,
            asked,
            shown="$68.90 USD",
            availability="OutOfStock",
            badge='<span class="price__badge-sold-out">Sold out</span><p>This item is no longer available.</p>',
        ),
        facts={"title": _BAG.title, "availability": "OutOfStock"},
    ),
    Fixture(
        "woocommerce-layout",
        "/layouts/woocommerce/product/veltrix-pro/",
        "en",
        "captured",
        lambda asked: _woocommerce(_PHONES, asked),
        facts={
            "title": _PHONES.title,
            "price": _PHONES.price,
            "currency": "USD",
            "availability": "InStock",
            "product_id": "4411",
            "sku": "VX-2",
            "category": "Headphones",
            "shop_software": "WooCommerce",
        },
    ),
)
