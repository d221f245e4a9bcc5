"""Outcomes: doubt always decides against "captured"."""

from __future__ import annotations

import pytest

from evidence_service.capture.listing import read_listing
from evidence_service.capture.outcome import Observation, classify

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
        (seen(text="A short page"), "captured"),
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


def test_a_malformed_block_does_not_take_the_others_along() -> None:
    page = (
        '<script type="application/ld+json">{"@type": "Product", "name": </script>'
        '<script type="application/ld+json">{"@type": "Product", "name": "Bag", "offers": '
        '[{"price": 12.5, "priceCurrency": "EUR", "seller": "Shop"}]}</script>'
    )
    facts = read_listing(page, ITEM)
    assert facts["title"] == {"value": "Bag", "read_from": "JSON-LD block 2, name"}
    assert facts["price"]["value"] == "12.5"
    assert facts["seller_name"]["value"] == "Shop"


@pytest.mark.parametrize("page", ["", "\x00", "<", "plain words", "<h1>Only a heading</h1>"])
def test_unknown_stays_unknown(page: str) -> None:
    facts = read_listing(page, ITEM)
    assert facts["platform"]["value"] == "shop.example"
    assert "price" not in facts
