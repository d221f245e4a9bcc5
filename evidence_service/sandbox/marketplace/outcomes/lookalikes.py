"""Ordinary listings that carry what challenges, walls and notices are made of; none may be taken for one."""

from __future__ import annotations

from html import escape

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.answer import respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document

_BAG, _ZH = BY_ID["100201"], BY_ID["200102"]


def _listing(name: str, more: str, *, chinese: bool = False) -> Fixture:
    item = _ZH if chinese else _BAG
    return Fixture(
        f"lookalike-{name}",
        f"/fixtures/lookalike-{name}",
        item.language,
        "captured",
        lambda asked: respond(pages.listing(item, asked.origin, more=more)),
        facts={"title": item.title, "price": item.price},
    )


def _short(name: str, body: str, language: str = "en") -> Fixture:
    """A short page without any data about itself."""
    return Fixture(
        f"lookalike-{name}",
        f"/fixtures/lookalike-{name}",
        language,
        "captured",
        lambda _: respond(document("Studio shop", body, language=language)),
    )


_PICTURE = f'<img src="/picture/{_BAG.id}/0.jpg">'
_WORDS = escape(_BAG.title) + " Hand made, sent within two days, returns accepted. " * 6

LOOKALIKES: tuple[Fixture, ...] = (
    _listing(
        "recaptcha-badge",
        '<form>Newsletter <input type="email" name="e"><div class="g-recaptcha" data-size="invisible"></div></form>'
        '<div class="grecaptcha-badge"><iframe title="reCAPTCHA" srcdoc=""></iframe></div>'
        "<p>This site is protected by reCAPTCHA and the Google Privacy Policy applies.</p>",
    ),
    _listing(
        "cloudflare-insights",
        "<script>(function(){var s='/cdn-cgi/challenge-platform/scripts/jsd/main.js';window.__CF$cv$params={r:s}})()"
        "</script>",
    ),
    _listing(
        "hidden-login",
        '<div role="dialog" aria-modal="true" style="display:none"><h2>Please sign in to continue</h2>'
        '<form><input type="password"></form></div>',
    ),
    _listing("header-login", '<form>Sign in <input name="u"><input type="password" name="p"></form>'),
    _listing(
        "reviews-about-checks",
        "<h3>Reviews</h3><p>Security check at the airport: no problem. Are you a robot vacuum owner? The blue one is "
        "no longer available. Page not found in the manual. Ships where others are not available in your country.</p>",
    ),
    _listing(
        "reviews-about-checks-zh",
        "<h3>评价</h3><p>请登录后查看全部评价。官网输入验证码可查真伪，安全验证通过。另一款已下架，页面不存在了。</p>",
        chinese=True,
    ),
    _listing(
        "baxia-script-zh",
        '<script>window.baxiaCommon={};var src="//g.alicdn.example/baxia-entry.js"</script>',
        chinese=True,
    ),
    _short(
        "short-with-newsletter",
        f"<h1>Studio bag</h1>{_PICTURE}<p>$68</p><form>News <input type='email'><div class='h-captcha'></div></form>",
    ),
    _short(
        "no-data", f"<h1>Studio bag</h1>{_PICTURE}<p>{_WORDS}</p><p>$68.90</p><a href='/login'>Log in</a>"
    ),
    _short(
        "no-data-zh",
        f"<h1>手工链条包</h1>{_PICTURE}<p>头层牛皮，两日内发货，支持七天无理由退换。</p><p>￥398</p>",
        "zh-CN",
    ),
)
