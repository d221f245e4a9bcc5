"""How often somebody may ask, and that nobody pays for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import httpx
import pytest
from fastapi import Depends

from evidence_service.api import rates
from evidence_service.api.app import create_app
from evidence_service.api.auth import installed, may
from evidence_service.api.rates import Buckets, Rate, Rates
from tests.running import operator_key, serving
from tests.unit.api.test_conventions import NOWHERE, check_problem

Caller = Annotated[object, may("matters:read")]
Anybody = Annotated[object, Depends(installed)]
SLOW = Rate(0.001, 3)


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_allows_its_burst_and_then_its_rate() -> None:
    clock = Seconds()
    buckets = Buckets(Rate(2, 3), clock=clock)
    assert [buckets.take("a").left for _ in range(3)] == [2, 1, 0]
    refused = buckets.take("a")
    assert (refused.left, refused.wait, refused.full) == (0, 0.5, 1.5)
    assert buckets.take("b").wait == 0, "nobody pays for another"
    clock.now = 0.5
    assert buckets.take("a").wait == 0
    assert buckets.take("a").wait == 0.5
    clock.now = 100
    assert buckets.take("a").left == 2, "no more than the burst is saved"


def test_what_is_full_again_is_forgotten_and_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Seconds()
    buckets = Buckets(Rate(1, 2), clock=clock)
    for number in range(50):
        buckets.take(number)
    clock.now = 5
    buckets.take("last")
    assert set(buckets._kept) == {"last"}
    monkeypatch.setattr(rates, "_MOST", 10)
    for number in range(50):
        buckets.take(number)
    assert set(buckets._kept) == set(range(40, 50))


def asking(rates: Rates, tell: Callable[[httpx.Client], None]) -> None:
    keys = operator_key("one", "a") | operator_key("two", "b", organisation="o-2")
    app = create_app(NOWHERE, keys, rates=rates)

    @app.get("/ping")
    def ping(_: Caller) -> str:
        return "pong"

    @app.get("/open")
    def opened(_: Anybody) -> str:
        return "pong"

    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        tell(client)


def key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def test_each_caller_has_a_rate_of_his_own() -> None:
    def tell(client: httpx.Client) -> None:
        answers = [client.get("/ping", headers=key("one")) for _ in range(4)]
        assert [item.status_code for item in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"caller";q=3;w=3000'
        assert answers[0].headers["ratelimit"] == '"caller";r=2;t=1000'
        check_problem(answers[3], 429, "too-many-requests")
        assert int(answers[3].headers["retry-after"]) in range(990, 1001)
        assert answers[3].headers["ratelimit"].startswith('"caller";r=0;')
        assert client.get("/ping", headers=key("two")).status_code == 200

    asking(Rates(caller=SLOW), tell)


def test_routes_without_a_key_are_counted_by_address() -> None:
    def tell(client: httpx.Client) -> None:
        answers = [client.get("/open") for _ in range(4)]
        assert [item.status_code for item in answers] == [200, 200, 200, 429]
        check_problem(answers[3], 429, "too-many-requests")
        assert client.get("/ping", headers=key("one")).status_code == 200
        assert client.get("/livez").status_code == 200, "whoever restarts the service is not refused"

    asking(Rates(public=SLOW), tell)


def test_guessing_ends_and_locks_nobody_out() -> None:
    def tell(client: httpx.Client) -> None:
        assert client.get("/ping", headers=key("one")).status_code == 200
        wrong = [client.get("/ping", headers=key(f"guess {number}")) for number in range(5)]
        assert [item.status_code for item in wrong] == [401, 401, 401, 429, 429]
        check_problem(wrong[4], 429, "too-many-requests")
        assert client.get("/ping", headers=key("one")).status_code == 200, "it was right from here before"
        assert client.get("/ping", headers=key("two")).status_code == 429, "a right guess is not told"

    asking(Rates(failures=SLOW), tell)


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::"),
        ("a socket", "a socket"),
    ],
)
def test_an_address_is_that_of_a_customer(host: str, counted: str) -> None:
    request = rates.Request({"type": "http", "client": (host, 1), "headers": []})
    assert rates.address_of(request) == counted
