"""Checks that stand in place of a listing, or lie over it, as their providers build them."""

from __future__ import annotations

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.answer import Answer, redirect, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document

_LEGAL = "Our terms explain how requests are assessed and what is stored about them. " * 70


def _challenge(
    name: str,
    language: str,
    rule: str,
    *,
    title: str,
    body: str,
    status: int = 200,
    browser: bool = False,
) -> Fixture:
    return Fixture(
        f"challenge-{name}",
        f"/fixtures/challenge-{name}",
        language,
        "challenge",
        lambda _: respond(document(title, body, language=language), status),
        rule=rule,
        browser=browser,
    )


def _over_a_listing(number: str, overlay: str) -> Answer:
    return respond(pages.listing(BY_ID[number], "http://127.0.0.1", consent="", more=overlay))


_OVERLAY = (
    '<div style="position:fixed;inset:0;background:#0009;z-index:99"><div role="dialog" style="background:#fff;'
    'max-width:380px;margin:30vh auto;padding:24px">{}</div></div>'
)

CHALLENGES: tuple[Fixture, ...] = (
    _challenge(
        "cloudflare",
        "en",
        "cloudflare-challenge",
        title="Just a moment...",
        body="<h1>market.example</h1><p>Verifying you are human. This may take a few seconds.</p><script>"
        "window._cf_chl_opt={cType:'managed',cRay:'0'}</script>",
        status=403,
    ),
    _challenge(
        "datadome",
        "en",
        "datadome-challenge",
        title="market.example",
        body="<p>Please enable JS and disable any ad blocker</p><script>var dd={'rt':'c','host':'x'}</script>",
        status=403,
    ),
    _challenge(
        "perimeterx",
        "en",
        "perimeterx-challenge",
        title="Access to this page has been denied",
        body='<h1>Press &amp; Hold to confirm you are a human (and not a bot).</h1><div id="px-captcha"></div>',
        status=403,
    ),
    _challenge(
        "amazon",
        "en",
        "amazon-check",
        title="Amazon.com",
        body="<h4>Click the button below to continue shopping</h4><form action='/errors/validateCaptcha'>"
        "<button>Continue shopping</button></form>",
    ),
    _challenge(
        "hcaptcha",
        "en",
        "captcha-widget",
        title="One more step",
        body='<h1>One more step</h1><p>Solve this puzzle.</p><div class="h-captcha" data-sitekey="x"></div>',
    ),
    _challenge(
        "long-page",
        "en",
        "challenge-title",
        title="Security Check",
        body=f"<p>{_LEGAL}</p><p>Complete the puzzle above.</p>",
    ),
    Fixture(
        "challenge-ebay",
        "/fixtures/challenge-ebay",
        "en",
        "challenge",
        lambda _: redirect("/splashui/challenge?ap=1"),
        rule="ebay-check",
    ),
    Fixture(
        "challenge-ebay-target",
        "/splashui/challenge?ap=1",
        "en",
        "challenge",
        lambda _: respond(document("eBay", "<p>Checking your browser before you access eBay.</p>")),
        rule="ebay-check-text",
    ),
    _challenge(
        "akamai-zh",
        "zh-CN",
        "akamai-challenge",
        title="集市",
        body='<div id="sec-if-cpt-container"><p>请稍候，正在检查您的连接。</p></div>',
        status=403,
    ),
    _challenge(
        "slider-zh",
        "zh-CN",
        "challenge-text",
        title="验证",
        body='<p>亲，请按住滑块，拖动到最右边</p><div class="nc_wrapper" id="nc_1_wrapper"></div>',
    ),
    _challenge(
        "geetest-zh",
        "zh-CN",
        "captcha-widget",
        title="集市",
        body='<p>点击按钮继续访问</p><div class="geetest_holder geetest_wind"></div>',
    ),
    _challenge(
        "text-zh",
        "zh-CN",
        "challenge-text",
        title="访问受限",
        body="<h1>您的访问过于频繁，请完成验证后继续</h1><p>请输入图中验证码：<input name='code'></p>",
    ),
    _challenge(
        "refused-zh",
        "zh-CN",
        "challenge-refused",
        title="403",
        body="<p>系统检测到机器人行为，请输入验证码。</p>",
        status=403,
    ),
    Fixture(
        "challenge-punish-zh",
        "/fixtures/challenge-punish-zh",
        "zh-CN",
        "challenge",
        lambda _: redirect("/fixtures/_____tmd_____/punish?x5secdata=xa0"),
        rule="aliyun-punish-address",
    ),
    Fixture(
        "challenge-punish-target",
        "/fixtures/_____tmd_____/punish?x5secdata=xa0",
        "zh-CN",
        "challenge",
        lambda _: respond(document("验证码拦截", '<div id="nocaptcha"></div><p>请拖动下方滑块完成验证</p>')),
        rule="challenge-title",
    ),
    Fixture(
        "challenge-baxia-zh",
        "/fixtures/challenge-baxia-zh",
        "zh-CN",
        "challenge",
        lambda _: _over_a_listing(
            "200103", '<div class="baxia-dialog auto" style="position:fixed;inset:0;background:#000c"></div>'
        ),
        rule="aliyun-punish",
    ),
    Fixture(
        "challenge-dialog-en",
        "/fixtures/challenge-dialog-en",
        "en",
        "challenge",
        lambda _: _over_a_listing("100203", _OVERLAY.format("<p>Slide to verify that you are human</p>")),
        rule="challenge-dialog",
        browser=True,
    ),
)
