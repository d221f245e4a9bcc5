"""What arrives in part, or not at all."""

from __future__ import annotations

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.answer import (
    Answer,
    Asked,
    broken_off,
    cut,
    endless,
    respond,
    stalled,
)
from evidence_service.sandbox.marketplace.catalogue import BY_ID, Listing
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document

_BAG, _ZH_BAG = BY_ID["100201"], BY_ID["200101"]


def _with_picture(item: Listing, manner: str, asked: Asked) -> Answer:
    pictures = f'<img width="520" height="520" src="/picture/{manner}/{item.id}/1.jpg" alt="">'
    return respond(pages.listing(item, asked.origin, pictures=pictures))


def _growing(asked: Asked) -> Answer:
    """A page that grows for as long as somebody scrolls."""
    script = (
        "<script>addEventListener('scroll',()=>{const d=document.createElement('div');d.style.height='2600px';"
        "d.textContent='更多推荐';document.querySelector('main').append(d)})</script>"
    )
    return respond(pages.listing(_ZH_BAG, asked.origin, more=script))


def _broken(
    name: str, language: str, outcome: str, rule: str, answer: Answer | None, *, browser: bool = True
) -> Fixture:
    return Fixture(
        f"broken-{name}",
        f"/fixtures/broken-{name}",
        language,
        outcome,
        lambda _: answer or broken_off(reset=False),
        rule=rule,
        browser=browser,
        refused=answer is None,
    )


def _picture(name: str, item: Listing, manner: str) -> Fixture:
    return Fixture(
        f"broken-{name}",
        f"/fixtures/broken-{name}",
        item.language,
        "partial",
        lambda asked: _with_picture(item, manner, asked),
        rule="incomplete",
        browser=True,
    )


_PAGE = pages.listing(_BAG, "http://127.0.0.1")
_ZH_PAGE = pages.listing(_ZH_BAG, "http://127.0.0.1")
_EMPTY = respond(document("Morningbridge", '<div id="root"></div>'))
_LOADING = respond(document("集市", '<div id="root">正在加载…</div>', language="zh-CN"))
_NEEDS_SCRIPT = respond(document("Shop", "<p>You need to enable JavaScript to run this app.</p>"))

BROKEN: tuple[Fixture, ...] = (
    _broken("refused", "en", "blocked", "not-reached", None),
    _broken("closed", "en", "blocked", "not-reached", broken_off(reset=False)),
    _broken("reset-zh", "zh-CN", "blocked", "not-reached", broken_off(reset=True)),
    _broken("cut", "en", "partial", "incomplete", cut(_PAGE, missing=5_000)),
    _broken("cut-zh", "zh-CN", "partial", "incomplete", cut(_ZH_PAGE, missing=5_000)),
    _broken(
        "stalled",
        "en",
        "partial",
        "incomplete",
        stalled(_PAGE.encode(), missing=90_000, media_type="text/html"),
    ),
    _broken(
        "endless",
        "en",
        "partial",
        "limit",
        endless(_PAGE[: _PAGE.index("</main>")], b"<p>and more</p>" * 2_000),
    ),
    _picture("stalled-picture-zh", _ZH_BAG, "stalled"),
    _picture("broken-picture", _BAG, "broken"),
    _picture("missing-picture-zh", _ZH_BAG, "missing"),
    Fixture(
        "broken-growing-zh",
        "/fixtures/broken-growing-zh",
        "zh-CN",
        "partial",
        _growing,
        rule="limit",
        browser=True,
    ),
    _broken("shell", "en", "partial", "empty-shell", _EMPTY, browser=False),
    _broken("loading-zh", "zh-CN", "partial", "loading-page", _LOADING, browser=False),
    _broken("needs-script", "en", "partial", "loading-page", _NEEDS_SCRIPT, browser=False),
)
