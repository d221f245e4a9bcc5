"""Where the service may connect to: every address is checked before and after a connection is made.

The ranges are in ``addresses``, who is asked for addresses in ``resolver``, connections in ``dial``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from evidence_service.egress.addresses import NOT_WEB_PORTS, Network, is_own, parse_address, why_not_public
from evidence_service.egress.hosts import canonical_host, is_address
from evidence_service.egress.resolver import NameserverResolver, Resolution, Resolver, system_resolver
from evidence_service.errors import ConfigurationError, PolicyRefusedError, RefusedError, UnavailableError

MAX_URL = 4096

_WHAT_TO_DO = "use a public address, or make this host and port an egress exception"


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Public addresses of ports browsers speak HTTP to, and the exceptions named one by one.

    Attributes:
        exceptions: (host, port) pairs that may lead anywhere, for a demonstration or an internal target.
        nameservers: who is asked for addresses, ``ADDRESS[:PORT]``; empty asks the machine's own resolver.
        denied: further networks that are not to be reached, though they are public.
        resolver: takes the place of both; it has no JSON form.
    """

    exceptions: frozenset[tuple[str, int]] = frozenset()
    nameservers: tuple[str, ...] = ()
    denied: tuple[Network, ...] = ()
    resolver: Resolver | None = None

    @property
    def printed_exceptions(self) -> tuple[str, ...]:
        """The exceptions as ``host:port``, sorted, as manifests print them."""
        return tuple(f"{_shown(host)}:{port}" for host, port in sorted(self.exceptions))

    def look_up(self, host: str, port: int) -> Resolution:
        """Addresses of a host, not checked yet. Blocks.

        Raises:
            RefusedError: it is not a host.
            UnavailableError: the name does not resolve.
        """
        name = canonical_host(host)
        if is_address(name):
            return Resolution((name,), "literal")
        if name == "localhost" or name.endswith(".localhost"):
            # Loopback by definition, whatever a nameserver says (RFC 6761 section 6.3).
            return Resolution(("127.0.0.1", "::1"), "literal")
        if self.resolver is not None:
            return self.resolver(name, port)
        if self.nameservers:
            return NameserverResolver(self.nameservers)(name, port)
        return system_resolver(name, port)

    def permit(self, host: str, port: int) -> list[str]:
        """Addresses of a host that may be connected to; all of its addresses have to be allowed. Blocks.

        Raises:
            PolicyRefusedError: one of them, or the port, is not; names it and the rule.
            RefusedError: it is not a host.
            UnavailableError: the name does not resolve.
        """
        self.check_port(host, port)
        found = self.look_up(host, port)
        self.check_addresses(host, port, found.addresses)
        return list(found.addresses)

    def excepts(self, host: str, port: int) -> bool:
        """Whether an exception names this host and port."""
        return (canonical_host(host), port) in {(canonical_host(name), own) for name, own in self.exceptions}

    def check_port(self, host: str, port: int) -> None:
        """Check a port, before anybody is asked for addresses.

        Raises:
            PolicyRefusedError: browsers do not speak HTTP to it.
        """
        if port in NOT_WEB_PORTS and not self.excepts(host, port):
            raise PolicyRefusedError(
                f"{_shown(host)}:{port} is a port of another protocol (bad ports of the Fetch standard)",
                what_to_do="leave the port out, or give the one its web pages are on",
            )

    def check_addresses(self, host: str, port: int, addresses: Iterable[str]) -> None:
        """Check addresses of a host, before connecting to any of them; see :meth:`check_address`."""
        for address in addresses:
            self.check_address(host, port, address)

    def check_address(self, host: str, port: int, address: str) -> None:
        """Check one address of a host, before or after connecting.

        Raises:
            PolicyRefusedError: it is not public, is in a denied network, or is this machine's own.
        """
        if self.excepts(host, port):
            return
        parsed = parse_address(address)
        why = why_not_public(parsed)
        if not why and any(parsed in network for network in self.denied):
            why = "denied by configuration"
        if not why and is_own(parsed):
            why = "this machine's own address"
        if why:
            raise PolicyRefusedError(
                f"{_shown(host)}:{port} leads to {address}, which is not public ({why})",
                what_to_do=_WHAT_TO_DO,
            )

    def to_json(self) -> dict[str, Any]:
        """The form another process takes it in; read by :meth:`from_json`.

        ``{"exceptions": [[host, port], …], "nameservers": [text, …], "denied": [network, …]}``
        """
        return {
            "exceptions": [[host, port] for host, port in sorted(self.exceptions)],
            "nameservers": list(self.nameservers),
            "denied": [str(network) for network in self.denied],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """A policy from its JSON form."""
        return cls(
            exceptions=frozenset((str(host), int(port)) for host, port in value["exceptions"]),
            nameservers=tuple(value["nameservers"]),
            denied=parse_networks(value["denied"]),
        )


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks from ``ADDRESS/BITS``.

    Raises:
        ConfigurationError: one is not such a text.
    """
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ConfigurationError(f"the network {text!r} cannot be used: {error}") from error
    return tuple(found)


def parse_exception(text: str) -> tuple[str, int]:
    """Host and port of an exception from ``host:port``, an IPv6 address in brackets.

    Raises:
        ConfigurationError: it is not such a text.
    """
    host, _, port = text.rpartition(":")
    try:
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise RefusedError("the port is not a number from 1 to 65535")
        return canonical_host(host), int(port)
    except RefusedError as error:
        raise ConfigurationError(
            f"the egress exception {text!r} is not host:port: {error.message}",
            what_to_do="write host:port, an IPv6 address in brackets",
        ) from error


def check_url(url: str, policy: EgressPolicy) -> None:
    """Refuse a URL that cannot or must not be captured, before any work is accepted.

    Raises:
        RefusedError: not an http or https URL of a sane form.
        PolicyRefusedError: it leads where captures may not go.
    """
    if len(url) > MAX_URL:
        raise RefusedError(
            f"the URL is longer than {MAX_URL} characters", what_to_do="leave out what only tracks visitors"
        )
    if any(character <= " " or character == "\x7f" for character in url):
        raise RefusedError(
            "the URL has white space in it",
            what_to_do="give one URL at a time, and write %20 for a space in it",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedError(
            f"this is not a URL: {error}", what_to_do="copy it from the browser's address bar"
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(
            "only http and https URLs can be captured",
            what_to_do="give the listing's full address"
            if "://" in url
            else f"begin with https://, as in https://{url[:200]}",
        )
    if "\\" in url:
        # Browsers take it for a slash, so that the host ends there; other readers do not.
        raise RefusedError("the URL has a backslash in it", what_to_do="write / instead")
    if "%" in parts.hostname:
        raise RefusedError(
            "the URL's host is percent-encoded or names a network interface",
            what_to_do="write the host's plain name",
        )
    if parts.username is not None or parts.password is not None:
        raise RefusedError("the URL holds a user name or password", what_to_do="leave them out")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    try:
        policy.permit(parts.hostname, port)
    except UnavailableError:
        # Whether the name resolves at the time of capture is for the capture to find out and record.
        return


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
