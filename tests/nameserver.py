"""A small DNS server on loopback that gives whatever answers a test wants, also other ones each time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

Records = Sequence[tuple[str, str]]
"""``(type, text)``: ``("A", "192.0.2.1")``, ``("CNAME", "other.test.")``."""


class Nameserver:
    """Answers over UDP while the ``with`` block lasts, with TTL 0.

    Args:
        zones: name without its last dot → records, or a function of the count of earlier questions of this
            name and type. A CNAME's target is followed within the same table.
    """

    def __init__(
        self,
        zones: Mapping[str, Records | Callable[[int], Records]],
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._zones = dict(zones)
        self._counts: dict[tuple[str, str], int] = {}
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._socket.settimeout(0.2)
        self.address = f"{address}:{self._socket.getsockname()[1]}"
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="nameserver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                wire, client = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            self._socket.sendto(self._answer(dns.message.from_wire(wire)).to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        name = query.question[0].name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, kind))
        if name not in self._zones:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        for _ in range(8):
            records = self._records(name, kind)
            alias = next((text for known, text in records if known == "CNAME"), None)
            wanted = "CNAME" if alias else kind
            texts = [text for known, text in records if known == wanted]
            if texts:
                answer.answer.append(dns.rrset.from_text(f"{name}.", 0, "IN", wanted, *texts))
            if alias is None:
                break
            name = alias.rstrip(".")
        return answer

    def _records(self, name: str, kind: str) -> Records:
        records = self._zones.get(name, ())
        if not callable(records):
            return records
        count = self._counts.get((name, kind), 0)
        self._counts[(name, kind)] = count + 1
        return records(count)
