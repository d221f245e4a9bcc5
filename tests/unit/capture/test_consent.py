"""Consent dialogs are dismissed, refused where that is possible; nothing else is ever pressed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_service.capture.steps.consent import dismiss_consent
from tests.capture.serving import Browsing, Pages, browsing

FIXED = "position:fixed;bottom:0;left:0;right:0;background:#ddd;padding:20px"
# Every button says which one it was; the dialog goes away with it.
SCRIPT = """<script>
document.addEventListener('click', (event) => {
  const button = event.composedPath().find((node) => node.dataset && node.dataset.b);
  if (!button) return;
  (window.top || window).postMessage(button.dataset.b, '*');
  const root = button.getRootNode();
  (root.host || button.closest('[data-dialog]')).remove();
});
window.pressed = [];
window.addEventListener('message', (event) => { pressed.push(event.data); document.querySelector('iframe')?.remove(); });
</script>"""


def page(body: str) -> str:
    return f"<!doctype html><html><body><h1>Lamp</h1><p>12.00</p>{body}{SCRIPT}</body></html>"


def dialog(text: str, *buttons: str, attributes: str = f'style="{FIXED}"') -> str:
    made = "".join(f'<button data-b="{name}">{name}</button>' for name in buttons)
    return page(f"<div data-dialog {attributes}><p>{text}</p>{made}</div>")


def shadow(host: str, inner: str) -> str:
    return page(
        f"{host}<script>document.querySelector('[data-host]').attachShadow({{mode: 'open'}}).innerHTML = "
        f"{json.dumps(inner)};</script>"
    )


DISMISSED: dict[str, tuple[str, str, str]] = {
    # name: (page, button that has to be pressed, choice)
    "english": (dialog("We use cookies to improve your visit.", "Accept all", "Reject all"), "Reject all", "refused"),
    "english-necessary": (dialog("We value your privacy and use cookies.", "Allow all", "Only necessary cookies"), "Only necessary cookies", "refused"),
    "english-accept-only": (dialog("This site uses cookies.", "Got it"), "Got it", "accepted"),
    "chinese": (dialog("我们使用 Cookie 来改善您的体验。", "全部接受", "拒绝所有"), "拒绝所有", "refused"),
    "chinese-necessary": (dialog("本站使用 Cookie 与隐私设置", "同意", "仅必要"), "仅必要", "refused"),
    "german": (dialog("Wir verwenden Cookies. Datenschutz ist uns wichtig.", "Alle akzeptieren", "Alle ablehnen"), "Alle ablehnen", "refused"),
    "german-necessary": (dialog("Wir nutzen Cookies und bitten um Ihre Einwilligung.", "Zustimmen", "Nur notwendige Cookies"), "Nur notwendige Cookies", "refused"),
    "french": (dialog("Nous utilisons des cookies.", "Tout accepter", "Continuer sans accepter"), "Continuer sans accepter", "refused"),
    "french-refuse": (dialog("Votre vie privée : cookies et consentement", "J'accepte", "Tout refuser"), "Tout refuser", "refused"),
    "aria": (dialog("Your privacy choices", "Agree", "Disagree", attributes='role="dialog" aria-modal="true"'), "Disagree", "refused"),
    "OneTrust": (page('<div id="onetrust-banner-sdk" data-dialog><p>Cookies</p><button data-b="yes" id="onetrust-accept-btn-handler">Okey-dokey</button><button data-b="no" id="onetrust-reject-all-handler">Nope</button></div>'), "no", "refused"),
    "Cookiebot": (page('<div id="CybotCookiebotDialog" data-dialog><p>Cookies</p><button data-b="no" id="CybotCookiebotDialogBodyButtonDecline">Afvis</button><button data-b="yes">Tillad</button></div>'), "no", "refused"),
    "Didomi": (page('<div id="didomi-host"><div id="didomi-popup" data-dialog><p>Cookies</p><button data-b="yes">Agree and close</button><button data-b="no" id="didomi-notice-disagree-button">Disagree and close</button></div></div>'), "no", "refused"),
    "Quantcast": (page(f'<div class="qc-cmp2-container" data-dialog style="{FIXED}"><p>We value your privacy</p><button data-b="more">MORE OPTIONS</button><button data-b="no">DISAGREE</button><button data-b="yes">AGREE</button></div>'), "no", "refused"),
    "Usercentrics": (shadow('<div id="usercentrics-root" data-host></div>', f'<div data-testid="uc-app-container" style="{FIXED}"><p>Privacy</p><button data-b="yes" data-testid="uc-accept-all-button">Alles klar</button><button data-b="no" data-testid="uc-deny-all-button">Lieber nicht</button></div>'), "no", "refused"),
    "unknown-in-shadow": (shadow("<my-consent data-host></my-consent>", f'<div style="{FIXED}"><p>We use cookies.</p><button data-b="yes">Accept</button><button data-b="no">Decline</button></div>'), "no", "refused"),
    "Sourcepoint": (page(f'<div style="{FIXED}" id="sp_message_container_1"><iframe id="sp_message_iframe_1" src="/sourcepoint" width="600" height="200"></iframe></div>'), "no", "refused"),
}  # fmt: skip

LEFT_ALONE: dict[str, str] = {
    "age": dialog("Are you over 18? We use cookies.", "Yes", "OK"),
    "age-german": dialog("Bitte bestätigen: Sie sind volljährig. Wir verwenden Cookies.", "Akzeptieren"),
    "age-chinese": dialog("您已年满18岁吗？本站使用 Cookie", "同意"),
    "basket": dialog("Cookie tin, we use consent lids. Add to cart", "OK", "Accept"),
    "price": dialog("We use cookies for this offer: € 12.00", "Accept"),
    "terms": dialog("By going on you agree to our Terms of Service and the use of cookies.", "I agree"),
    "terms-chinese": dialog("请阅读《用户协议》与《隐私政策》", "同意"),
    "newsletter": page(f'<div style="{FIXED}" data-dialog>Privacy settings <input type="email"><button data-b="OK">OK</button></div>'),
    "in-the-text": page('<p data-dialog>We use cookies. <button data-b="Accept">Accept</button></p>'),
    "link": page(f'<div style="{FIXED}" data-dialog>We use cookies. <a data-b="OK" href="/buy">OK</a></div>'),
    "other-words": dialog("We use cookies.", "Accept the offer and buy", "Reject all other sellers"),
    "no-dialog": page(""),
}  # fmt: skip

SOURCEPOINT = (
    "<!doctype html><body><div data-dialog><p>We and our partners use cookies.</p>"
    f'<button data-b="yes">Accept all</button><button data-b="no">Reject all</button></div>{SCRIPT}</body>'
)


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    answers = {f"/{name}": body for name, (body, _, _) in DISMISSED.items()}
    with Pages(
        {**answers, **{f"/{name}": body for name, body in LEFT_ALONE.items()}, "/sourcepoint": SOURCEPOINT}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser(pages: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    with browsing(pages, tmp_path_factory.mktemp("consent")) as running:
        yield running


@pytest.mark.parametrize("name", DISMISSED)
def test_a_consent_dialog_is_dismissed(browser: Browsing, tmp_path: Path, name: str) -> None:
    _, button, choice = DISMISSED[name]
    with browser.visit(f"/{name}", tmp_path) as (visit, _):
        visit.page.wait_for_load_state("load")
        dismiss_consent(visit)
        assert visit.page.evaluate("pressed") == [button]
    (entry,) = [entry for entry in visit.log.entries if entry["action"] == "consent"]
    assert entry["choice"] == choice
    assert entry["button"] in entry["detail"]
    assert [item.role for item in visit.files.all()] == [
        "screenshot.after_consent",
        "screenshot.before_consent",
    ]


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_nothing_else_is_pressed(browser: Browsing, tmp_path: Path, name: str) -> None:
    with browser.visit(f"/{name}", tmp_path) as (visit, _):
        visit.page.wait_for_load_state("load")
        dismiss_consent(visit)
        assert visit.page.evaluate("pressed") == []
        assert visit.page.url.endswith(f"/{name}")
        assert visit.log.entries[-1]["detail"] == "no consent dialog was seen"
