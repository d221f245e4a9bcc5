"""No address that is not public, in whatever notation; exceptions are named, never guessed."""

from __future__ import annotations

import pytest

from evidence_service.egress.policy import EgressPolicy, check_url, resolve
from evidence_service.errors import PolicyRefusedError, RefusedError, UnavailableError

REFUSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "100.127.255.255", "169.254.169.254", "192.0.0.8", "192.0.2.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::a9fe:a9fe", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:a9fe:a9fe::", "2002:7f00:1::", "fc00::1",
    "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "3fff::1", "5f00::1",
]  # fmt: skip


def policy(*addresses: str, exceptions: frozenset[tuple[str, int]] = frozenset()) -> EgressPolicy:
    return EgressPolicy(exceptions, lambda host, port: addresses)


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
        "http://0/", "http://169.254.169.254/latest/meta-data",
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
        "http://[fe80::1%25eth0]/", "http://%31%32%37.0.0.1/",
    ],
)  # fmt: skip
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        check_url(url, policy("8.8.8.8"))
    assert "secret" not in refusal.value.message


def test_an_exception_counts_for_its_host_and_port_alone() -> None:
    exceptions = frozenset({("127.0.0.1", 8000)})
    assert EgressPolicy(exceptions, resolve).permit("127.0.0.1", 8000) == ["127.0.0.1"]
    with pytest.raises(PolicyRefusedError):
        EgressPolicy(exceptions, resolve).permit("127.0.0.1", 8001)
    with pytest.raises(PolicyRefusedError):
        EgressPolicy(exceptions, resolve).permit("localhost", 8000)


def test_a_name_that_does_not_resolve_is_a_matter_of_availability() -> None:
    with pytest.raises(UnavailableError):
        EgressPolicy().permit("nothing.invalid", 80)
    check_url("http://nothing.invalid/", EgressPolicy())
