"""Who is asked for the addresses of a host: the machine's own resolver, or nameservers by name.

An answer says who gave it; it is not cached here, so that what is checked is what is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from evidence_service.errors import ConfigurationError, UnavailableError

SYSTEM = "system"
_LIFETIME = 5.0


@dataclass(frozen=True, slots=True)
class Resolution:
    """Addresses of a host, and who was asked.

    Attributes:
        addresses: as text, in the order they are to be tried; at least one.
        asked: ``system``, ``nameserver ADDRESS:PORT``, or ``literal`` for a host that is an
            address or means loopback.
    """

    addresses: tuple[str, ...]
    asked: str


class Resolver(Protocol):
    """Finds addresses. Blocks; called in a thread where a loop runs."""

    def __call__(self, host: str, port: int) -> Resolution:
        """Addresses of a name.

        Raises:
            UnavailableError: it has none, or nobody answered.
        """


def system_resolver(host: str, port: int) -> Resolution:
    """What the machine's own resolver says, its hosts file included; see :class:`Resolver`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise UnavailableError(f"{host} does not resolve: {error}") from error
    return Resolution(tuple(dict.fromkeys(str(item[4][0]) for item in found)), SYSTEM)


class NameserverResolver:
    """Asks named nameservers, in order; neither the hosts file nor ``resolv.conf`` is read.

    Args:
        nameservers: ``ADDRESS`` or ``ADDRESS:PORT``, IPv6 in brackets when a port follows.

    Raises:
        ConfigurationError: one is not such a text.
    """

    def __init__(self, nameservers: Sequence[str], *, lifetime: float = _LIFETIME) -> None:
        self._lifetime = lifetime
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers = [
            dns.nameserver.Do53Nameserver(*parse_nameserver(item)) for item in nameservers
        ]

    def __call__(self, host: str, port: int) -> Resolution:
        """See :class:`Resolver`."""
        addresses: list[str] = []
        asked = ""
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            try:
                answer = self._resolver.resolve(
                    f"{host}.", kind, raise_on_no_answer=False, lifetime=self._lifetime
                )
            except dns.exception.DNSException as error:
                raise UnavailableError(f"{host} does not resolve: {error}") from error
            asked = f"nameserver {answer.nameserver}:{answer.port}"
            addresses += [item.address for item in answer.rrset or ()]
        if not addresses:
            raise UnavailableError(f"{host} has no address", what_to_do="check the name")
        return Resolution(tuple(dict.fromkeys(addresses)), asked)


def parse_nameserver(text: str) -> tuple[str, int]:
    """Address and port of a nameserver; the port is 53 when none is given.

    Raises:
        ConfigurationError: it is not an address.
    """
    host, port = text, "53"
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError(port)
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError as error:
        raise ConfigurationError(
            f"the nameserver {text!r} is not an address",
            what_to_do="write ADDRESS or ADDRESS:PORT, an IPv6 address in brackets when a port follows",
        ) from error
