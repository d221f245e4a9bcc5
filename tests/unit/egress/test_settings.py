"""Settings become the one policy, and what cannot be used is named before anything starts."""

from __future__ import annotations

import ipaddress

import pytest

from evidence_service.bootstrap import egress_policy
from evidence_service.config import Settings
from evidence_service.errors import ConfigurationError


def test_the_policy_is_what_the_settings_say() -> None:
    policy = egress_policy(
        Settings(
            egress_exceptions=["Shop.Internal:8443", "[::1]:80"],
            egress_denied=["8.8.8.0/24"],
            nameservers=["9.9.9.9", "[2620:fe::fe]:5353"],
        )
    )
    assert policy.exceptions == {("shop.internal", 8443), ("::1", 80)}
    assert policy.denied == (ipaddress.ip_network("8.8.8.0/24"),)
    assert policy.nameservers == ("9.9.9.9", "[2620:fe::fe]:5353")


@pytest.mark.parametrize(
    ("name", "value"),
    [("egress_exceptions", "8000"), ("egress_denied", "10.0.0.1/8"), ("nameservers", "dns.example")],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=value):
        egress_policy(Settings(**{name: [value]}))
