"""Hosts as browsers read them: one spelling for every way to write a name or an address.

A host is read as the URL standard reads it (section 3.5, "host parsing"), so that what is checked here is
what a browser would connect to: ``2130706433``, ``0x7f.1``, ``0177.0.0.1``, ``①②⑦.⓪.⓪.①`` are all 127.0.0.1.
"""

from __future__ import annotations

import ipaddress
import re

import idna

from evidence_service.errors import RefusedError

# The URL standard's forbidden host code points, and what only a percent sign could bring in.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def canonical_host(host: str) -> str:
    """A host in its one form: an address without brackets, or a name in lower-case ASCII without a last dot.

    Raises:
        RefusedError: no browser would take it for a host.
    """
    if ":" in host:
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            if "%" in bare:
                raise ValueError("it names a network interface")
            return str(ipaddress.IPv6Address(bare))
        except ValueError as error:
            raise RefusedError(f"the host {host[:80]!r} is not an IPv6 address") from error
    name = _to_ascii(host).removesuffix(".")
    if not name or _FORBIDDEN.search(name) or ".." in name or name.startswith("."):
        raise RefusedError(f"{host[:80]!r} is not a host")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _ipv4(name)
    return name


def is_address(host: str) -> bool:
    """Whether a canonical host is an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _to_ascii(host: str) -> str:
    if host.isascii():
        # Underscores and names that IDNA 2008 would refuse are in use, and plain ASCII needs no mapping.
        return host.lower()
    try:
        return idna.encode(host, uts46=True, transitional=False).decode("ascii").lower()
    except idna.IDNAError as first:
        # A mapped form such as an address in full-width digits is no IDNA label, but browsers take it.
        try:
            mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        except idna.IDNAError:
            mapped = ""
        if mapped.isascii() and mapped:
            return mapped.lower()
        raise RefusedError(f"the host {host[:80]!r} is not a domain name: {first}") from first


def _ipv4(name: str) -> str:
    """The URL standard's IPv4 parser: up to four numbers, each decimal, octal or hexadecimal."""
    parts = name.split(".")
    try:
        numbers = [_number(part) for part in parts]
        if len(parts) > 4 or any(number > 255 for number in numbers[:-1]):
            raise ValueError
        value = numbers[-1]
        if value >= 256 ** (5 - len(parts)):
            raise ValueError
        for position, number in enumerate(numbers[:-1]):
            value += number * 256 ** (3 - position)
        return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise RefusedError(f"the host {name[:80]!r} ends in a number and is not an IPv4 address") from error


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    if len(text) > 1 and text.startswith("0"):
        return int(text, 8)
    return int(text)
