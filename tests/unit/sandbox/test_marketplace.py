"""The sample marketplace holds what the demonstration and the tests of capture count on."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from evidence_service.sandbox.marketplace import Marketplace
from evidence_service.sandbox.marketplace.catalogue import LISTINGS


@pytest.fixture(scope="module")
def marketplace() -> Iterator[Marketplace]:
    with Marketplace() as running:
        yield running


def test_it_has_eight_listings_on_sale_in_two_languages() -> None:
    on_sale = [item for item in LISTINGS if item.state == "on_sale"]
    assert len(on_sale) >= 8
    assert {item.language for item in on_sale} == {"en", "zh-CN"}
    assert all(len(item.variants) >= 2 for item in on_sale)


@pytest.mark.parametrize("item", LISTINGS, ids=lambda item: item.id)
def test_every_listing_answers_as_its_state_says(marketplace: Marketplace, item) -> None:
    answer = httpx.get(marketplace.listing_url(item.id))
    assert answer.status_code == {"on_sale": 200, "removed": 410, "login": 302, "challenge": 403}[item.state]
    if item.state == "on_sale":
        assert "application/ld+json" in answer.text
        assert "og:title" in answer.text
        assert answer.text.count('loading="lazy"') == item.pictures
        assert 'id="consent"' in answer.text


def test_pictures_are_the_same_every_time(marketplace: Marketplace) -> None:
    url = f"{marketplace.url}/picture/100201/2.jpg"
    assert httpx.get(url).content == httpx.get(url).content


@pytest.mark.parametrize(
    "path", ["/item/1", "/picture/100201/99.jpg", "/picture/x/1.jpg", "/shop/none", "/x"]
)
def test_unknown_addresses_are_404(marketplace: Marketplace, path: str) -> None:
    assert httpx.get(marketplace.url + path).status_code == 404
