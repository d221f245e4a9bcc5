"""Bytes of TCP connections as Wireshark's programs see them on the loopback interface, TLS decrypted."""

from __future__ import annotations

import hashlib
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from evidence_service.processes import ManagedProcess


@dataclass(frozen=True, slots=True)
class Connection:
    """What went over one connection, reassembled; ``certificates``: SHA-256 of what a TLS server sent."""

    sent: bytes
    received: bytes
    certificates: tuple[str, ...]


class Sniffer:
    """Captures one port's packets while the ``with`` block lasts.

    Args:
        keys: file with the TLS secrets of one side (``SSLKEYLOGFILE``); None without TLS.
    """

    def __init__(self, port: int, directory: Path, *, keys: Path | None = None) -> None:
        self._packets = directory / f"{port}.pcapng"
        self._log = directory / f"{port}.log"
        self._port, self._keys = port, keys

    def __enter__(self) -> Self:
        command = ["dumpcap", "-i", "lo", "-f", f"tcp port {self._port}", "-w", str(self._packets)]
        self._process = ManagedProcess("dumpcap", command, log=self._log)
        self._process.wait_until(lambda: "File:" in self._log.read_text(), seconds=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()

    def connections(self) -> list[Connection]:
        """Those that carried bytes, in the order they were opened."""
        streams = sorted({int(line) for line in self._fields("tcp.flags.syn == 1", "tcp.stream")})
        protocol = "tcp" if self._keys is None else "tls"
        follow = [part for stream in streams for part in ("-z", f"follow,{protocol},raw,{stream}")]
        text = self._tshark("-q", *follow) if follow else ""
        certificates = self._certificates()
        found = {}
        for section in text.split("Filter: tcp.stream eq ")[1:]:
            stream, sent, received = _read(section, self._port)
            found[stream] = Connection(sent, received, certificates[stream])
        return [found[stream] for stream in sorted(found) if found[stream].sent]

    def _certificates(self) -> dict[int, tuple[str, ...]]:
        found: dict[int, tuple[str, ...]] = defaultdict(tuple)
        for line in self._fields("tls.handshake.certificate", "tcp.stream", "tls.handshake.certificate"):
            stream, _, items = line.partition("\t")
            found[int(stream)] = tuple(
                hashlib.sha256(bytes.fromhex(item.replace(":", ""))).hexdigest() for item in items.split(",")
            )
        return found

    def _fields(self, filter_: str, *names: str) -> list[str]:
        wanted = [part for name in names for part in ("-e", name)]
        return self._tshark("-Y", filter_, "-T", "fields", *wanted).splitlines()

    def _tshark(self, *arguments: str) -> str:
        keys = [] if self._keys is None else ["-o", f"tls.keylog_file:{self._keys}"]
        return subprocess.run(
            ["tshark", "-n", "-r", self._packets, *keys, *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout


def _read(section: str, port: int) -> tuple[int, bytes, bytes]:
    """Number, bytes to a port, bytes from it, out of one section of ``follow``.

    Node 0 is whose bytes came first: the client's, but with TLS 1.3 the server's.
    """
    number, *lines = section.splitlines()
    sides: tuple[list[str], list[str]] = ([], [])
    swapped = False
    for line in lines:
        if line.startswith("="):
            break
        if line.startswith("Node 0:"):
            swapped = line.endswith(f":{port}")
        elif line and not line.startswith("Node "):
            sides[line.startswith("\t") ^ swapped].append(line.strip())
    return int(number), bytes.fromhex("".join(sides[0])), bytes.fromhex("".join(sides[1]))
