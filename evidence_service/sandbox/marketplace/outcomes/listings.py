"""Listings that are captured, each delivered or built in a way that a capture can get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.answer import Answer, Asked, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID, Listing
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document, state

_BAG, _PHONES, _SHOE, _BATTERY = (BY_ID[number] for number in ("100201", "100202", "100203", "100204"))
_ZH_BAG, _ZH_PHONES, _ZH_SHOE, _ZH_BATTERY = (
    BY_ID[number] for number in ("200101", "200102", "200103", "200104")
)

STATE_PATH = "/fixtures/state.json"


def _facts(item: Listing) -> dict[str, str]:
    return {
        "title": item.title,
        "listing_id": item.id,
        "price": item.price,
        "price_amount": item.price,
        "currency": item.currency,
        "availability": "InStock",
        "brand": item.brand,
        "seller_id": item.shop.id,
        "seller_name": item.shop.name,
    }


def _fixture(
    name: str,
    item: Listing,
    answer: Callable[[Asked], Answer],
    *,
    browser: bool = False,
    facts: Mapping[str, str] | None = None,
) -> Fixture:
    return Fixture(
        name,
        f"/fixtures/{name}",
        item.language,
        "captured",
        answer,
        facts=_facts(item) if facts is None else facts,
        browser=browser,
    )


def _many_pictures(asked: Asked) -> Answer:
    pictures = "".join(
        f'<img loading="lazy" width="520" height="520" src="/picture/many/{_ZH_BAG.id}/{number}.jpg" alt="">'
        for number in range(1, 26)
    )
    return respond(pages.listing(_ZH_BAG, asked.origin, pictures=pictures))


def _endless_scroll(asked: Asked) -> Answer:
    """Ten pictures, one more whenever the page's end comes near; then nothing more."""
    script = (
        "<script>let n=0;const more=()=>{while(n<10&&scrollY+innerHeight>document.body.scrollHeight-900){"
        "const i=new Image();i.width=i.height=520;i.style.display='block';"
        f"i.src='/picture/many/{_SHOE.id}/'+(++n)+'.jpg';document.querySelector('.gallery').append(i)}}}};"
        "addEventListener('scroll',more);more()</script>"
    )
    return respond(pages.listing(_SHOE, asked.origin, pictures="", more=script))


def _carousel(asked: Asked) -> Answer:
    slides = "".join(
        f'<img style="display:{"block" if number == 1 else "none"}" src="/picture/{_BAG.id}/{number}.jpg" alt="">'
        for number in range(1, 6)
    )
    script = (
        "<script>let s=0;const all=document.querySelectorAll('.slides img');setInterval(()=>{"
        "all[s].style.display='none';s=(s+1)%all.length;all[s].style.display='block'},700)</script>"
    )
    return respond(
        pages.listing(_BAG, asked.origin, pictures=f'<div class="slides">{slides}</div>', more=script)
    )


def _spa(item: Listing, *, fetched: bool) -> Callable[[Asked], Answer]:
    """An application that builds the page from state: in the page, or fetched after a while."""

    def answer(asked: Asked) -> Answer:
        product = {
            "@type": "Product",
            "name": item.title,
            "productID": item.id,
            "brand": item.brand,
            "offers": {
                "price": item.price,
                "priceCurrency": item.currency,
                "availability": "https://schema.org/InStock",
                "seller": {"name": item.shop.name, "identifier": item.shop.id},
            },
        }
        render = (
            "const show=p=>{document.title=p.name;const s=document.createElement('script');"
            "s.type='application/ld+json';s.textContent=JSON.stringify(p);document.head.append(s);"
            "document.getElementById('root').innerHTML='<h1></h1><p class=price></p><p id=shop></p>"
            f'<img width=520 height=520 src="/picture/{item.id}/0.jpg">\';'
            "document.querySelector('h1').textContent=p.name;"
            "document.querySelector('.price').textContent=p.offers.price+' '+p.offers.priceCurrency;"
            "document.getElementById('shop').textContent=p.offers.seller.name};"
        )
        if fetched:
            load = f"setTimeout(()=>fetch('{STATE_PATH}').then(r=>r.json()).then(show),300)"
        else:
            load = f"window.__APP_STATE__={state(product)};setTimeout(()=>show(window.__APP_STATE__),200)"
        body = f'<div id="root"></div><script>{render}{load}</script>'
        if asked.target == STATE_PATH:
            return respond(json.dumps(product), media_type="application/json")
        return respond(document("Morningbridge", body, language=item.language))

    return answer


def _frames(asked: Asked) -> Answer:
    frames = (
        '<iframe title="reviews" width="600" height="200" srcdoc="&lt;p&gt;Very good. Security check passed.'
        '&lt;/p&gt;"></iframe><iframe title="home" width="600" height="300" src="/"></iframe>'
    )
    return respond(pages.listing(_PHONES, asked.origin, more=frames))


def _modal_consent(item: Listing, words: tuple[str, str, str]) -> Callable[[Asked], Answer]:
    """A dialog in the middle of a dimmed page, with a choice to refuse."""
    text, accept, refuse = words
    dialog = (
        '<div id="cmp" style="position:fixed;inset:0;background:#000a;z-index:99"><div role="dialog" '
        'aria-modal="true" style="background:#fff;max-width:460px;margin:20vh auto;padding:24px">'
        f"<p>{text}</p><button>{accept}</button> <button>{refuse}</button></div></div>"
        "<script>document.querySelectorAll('#cmp button').forEach(b=>b.onclick=()=>{"
        "document.cookie='cmp='+b.textContent.length+';path=/';document.getElementById('cmp').remove()});"
        "if(document.cookie.includes('cmp='))document.getElementById('cmp').remove()</script>"
    )
    return lambda asked: respond(pages.listing(item, asked.origin, consent=dialog))


def _accept_only(asked: Asked) -> Answer:
    bar = (
        '<div id="bar" style="position:fixed;top:0;left:0;right:0;background:#ffd;padding:14px;z-index:9">'
        'We use cookies. <button onclick="this.parentNode.remove()">Got it</button></div>'
    )
    return respond(pages.listing(_BATTERY, asked.origin, consent=bar))


def _slow_pictures(asked: Asked) -> Answer:
    pictures = "".join(
        f'<img loading="lazy" width="520" height="520" src="/picture/slow/{_ZH_SHOE.id}/{number}.jpg" alt="">'
        for number in range(1, 4)
    )
    return respond(pages.listing(_ZH_SHOE, asked.origin, pictures=pictures))


def _websocket(asked: Asked) -> Answer:
    script = (
        '<p id="live"></p><script>const w=new WebSocket(location.origin.replace("http","ws")+"/live");'
        "w.onopen=()=>w.send('hello');let n=0;w.onmessage=m=>{document.getElementById('live').textContent=m.data;"
        "if(++n==2)w.close()}</script>"
    )
    return respond(pages.listing(_PHONES, asked.origin, more=script))


def _cookies(asked: Asked) -> Answer:
    headers = [("Set-Cookie", f"c{number}=v{number}; Path=/") for number in range(5)]
    return respond(
        pages.listing(_BAG, asked.origin),
        headers=[*headers, ("X-Twice", "one"), ("x-twice", "two"), ("Set-Cookie", "c0=again; Path=/")],
    )


def _encoded(item: Listing, encoding: str, *, declared: bool) -> Callable[[Asked], Answer]:
    """A page in GBK, said by the header or only by the page itself."""

    def answer(asked: Asked) -> Answer:
        page = pages.listing(item, asked.origin).replace('charset="utf-8"', f'charset="{encoding}"', 1)
        media_type = f"text/html; charset={encoding}" if declared else "text/html"
        return respond(page.encode(encoding, "xmlcharrefreplace"), media_type=media_type)

    return answer


def _coded(item: Listing, coding: str, framing: str) -> Callable[[Asked], Answer]:
    return lambda asked: respond(pages.listing(item, asked.origin), coding=coding, framing=framing)


def _shop(shop: Listing) -> Callable[[Asked], Answer]:
    return lambda _: respond(pages.shop(shop.shop.name, [shop]))


def _plain(item: Listing) -> Callable[[Asked], Answer]:
    return lambda asked: respond(pages.listing(item, asked.origin))


_EN_CONSENT = ("We value your privacy. We and our partners use cookies.", "Accept all", "Reject all")
_ZH_CONSENT = ("我们重视您的隐私。本站使用 Cookie。", "同意并继续", "不同意")
state_fetched = _spa(_ZH_BATTERY, fetched=True)

DELIVERIES: tuple[Fixture, ...] = (
    _fixture("listing-en", _BAG, _plain(_BAG)),
    _fixture("listing-zh", _ZH_PHONES, _plain(_ZH_PHONES)),
    _fixture("lazy-pictures", _ZH_BAG, _many_pictures, browser=True),
    _fixture("infinite-scroll", _SHOE, _endless_scroll, browser=True),
    _fixture("carousel", _BAG, _carousel),
    _fixture("spa-state-in-page", _BAG, _spa(_BAG, fetched=False), browser=True),
    _fixture("spa-state-fetched", _ZH_BATTERY, state_fetched, browser=True),
    _fixture("iframes", _PHONES, _frames),
    _fixture("consent-modal-en", _BATTERY, _modal_consent(_BATTERY, _EN_CONSENT)),
    _fixture("consent-modal-zh", _ZH_BATTERY, _modal_consent(_ZH_BATTERY, _ZH_CONSENT)),
    _fixture("consent-bar", _BATTERY, _accept_only),
    _fixture("slow-pictures", _ZH_SHOE, _slow_pictures, browser=True),
    _fixture("websocket", _PHONES, _websocket),
    _fixture("duplicate-headers", _BAG, _cookies),
    _fixture("gbk-by-header", _ZH_SHOE, _encoded(_ZH_SHOE, "gbk", declared=True)),
    _fixture("gbk-by-page", _ZH_BATTERY, _encoded(_ZH_BATTERY, "gbk", declared=False)),
    _fixture("gzip-chunked", _ZH_BAG, _coded(_ZH_BAG, "gzip", "chunked")),
    _fixture("brotli", _BAG, _coded(_BAG, "br", "length")),
    _fixture("deflate-until-close", _PHONES, _coded(_PHONES, "deflate", "close")),
    _fixture("chunked", _SHOE, _coded(_SHOE, "", "chunked")),
    _fixture("shop-en", _BAG, _shop(_BAG), facts={"title": _BAG.shop.name}),
    _fixture("shop-zh", _ZH_BAG, _shop(_ZH_BAG), facts={"title": _ZH_BAG.shop.name}),
)
