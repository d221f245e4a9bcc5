"""Where a capture may connect to: every address is checked before and after the connection is made.

``ipaddress.is_global`` is no guard: it is true for translated and tunnelled private addresses. The ranges are
listed one by one instead, and what a transition mechanism hides is looked at as well.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evidence_service.errors import PolicyRefusedError, RefusedError, UnavailableError

MAX_URL = 4096

_DENIED = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network, RFC 791"),
        ("10.0.0.0/8", "private, RFC 1918"),
        ("100.64.0.0/10", "shared carrier space, RFC 6598"),
        ("127.0.0.0/8", "loopback, RFC 1122"),
        ("169.254.0.0/16", "link-local and cloud metadata, RFC 3927"),
        ("172.16.0.0/12", "private, RFC 1918"),
        ("192.0.0.0/24", "protocol assignments, RFC 6890"),
        ("192.0.2.0/24", "documentation, RFC 5737"),
        ("192.88.99.0/24", "6to4 relays, RFC 7526"),
        ("192.168.0.0/16", "private, RFC 1918"),
        ("198.18.0.0/15", "benchmarks, RFC 2544"),
        ("198.51.100.0/24", "documentation, RFC 5737"),
        ("203.0.113.0/24", "documentation, RFC 5737"),
        ("224.0.0.0/4", "multicast, RFC 5771"),
        ("240.0.0.0/4", "reserved and broadcast, RFC 1112"),
        ("::/96", "unspecified, loopback and IPv4-compatible, RFC 4291"),
        ("::ffff:0:0/96", "IPv4-mapped, RFC 4291"),
        ("64:ff9b::/96", "NAT64, RFC 6052"),
        ("64:ff9b:1::/48", "local NAT64, RFC 8215"),
        ("100::/64", "discard only, RFC 6666"),
        ("2001::/23", "protocol assignments and Teredo, RFC 2928 and RFC 4380"),
        ("2001:db8::/32", "documentation, RFC 3849"),
        ("2002::/16", "6to4, RFC 3056"),
        ("3fff::/20", "documentation, RFC 9637"),
        ("5f00::/16", "segment routing, RFC 9602"),
        ("fc00::/7", "unique local, RFC 4193"),
        ("fe80::/10", "link-local, RFC 4291"),
        ("fec0::/10", "site-local, RFC 3879"),
        ("ff00::/8", "multicast, RFC 4291"),
    )
)

Resolve = Callable[[str, int], Iterable[str]]
"""Addresses of a host, as text."""


def resolve(host: str, port: int) -> list[str]:
    """Addresses the machine's resolver gives for a host.

    Raises:
        UnavailableError: the name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise UnavailableError(f"{host} does not resolve: {error}") from error
    return list(dict.fromkeys(str(item[4][0]) for item in found))


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Public addresses, and the exceptions named one by one.

    Attributes:
        exceptions: (host, port) pairs that may lead anywhere, for a demonstration or an internal target.
    """

    exceptions: frozenset[tuple[str, int]] = frozenset()
    resolver: Resolve = field(default=resolve)

    def permit(self, host: str, port: int) -> list[str]:
        """Addresses of a host that may be connected to; all of its addresses have to be allowed.

        Raises:
            PolicyRefusedError: one of them is not; names it and the rule.
            UnavailableError: the name does not resolve.
        """
        addresses = list(self.resolver(host, port))
        for address in addresses:
            self.check_address(host, port, address)
        return addresses

    def check_address(self, host: str, port: int, address: str) -> None:
        """Check one address of a host, before or after connecting.

        Raises:
            PolicyRefusedError: it is in a denied range.
        """
        if (host.lower().rstrip("."), port) in self.exceptions:
            return
        parsed = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
        for network, why in _DENIED:
            if parsed.version == network.version and parsed in network:
                raise PolicyRefusedError(
                    f"{host}:{port} leads to {address}, which is not public ({why})",
                    what_to_do="capture a public address, or make this host and port an egress exception",
                )


def check_url(url: str, policy: EgressPolicy) -> None:
    """Refuse a URL that cannot or must not be captured, before any work is accepted.

    Raises:
        RefusedError: not an http or https URL of a sane form.
        PolicyRefusedError: it leads where captures may not go.
    """
    if len(url) > MAX_URL or any(character <= " " or character == "\x7f" for character in url):
        raise RefusedError(f"the URL is longer than {MAX_URL} characters, or has white space in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedError(f"this is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(
            "only http and https URLs can be captured", what_to_do="give the listing's full address"
        )
    if "%" in parts.hostname:
        raise RefusedError("the URL's host is percent-encoded or names a network interface")
    if parts.username is not None or parts.password is not None:
        raise RefusedError("the URL holds a user name or password", what_to_do="leave them out")
    try:
        policy.permit(parts.hostname, port or (443 if parts.scheme == "https" else 80))
    except PolicyRefusedError:
        raise
    except UnavailableError:
        # Whether the name resolves at the time of capture is for the capture to find out and record.
        return
