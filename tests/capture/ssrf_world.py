"""A network of its own in which every address exists, and everything that is sent to any of them is seen.

In a fresh network namespace all of IPv4 and IPv6 is local (``ip route add local default dev lo``): a connection to
10.0.0.1 or 169.254.169.254 is really made and really answered. Listeners count what reaches them, and a packet
socket on the one interface sees every packet of every protocol and port. What is allowed is named here address by
address, independently of the code under test; everything else is a leak.
"""

from __future__ import annotations

import ipaddress
import os
import select
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PUBLIC = "5.5.5.5"
PUBLIC6 = "2a05:5555::5"
OWN = "45.45.45.45"
OWN6 = "2a05:4545::45"
ALLOWED = {ipaddress.ip_address(item) for item in (PUBLIC, PUBLIC6, OWN, OWN6)}
TCP_PORTS = (80, 443, 8080)
UDP_PORTS = (443, 3478, 19302)
_PACKET_OUTGOING = 4  # packet(7): loopback shows each packet twice, going out and coming in
_TCP, _UDP = 6, 17


def enter_namespace(module: str, arguments: Sequence[str]) -> int:
    """Run a module of this project again in a network namespace of its own; its exit code."""
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            raise SystemExit(
                f"{program} is missing (Debian: util-linux, iproute2): no network of its own can be made"
            )
    flags = ["--net"] if os.geteuid() == 0 else ["--net", "--user", "--map-root-user"]
    return subprocess.run(
        ["unshare", *flags, sys.executable, "-m", module, "--inside", *arguments], check=False
    ).returncode


def open_network() -> None:
    """Make every address local; this machine's own ones are named, so that it has a public source address."""
    for command in (
        "link set lo up",
        f"addr add {OWN}/32 dev lo",
        f"-6 addr add {OWN6}/128 dev lo",
        f"route add local default dev lo src {OWN}",
        f"-6 route add local default dev lo src {OWN6}",
    ):
        subprocess.run(["ip", *command.split()], check=True)


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that was sent to an address nobody may be sent to.

    Attributes:
        inside: its ports when it went from loopback to loopback, where the recorder and the browser talk.
    """

    what: str
    inside: frozenset[int] = frozenset()


class Sniffer:
    """Sees every packet on the loopback interface; keeps those to addresses that are not allowed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._socket.bind(("lo", 0))
        self.infrastructure: set[int] = set()
        self._seen: list[Leak] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> None:
        packet, address = self._socket.recvfrom(65535)
        if address[2] != _PACKET_OUTGOING or not packet:
            return
        version, protocol = packet[0] >> 4, packet[9]
        start = (packet[0] & 15) * 4
        source, destination = packet[12:16], packet[16:20]
        if version == 6:
            protocol, start, source, destination = packet[6], 40, packet[8:24], packet[24:40]
        to = ipaddress.ip_address(destination)
        ports = struct.unpack("!HH", packet[start : start + 4]) if protocol in (_TCP, _UDP) else (0, 0)
        inside = to.is_loopback and ipaddress.ip_address(source).is_loopback
        if to in ALLOWED:
            return
        name = {_TCP: "TCP", _UDP: "UDP"}.get(protocol, f"protocol {protocol}")
        self._seen.append(Leak(f"{name} to {to} port {ports[1]}", frozenset(ports if inside else ())))

    @property
    def leaks(self) -> list[Leak]:
        """All but what the recorder, the browser's driver and the nameserver said to one another."""
        return [leak for leak in self._seen if not leak.inside & self.infrastructure]

    def forget(self) -> None:
        """Begin to count anew."""
        self._seen.clear()

    def close(self) -> None:
        self._socket.close()


class World:
    """Listeners on every address, and the sniffer, while the ``with`` block lasts.

    Args:
        answer: what the public server answers, from the request's bytes up to the end of its head.
        tls: the public server's, at port 443.
    """

    def __init__(self, answer: Callable[[bytes], bytes], tls: ssl.SSLContext) -> None:
        self._answer = answer
        self._tls = tls
        self.sniffer = Sniffer()
        self._listeners = [
            socket.create_server((host, port), family=family)
            for port in TCP_PORTS
            for host, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6))
        ]
        self._datagrams = [_datagram(port) for port in UDP_PORTS]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="world", daemon=True)
        self._leaks: list[Leak] = []

    @property
    def leaks(self) -> list[Leak]:
        """What the listeners and the sniffer saw, so far."""
        return self._leaks + self.sniffer.leaks

    def forget(self) -> None:
        """Begin to count anew."""
        self._leaks.clear()
        self.sniffer.forget()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(10)
        for item in (*self._listeners, *self._datagrams):
            item.close()
        self.sniffer.close()

    def _run(self) -> None:
        while not self._ending.is_set():
            waiting = (self.sniffer, *self._listeners, *self._datagrams)
            for item in select.select(waiting, (), (), 0.2)[0]:
                if item is self.sniffer:
                    self.sniffer.read()
                elif item in self._datagrams:
                    self._leak(f"{len(item.recv(65535))} bytes by UDP at port {item.getsockname()[1]}")
                else:
                    threading.Thread(target=self._serve, args=(item.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        local, port = ipaddress.ip_address(connection.getsockname()[0]), connection.getsockname()[1]
        if str(getattr(local, "ipv4_mapped", None) or local) not in (PUBLIC, PUBLIC6):
            self._leak(f"a connection at {local} port {port}")
        connection.settimeout(5)
        with (
            suppress(OSError),
            closing(connection),
            closing(
                self._tls.wrap_socket(connection, server_side=True) if port == 443 else connection
            ) as client,
        ):
            data = b""
            while b"\r\n\r\n" not in data:
                received = client.recv(65536)
                if not received:
                    return
                data += received
            client.sendall(self._answer(data))

    def _leak(self, what: str) -> None:
        self._leaks.append(Leak(what))


def _datagram(port: int) -> socket.socket:
    receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    receiver.bind(("::", port))
    return receiver
