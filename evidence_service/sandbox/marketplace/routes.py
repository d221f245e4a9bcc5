"""Which page is where in the sample marketplace."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.answer import (
    Answer,
    Asked,
    Frames,
    redirect,
    respond,
    slow,
    stalled,
)
from evidence_service.sandbox.marketplace.catalogue import BY_ID, LISTINGS
from evidence_service.sandbox.marketplace.fixtures import FIXTURES
from evidence_service.sandbox.marketplace.outcomes.listings import STATE_PATH, state_fetched
from evidence_service.sandbox.marketplace.pictures import picture

_JPEG = "image/jpeg"


def answer(asked: Asked) -> Answer:
    """The answer to a request: a fixture's, or the marketplace's own."""
    fixture = _by_path().get(asked.target)
    if fixture is not None:
        return fixture(asked)
    if asked.target == STATE_PATH:
        return state_fetched(asked)
    part, _, rest = asked.target.split("?")[0].strip("/").partition("/")
    return _ROUTES.get(part, _missing)(asked, rest)


@cache
def _by_path() -> dict[str, Callable[[Asked], Answer]]:
    return {fixture.path: fixture.answer for fixture in FIXTURES if not fixture.refused}


def _missing(*_: object) -> Answer:
    return respond(pages.missing(), 404)


def _item(asked: Asked, listing_id: str) -> Answer:
    item = BY_ID.get(listing_id)
    if item is None:
        return respond(pages.missing(), 404)
    if item.state == "removed":
        return respond(pages.removed(), 410)
    if item.state == "challenge":
        return respond(pages.challenge(), 403)
    if item.state == "login":
        return redirect(f"/login?next=/item/{item.id}")
    # Two cookies, two header lines: a recorder that merges them changes the evidence.
    cookies = [("Set-Cookie", "visit=1; Path=/"), ("Set-Cookie", "basket=empty; Path=/; HttpOnly")]
    return respond(pages.listing(item, asked.origin), headers=cookies)


def _picture(_asked: Asked, rest: str) -> Answer:
    """A listing's picture; ``slow``, ``stalled``, ``broken`` and ``missing`` before it say how it arrives."""
    manner, _, name = rest.partition("/")
    if manner not in _MANNERS:
        manner, name = "", rest
    listing_id, _, file = name.partition("/")
    item, number = BY_ID.get(listing_id), file.removesuffix(".jpg")
    if item is None or not number.isdecimal() or int(number) > max(item.pictures, 30):
        return respond(pages.missing(), 404)
    if not manner and int(number) > item.pictures:
        return respond(pages.missing(), 404)
    return _MANNERS[manner](picture(item.motif, item.colour, int(number) % 12, item.brand))


_MANNERS: dict[str, Callable[[bytes], Answer]] = {
    "": lambda data: respond(data, media_type=_JPEG),
    "many": lambda data: respond(data, media_type=_JPEG),
    "slow": lambda data: slow(respond(data, media_type=_JPEG), 1.0),
    "stalled": lambda data: stalled(data[:2_000], missing=len(data) - 2_000, media_type=_JPEG),
    "broken": lambda data: respond(b"no picture at all", media_type=_JPEG),
    "missing": lambda _: respond(pages.missing(), 404),
}


def _shop(_: Asked, shop_id: str) -> Answer:
    items = [item for item in LISTINGS if item.shop.id == shop_id and item.state == "on_sale"]
    return respond(pages.shop(items[0].shop.name, items)) if items else respond(pages.missing(), 404)


def _live(*_: object) -> Answer:
    return Answer(lambda: iter([Frames(('{"viewers": 12}', '{"viewers": 13, "note": "有人刚刚下单"}'))]), 101)


_ROUTES: dict[str, Callable[[Asked, str], Answer]] = {
    "": lambda *_: respond(pages.home()),
    "style.css": lambda *_: respond(pages.style(), media_type="text/css; charset=utf-8"),
    "login": lambda *_: respond(pages.login()),
    "item": _item,
    "picture": _picture,
    "shop": _shop,
    "live": _live,
}
