"""Outcomes: doubt always decides against "captured"."""

from __future__ import annotations

import pytest

from evidence_service.capture.outcome import Observation, classify
from evidence_service.capture.outcome_rules import rules

ITEM = "https://shop.example/item/1"
LONG = "A long description of goods. " * 200


def seen(**more) -> Observation:
    members = {
        "requested_url": ITEM,
        "final_url": ITEM,
        "status": 200,
        "text": LONG,
        "html": "<html></html>",
        "password_fields": 0,
    }
    return Observation(**(members | more))


@pytest.mark.parametrize(
    ("observation", "status"),
    [
        (seen(), "captured"),
        (seen(text="A short page", html="<img>"), "captured"),
        (seen(text="A short page"), "partial"),
        (seen(text=LONG + " security check passed, no longer available in red"), "captured"),
        (seen(text="Please verify you are human"), "challenge"),
        (seen(text="", html='<div id="px-captcha"></div>'), "challenge"),
        (seen(status=403, text=LONG + "captcha"), "challenge"),
        (seen(status=403, text="Forbidden"), "http_error"),
        (seen(status=500), "http_error"),
        (seen(status=401, text="x"), "auth_wall"),
        (seen(final_url="https://passport.example/signin?x=1", text="x"), "auth_wall"),
        (seen(text="Log in", password_fields=1), "auth_wall"),
        (seen(text=LONG, password_fields=1), "captured"),
        (seen(status=404), "removed"),
        (seen(status=410), "removed"),
        (seen(text="该商品已下架"), "removed"),
        (seen(final_url="https://shop.example/"), "removed"),
        (seen(limits=["more than 300 exchanges"]), "partial"),
        (seen(incomplete=["1 of 9 pictures did not load"]), "partial"),
        (seen(status=None), "partial"),
        (seen(failure="shop.example does not resolve"), "blocked"),
    ],
)
def test_the_outcome_follows_from_what_was_seen(observation: Observation, status: str) -> None:
    found = classify(observation)
    assert found.status == status
    assert bool(found.reasons) == (status != "captured")


PRODUCT = '<script type="application/ld+json">{"@type":"Product","name":"Quilted chain bag","offers":{"price":"68.90"}}</script>'
SHOWN = "Quilted chain bag 68.90 USD "


@pytest.mark.parametrize(
    ("observation", "status"),
    [
        # Data that the page does not show proves nothing.
        (seen(text="Please log in to continue", html=PRODUCT), "auth_wall"),
        (seen(text=SHOWN + "Please log in to continue", html=PRODUCT), "captured"),
        (seen(text=SHOWN, html=PRODUCT, dialog="Please log in to continue"), "auth_wall"),
        (seen(text=SHOWN, html=PRODUCT, dialog="We use cookies"), "captured"),
        (seen(text=SHOWN, html=PRODUCT, dialog="Hello", dialog_password=True), "auth_wall"),
        (seen(text=SHOWN, html=PRODUCT, title="Just a moment..."), "challenge"),
        (seen(text="W\u202eelcome. Verify\u200f you are human"), "challenge"),
        (seen(text="bestätigen Sie, dass Sie ein Mensch sind"), "challenge"),
        (seen(text="Cette page n'existe plus"), "removed"),
        (seen(text="Cette annonce n'est plus disponible. " + "mot " * 30, html="<img>"), "removed"),
        (seen(text="Dieser Artikel ist nicht mehr verfügbar"), "removed"),
        (seen(text="Este producto ya no está disponible"), "removed"),
        (seen(text="この商品は見つかりませんでした"), "removed"),
        (seen(text="ログインしてください"), "auth_wall"),
        # Led elsewhere: to the start in any form, to another listing, to a page that does not name it.
        (seen(final_url="https://shop.example/en-gb/"), "removed"),
        (seen(final_url="https://shop.example/index.html?x=1"), "removed"),
        (
            seen(
                requested_url="https://shop.example/item/10001", final_url="https://shop.example/item/10002"
            ),
            "removed",
        ),
        (
            seen(requested_url="https://shop.example/item/10001", final_url="https://shop.example/offers"),
            "removed",
        ),
        (
            seen(
                requested_url="https://shop.example/item/10001",
                final_url="https://shop.example/red-bag",
                html="<i>item 10001</i>",
            ),
            "captured",
        ),
        (
            seen(
                requested_url="https://www.ebay.com/itm/385123456789",
                final_url="https://www.ebay.com/itm/385123456780",
                html="385123456789",
            ),
            "removed",
        ),
        (seen(final_url="https://shop.example/item/1#reviews"), "captured"),
        (seen(final_url="https://www.shop.example/item/1"), "captured"),
        (seen(text="", pictures=4), "captured"),
        (seen(text="", pictures=0, html="<img>"), "partial"),
        (seen(status=429, text="slow down"), "http_error"),
        (seen(status=451), "blocked"),
    ],
)
def test_doubt_decides_against_captured(observation: Observation, status: str) -> None:
    assert classify(observation).status == status, classify(observation)


def test_every_reason_cites_a_rule_that_exists() -> None:
    names = {item.name for item in rules()}
    assert len(names) == len(rules())
    found = classify(seen(status=403, text="captcha", limits=["a limit"], incomplete=["a picture"]))
    cited = [reason.rsplit("(rule ", 1)[1].removesuffix(")") for reason in found.reasons]
    assert set(cited) <= names
    assert cited[-2:] == ["limit", "incomplete"]


def test_rules_are_of_known_kinds() -> None:
    for item in rules():
        assert item.look in {"text", "title", "html", "url", "redirect", "dialog", "status", "fixed"}
        assert item.when in {"always", "bare", "opening", "empty", "refused"}
        assert item.status in {"challenge", "auth_wall", "removed", "http_error", "blocked", "partial"}
        assert (item.pattern is not None) == (
            item.look not in ("status", "fixed") or item.name == "redirect-search"
        )
