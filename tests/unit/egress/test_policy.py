"""No address that is not public, in whatever notation; exceptions are named, never guessed."""

from __future__ import annotations

import json

import pytest

from evidence_service.egress import policy as rules
from evidence_service.egress.addresses import is_own, parse_address
from evidence_service.egress.policy import EgressPolicy, check_url, parse_exception, parse_networks
from evidence_service.egress.resolver import Resolution
from evidence_service.errors import ConfigurationError, PolicyRefusedError, RefusedError, UnavailableError

REFUSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "100.127.255.255", "169.254.169.254", "192.0.0.8", "192.0.2.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::a9fe:a9fe", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:a9fe:a9fe::", "2002:7f00:1::", "fc00::1",
    "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "3fff::1", "5f00::1",
    "168.63.129.16", "192.31.196.1", "192.52.193.1", "192.175.48.1", "192.0.0.9", "100.100.100.200",
    "::ffff:0:a9fe:a9fe", "100:0:0:1::1", "2620:4f:8000::1", "3ffe::1", "4000::1", "e000::1", "fd00:ec2::254",
    "2606:4700::5efe:a9fe:a9fe", "2606:4700::200:5efe:7f00:1",
]  # fmt: skip


def policy(*addresses: str, exceptions: frozenset[tuple[str, int]] = frozenset()) -> EgressPolicy:
    return EgressPolicy(exceptions, resolver=lambda host, port: Resolution(addresses, "test"))


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(PolicyRefusedError, match="not public"):
        policy(address).permit("shop.example", 443)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00:1450::5"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert policy(address).permit("shop.example", 443) == [address]


def test_one_private_answer_among_public_ones_is_refused() -> None:
    with pytest.raises(PolicyRefusedError, match=r"10\.0\.0\.1"):
        policy("8.8.8.8", "10.0.0.1").permit("shop.example", 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/",
        "http://localhost/", "http://LOCALHOST/", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
        "http://0/", "http://127.0.0.1./", "http://①②⑦.⓪.⓪.①/", "http://localhost./", "http://169.254.169.254/latest/meta-data",
    ],
)  # fmt: skip
def test_every_notation_of_loopback_and_metadata_is_refused(url: str) -> None:
    with pytest.raises(PolicyRefusedError):
        check_url(url, EgressPolicy())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/", "file:///etc/passwd", "javascript:alert(1)", "shop.example", "http://",
        "http://user@shop.example/", "http://user:secret@shop.example/", "http://shop.example/a b",
        "http://shop.example:99999/", "http://shop.example/\n", "https://shop.example/" + "a" * 5000, "",
        "http://shop.example\\@127.0.0.1/", "http://1.2.3.4.5/", "http://a..b/",
        "http://[fe80::1%25eth0]/", "http://%31%32%37.0.0.1/",
    ],
)  # fmt: skip
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        check_url(url, policy("8.8.8.8"))
    assert "secret" not in refusal.value.message


def test_an_exception_counts_for_its_host_and_port_alone() -> None:
    exceptions = frozenset({("127.0.0.1", 8000)})
    assert EgressPolicy(exceptions).permit("127.0.0.1", 8000) == ["127.0.0.1"]
    with pytest.raises(PolicyRefusedError):
        EgressPolicy(exceptions).permit("127.0.0.1", 8001)
    with pytest.raises(PolicyRefusedError):
        EgressPolicy(exceptions).permit("localhost", 8000)


def test_a_port_of_another_protocol_is_refused_unless_it_is_an_exception() -> None:
    for port in (22, 25, 6667):
        with pytest.raises(PolicyRefusedError, match="another protocol"):
            policy("8.8.8.8").permit("shop.example", port)
    assert policy("8.8.8.8", exceptions=frozenset({("shop.example", 25)})).permit("shop.example", 25)


def test_an_exception_is_compared_as_browsers_read_hosts() -> None:
    exceptions = frozenset({("Bücher.example.", 8000)})
    assert policy("127.0.0.1", exceptions=exceptions).permit("xn--bcher-kva.EXAMPLE", 8000) == ["127.0.0.1"]


def test_networks_of_ones_own_can_be_denied() -> None:
    denied = parse_networks(["8.8.8.0/24", "2606:4700::/32"])
    for address in ("8.8.8.8", "2606:4700::1"):
        with pytest.raises(PolicyRefusedError, match="configuration"):
            EgressPolicy(denied=denied).permit(address, 80)


def test_a_public_address_of_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "is_own", lambda address: str(address) == "8.8.8.8")
    with pytest.raises(PolicyRefusedError, match="own address"):
        EgressPolicy().permit("8.8.8.8", 80)
    assert EgressPolicy().permit("8.8.4.4", 80) == ["8.8.4.4"]


def test_own_addresses_are_recognised_without_sending_anything() -> None:
    assert is_own(parse_address("127.0.0.1"))
    assert not is_own(parse_address("192.0.2.250"))


def test_a_policy_survives_its_json_form() -> None:
    whole = EgressPolicy(
        frozenset({("127.0.0.1", 8000), ("::1", 80)}), ("9.9.9.9:53",), parse_networks(["8.8.8.0/24"])
    )
    assert EgressPolicy.from_json(json.loads(json.dumps(whole.to_json()))) == whole
    assert whole.printed_exceptions == ("127.0.0.1:8000", "[::1]:80")


@pytest.mark.parametrize("text", ["8000", ":80", "host:", "host:0", "host:x", "a b:80", "host:70000"])
def test_an_exception_has_to_be_host_and_port(text: str) -> None:
    with pytest.raises(ConfigurationError, match="egress exception"):
        parse_exception(text)


def test_exceptions_and_networks_are_read_from_settings() -> None:
    assert parse_exception("[::1]:80") == ("::1", 80)
    assert parse_exception("Shop.Internal:8443") == ("shop.internal", 8443)
    with pytest.raises(ConfigurationError, match="network"):
        parse_networks(["10.0.0.1/8"])


def test_a_name_that_does_not_resolve_is_a_matter_of_availability() -> None:
    with pytest.raises(UnavailableError):
        EgressPolicy().permit("nothing.invalid", 80)
    check_url("http://nothing.invalid/", EgressPolicy())


@pytest.mark.parametrize(
    ("url", "words", "advice"),
    [
        (
            "shop.example/item/3",
            "only http and https",
            "begin with https://, as in https://shop.example/item/3",
        ),
        ("shop.example:8443/item/3", "only http and https", "begin with https://"),
        ("ftp://shop.example/", "only http and https", "the listing's full address"),
        ("https://shop.example/a b", "has white space", "%20"),
        ("https://shop.example/" + "a" * 9000, "is longer than", "leave out"),
        ("https://[::1", "not a URL", "address bar"),
        ("https://shop.example:22/", "another protocol", "leave the port out"),
    ],
)
def test_what_is_wrong_with_a_url_comes_with_what_to_do(url: str, words: str, advice: str) -> None:
    with pytest.raises(RefusedError, match=words) as caught:
        check_url(url, EgressPolicy())
    assert advice in caught.value.what_to_do
