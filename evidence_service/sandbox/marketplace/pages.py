"""HTML of the sample marketplace."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from evidence_service.sandbox.marketplace.catalogue import LISTINGS, Listing

_TEXTS = {
    "en": {
        "sold": "sold",
        "shop": "Shop",
        "ships": "Ships from",
        "stock": "In stock",
        "buy": "Buy now",
        "description": "Description",
        "number": "Item number",
        "consent": "We use cookies for the basket and, if you agree, for advertising.",
        "all": "Accept all",
        "needed": "Only necessary",
        "choose": "Options",
    },
    "zh-CN": {
        "sold": "人付款",
        "shop": "店铺",
        "ships": "发货地",
        "stock": "有货",
        "buy": "立即购买",
        "description": "商品详情",
        "number": "商品编号",
        "consent": "本站使用必要的 Cookie；经您同意，也会用于广告推荐。",
        "all": "全部接受",
        "needed": "仅必要",
        "choose": "选项",
    },
}

# The banner hides itself and remembers the choice.
_CONSENT_SCRIPT = """
const banner=document.getElementById('consent');
if(document.cookie.includes('consent='))banner.remove();
banner.querySelectorAll('button').forEach(b=>b.onclick=()=>{document.cookie='consent='+b.dataset.choice+';path=/';
banner.remove()});
"""
# The variant buttons change what the page shows.
_VARIANTS_SCRIPT = """
document.querySelectorAll('.variant').forEach(b=>b.onclick=()=>{document.querySelectorAll('.variant').forEach(o=>
o.setAttribute('aria-pressed',o===b));document.getElementById('chosen').textContent=b.textContent});
"""


def page(title: str, body: str, *, language: str = "en", head: str = "") -> str:
    """A whole document in the marketplace's frame."""
    name = "晨桥集市 · Morningbridge Market"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>{head}'
        f'<link rel="stylesheet" href="/style.css"></head><body><header><a href="/">{name}</a>'
        f"<span>Sample marketplace for demonstrations / 演示用示例市场</span></header><main>{body}</main>"
        "<footer>Every brand, shop and person here is invented. 品牌、店铺与人物均为虚构。</footer>"
        "</body></html>"
    )


def style() -> str:
    """The style sheet every page uses."""
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def home() -> str:
    """The list of everything on sale."""
    cards = "".join(
        f'<li><a href="/item/{item.id}"><img loading="lazy" src="/picture/{item.id}/0.jpg" alt=""></a>'
        f"<div>{escape(item.title)}</div><b>{item.price} {item.currency}</b></li>"
        for item in LISTINGS
        if item.state == "on_sale"
    )
    return page("Morningbridge Market", f'<ul class="cards">{cards}</ul>')


def banner(language: str) -> str:
    """The consent dialog at the foot of the page."""
    words = _TEXTS[language]
    return (
        f'<div id="consent" role="dialog" aria-label="cookies"><p>{words["consent"]}</p>'
        f'<button data-choice="all">{words["all"]}</button>'
        f'<button data-choice="needed">{words["needed"]}</button></div>'
    )


def gallery(item: Listing, count: int) -> str:
    """Pictures that load when they come near the viewport."""
    return "".join(
        f'<img loading="lazy" width="520" height="520" src="/picture/{item.id}/{number}.jpg" alt="">'
        for number in range(1, count + 1)
    )


def listing(
    item: Listing, origin: str, *, consent: str | None = None, pictures: str | None = None, more: str = ""
) -> str:
    """A listing on sale.

    Args:
        origin: scheme, host and port the page was asked under, for absolute addresses in its data.
        consent: its consent dialog; None for the usual one.
        pictures: its gallery; None for lazily loaded pictures.
        more: at the end of the page.
    """
    consent = banner(item.language) if consent is None else consent
    pictures = gallery(item, item.pictures) if pictures is None else pictures
    script = (_CONSENT_SCRIPT if 'id="consent"' in consent else "") + _VARIANTS_SCRIPT
    words = _TEXTS[item.language]
    url = f"{origin}/item/{item.id}"
    offer = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": item.title,
        "sku": item.id,
        "productID": item.id,
        "brand": {"@type": "Brand", "name": item.brand},
        "image": [f"{origin}/picture/{item.id}/{number}.jpg" for number in range(3)],
        "offers": {
            "@type": "Offer",
            "url": url,
            "price": item.price,
            "priceCurrency": item.currency,
            "availability": "https://schema.org/InStock",
            "seller": {
                "@type": "Organization",
                "name": item.shop.name,
                "identifier": item.shop.id,
                "url": f"{origin}/shop/{item.shop.id}",
            },
        },
    }
    properties = {
        "og:type": "product",
        "og:site_name": "Morningbridge Market",
        "og:title": item.title,
        "og:url": url,
        "og:image": f"{origin}/picture/{item.id}/0.jpg",
        "product:price:amount": item.price,
        "product:price:currency": item.currency,
    }
    head = "".join(
        f'<meta property="{name}" content="{escape(value)}">' for name, value in properties.items()
    ) + '<script type="application/ld+json">{}</script>'.format(
        json.dumps(offer, ensure_ascii=False).replace("</", "<\\/")
    )
    variants = "".join(
        f'<button class="variant" aria-pressed="{str(number == 0).lower()}">{escape(name)}</button>'
        for number, name in enumerate(item.variants)
    )
    body = (
        f'<div class="top"><img src="/picture/{item.id}/0.jpg" alt="{escape(item.title)}"><div>'
        f"<h1>{escape(item.title)}</h1>"
        f'<p class="price">{item.price} {item.currency}</p>'
        f'<p class="meta">{item.sold} {words["sold"]} · {words["stock"]} · {words["ships"]} '
        f"{escape(item.shop.place)}</p>"
        f'<p>{words["shop"]}: <a href="/shop/{item.shop.id}">{escape(item.shop.name)}</a> '
        f"({item.shop.id})</p>"
        f"<p>{words['number']}: {item.id}</p><p>{words['choose']}: "
        f'<b id="chosen">{escape(item.variants[0])}</b></p>{variants}<br>'
        f'<button class="buy">{words["buy"]}</button></div></div>'
        f"<h2>{words['description']}</h2><p>{escape(item.description)}</p>"
        f'<div class="gallery">{pictures}</div>{consent}'
        f"<script>{script}</script>{more}"
    )
    return page(item.title, body, language=item.language, head=head)


def removed() -> str:
    """What is left of a listing the marketplace took down."""
    return page(
        "Listing removed",
        "<h1>This listing has been removed</h1><p>The item is no longer available. 该商品已下架。</p>",
    )


def login() -> str:
    """The login wall in front of some listings."""
    return page(
        "Sign in",
        '<div class="box"><h1>Please sign in to continue</h1><form method="post" action="/login">'
        '<input name="user" placeholder="E-mail"><input name="password" type="password" '
        'placeholder="Password"><button class="buy">Sign in</button></form></div>',
    )


def challenge() -> str:
    """The page a marketplace shows to visitors it takes for machines."""
    return page(
        "安全验证",
        '<div class="box"><h1>请完成安全验证</h1><p>Verify you are human: drag the slider to the right.</p>'
        '<div id="captcha" class="captcha"><input type="range" min="0" max="100" value="0"></div></div>',
        language="zh-CN",
    )


def shop(name: str, items: list[Listing]) -> str:
    """A seller's page."""
    rows = "".join(f'<li><a href="/item/{item.id}">{escape(item.title)}</a></li>' for item in items)
    return page(name, f"<h1>{escape(name)}</h1><ul>{rows}</ul>")


def missing() -> str:
    """Nothing is at this address."""
    return page("Not found", "<h1>Not found</h1>")
