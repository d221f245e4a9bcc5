"""Points about the machine itself: process, proxies, hosts file, route, what runs and what is installed.

Names only, never values: a process's arguments and a variable's value may hold a password.
"""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from evidence_service.capture.environment.points import lines, point, unavailable
from evidence_service.egress.hosts import is_address
from evidence_service.egress.policy import EgressPolicy

_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")
_LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def process(root: Path = Path("/proc")) -> dict[str, Any]:
    """Point 1: the browser and the recorder are processes of this capture alone."""
    value = {"processes": "new for this capture", "platform": platform.platform()}
    try:
        value["machine_up_seconds"] = (root / "uptime").read_text().split()[0]
        value["boot"] = (root / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        value["machine_up_seconds"] = "unknown"
    return point(1, "pass", value)


def proxies(names: Sequence[str]) -> dict[str, Any]:
    """Point 3: neither the recorder nor Chromium reads the variables; the sockets' peers prove it.

    Args:
        names: of this process's environment.
    """
    found = sorted(name for name in names if name.lower() in _PROXY_VARIABLES)
    return point(3, "pass", {"variables_ignored": found, "browser": "recording proxy of this capture only"})


def hosts_file(
    host: str, hosts: Path = Path("/etc/hosts"), resolver: Path = Path("/etc/resolv.conf")
) -> dict[str, Any]:
    """Point 4: the hosts file does not send the captured host somewhere else."""
    try:
        entries = hosts.read_text(encoding="utf-8", errors="replace")
        configured = resolver.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return unavailable(4, f"{error.filename} cannot be read: {error.strerror}")
    known = [line.partition("#")[0].split() for line in entries.splitlines()]
    named = [words for words in known if host in [name.lower().rstrip(".") for name in words[1:]]]
    asked = [line.split() for line in configured.splitlines()]
    nameservers = [words[1] for words in asked if words[:1] == ["nameserver"] and len(words) > 1]
    value = {
        "entries_for_the_host": [" ".join(words) for words in named],
        "nameservers": nameservers,
        "hosts_sha256": hashlib.sha256(entries.encode()).hexdigest(),
        "resolver_sha256": hashlib.sha256(configured.encode()).hexdigest(),
    }
    return point(4, "fail" if named and not is_address(host) else "pass", value)


def route(policy: EgressPolicy, peer: tuple[str, int] | None) -> dict[str, Any]:
    """Point 6: how the page's server was reached; an egress exception is a failure that says so."""
    exceptions = list(policy.printed_exceptions)
    value: dict[str, Any] = {"policy": "public addresses only", "exceptions": exceptions}
    if peer is not None:
        value["peer"] = f"{peer[0]} port {peer[1]}"
        value["source"] = _source(peer)
    if exceptions:
        value["why"] = "egress exceptions let captures reach addresses that are not public"
        return point(6, "fail", value)
    if peer is None:
        return unavailable(6, "no connection to the page's server was made")
    return point(6, "pass", value)


def _source(peer: tuple[str, int]) -> str:
    """The address the route to a peer starts at; connecting a datagram socket sends nothing."""
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(peer)
            return str(probe.getsockname()[0])
    except OSError as error:
        return f"unknown: {error.strerror}"


def inventory(root: Path = Path("/proc"), packages: Path = Path("/var/lib/dpkg/status")) -> dict[str, Any]:
    """Point 9: names of what runs, ports that listen, a digest of what is installed."""
    try:
        names = sorted(
            (entry / "comm").read_text(errors="replace").strip()
            for entry in root.iterdir()
            if entry.name.isdecimal() and (entry / "comm").exists()
        )
        ports = sorted({port for table in ("tcp", "tcp6") for port in _listening(root / "net" / table)})
    except OSError as error:
        return unavailable(9, f"the machine does not tell: {error.strerror}")
    python = sorted(f"{item.name}=={item.version}" for item in metadata.distributions())
    system = "unknown"
    if packages.is_file():
        with packages.open("rb") as reader:
            system = hashlib.file_digest(reader, "sha256").hexdigest()
    value = {
        "processes": str(len(names)),
        "listening_tcp_ports": [str(port) for port in ports],
        "python_packages_sha256": hashlib.sha256("\n".join(python).encode()).hexdigest(),
        "system_packages_sha256": system,
    }
    raw = lines({"processes": " ".join(names), "ports": ports, "packages": " ".join(python)})
    return point(9, "pass", value, raw)


def _listening(table: Path) -> list[int]:
    if not table.exists():
        return []
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENING]


def variable_names() -> list[str]:
    """Names of this process's environment variables."""
    return sorted(os.environ)
