"""Outcomes: doubt always decides against "captured"."""

from __future__ import annotations

import pytest

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
