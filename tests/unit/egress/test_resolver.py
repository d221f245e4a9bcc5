"""Nameservers by name are asked instead of the machine, and the answer says who gave it."""

from __future__ import annotations

import pytest

from evidence_service.egress.policy import EgressPolicy
from evidence_service.egress.resolver import NameserverResolver, parse_nameserver, system_resolver
from evidence_service.errors import ConfigurationError, PolicyRefusedError, UnavailableError
from tests.nameserver import Nameserver

ZONES = {
    "shop.test": (("A", "8.8.8.8"), ("A", "8.8.4.4"), ("AAAA", "2606:4700::1")),
    "six.test": (("AAAA", "2606:4700::2"),),
    "alias.test": (("CNAME", "inside.test."),),
    "inside.test": (("A", "10.0.0.1"),),
    "empty.test": (),
}


def test_all_addresses_of_both_families_and_who_said_so() -> None:
    with Nameserver(ZONES) as server:
        found = NameserverResolver([server.address])("shop.test", 443)
        assert sorted(found.addresses[:2]) == ["8.8.4.4", "8.8.8.8"]
        assert found.addresses[2:] == ("2606:4700::1",)
        assert found.asked == f"nameserver {server.address}"
        assert NameserverResolver([server.address])("six.test", 443).addresses == ("2606:4700::2",)


@pytest.mark.parametrize("name", ["empty.test", "unknown.test"])
def test_a_name_without_an_address_is_a_matter_of_availability(name: str) -> None:
    with Nameserver(ZONES) as server, pytest.raises(UnavailableError, match=name):
        NameserverResolver([server.address])(name, 443)


def test_a_silent_nameserver_ends_in_time() -> None:
    with pytest.raises(UnavailableError, match=r"shop\.test"):
        NameserverResolver(["127.0.0.1:9"], lifetime=0.2)("shop.test", 443)


def test_an_alias_that_leads_inside_is_refused() -> None:
    with Nameserver(ZONES) as server, pytest.raises(PolicyRefusedError, match=r"10\.0\.0\.1"):
        EgressPolicy(nameservers=(server.address,)).permit("alias.test", 443)


def test_the_policy_asks_its_nameservers_and_not_for_literals() -> None:
    with Nameserver(ZONES) as server:
        policy = EgressPolicy(nameservers=(server.address,))
        assert "8.8.8.8" in policy.look_up("Shop.Test.", 443).addresses
        assert policy.look_up("0x08080808", 443).asked == "literal"
        assert {name for name, _ in server.asked} == {"shop.test"}


def test_the_machines_own_resolver_is_the_default() -> None:
    assert "127.0.0.1" in system_resolver("localhost", 80).addresses
    with pytest.raises(UnavailableError):
        EgressPolicy().look_up("nothing.invalid", 80)


def test_loopback_names_are_not_asked_for() -> None:
    with Nameserver(ZONES) as server:
        for name in ("localhost", "shop.localhost."):
            found = EgressPolicy(nameservers=(server.address,)).look_up(name, 80)
            assert found.addresses == ("127.0.0.1", "::1")
        assert server.asked == []


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)), ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("2620:fe::fe", ("2620:fe::fe", 53)), ("[2620:fe::fe]:5353", ("2620:fe::fe", 5353)),
    ],
)  # fmt: skip
def test_nameservers_are_addresses(text: str, parsed: tuple[str, int]) -> None:
    assert parse_nameserver(text) == parsed


@pytest.mark.parametrize("text", ["dns.example", "", "9.9.9.9:0", "9.9.9.9:x", "9.9.9.9:99999", "[::g]"])
def test_anything_else_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_nameserver(text)
