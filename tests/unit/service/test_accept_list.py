"""A list's addresses are judged as a single order's is."""

from __future__ import annotations

import pytest

from evidence_service.egress.policy import EgressPolicy, check_url
from evidence_service.egress.resolver import Resolution
from evidence_service.errors import RefusedError
from evidence_service.service.accept_list import looked_up


@pytest.mark.parametrize(
    "url", ["http://shop.test:0/", "https://shop.test:0/", "http://shop.test:22/", "http://10.0.0.1/"]
)
def test_what_one_order_refuses_a_list_refuses(url: str) -> None:
    policy = EgressPolicy(resolver=lambda host, port: Resolution(("8.8.8.8",), "test"))
    for judge in (policy, looked_up(policy, ["https://shop.test/", url])):
        check_url("https://shop.test/", policy)
        with pytest.raises(RefusedError):
            check_url(url, judge)
