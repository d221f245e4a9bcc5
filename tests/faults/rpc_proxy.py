"""An HTTP proxy between a client and a node that does, by name, what bad nodes and networks do.

    with RpcProxy(anvil.rpc_url) as proxy:
        proxy.inject("timeout_after", method="eth_sendRawTransaction")
        …a client of proxy.url…
        assert proxy.fired("timeout_after") == 1

The names are in :data:`tests.faults.rpc_faults.FAULTS`.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from evidence_service.verify.trie import keccak256
from tests.faults.rpc_exchange import Exchange, Fault, Reply, Upstream
from tests.faults.rpc_faults import FAULTS
from tests.faults.rpc_server import ELSEWHERE, Server


@dataclass(frozen=True, slots=True)
class Entry:
    """A request in the log; ``landed`` tells whether it reached the node, ``fault`` is empty without one."""

    method: str
    params: list[Any]
    fault: str
    landed: bool


@dataclass(slots=True)
class _Injection:
    fault: Fault
    method: str | None
    left: int | None
    skip: int
    options: dict[str, Any]
    memory: dict[str, Any] = field(default_factory=dict)


class RpcProxy:
    """The proxy; as a context manager it is closed at the end.

    Args:
        upstream: address of the real node.
    """

    def __init__(self, upstream: str) -> None:
        self.log: list[Entry] = []
        self.followed = 0
        """Requests to the address that only a redirect names."""
        self.sent: dict[str, bytes] = {}
        """Raw transactions seen, by hash."""
        self.broken: list[BaseException] = []
        """What went wrong in the proxy itself; leaving its block fails when there is anything."""
        self._upstream = upstream
        self._lock = threading.Lock()
        self._injections: list[_Injection] = []
        self._dice: tuple[random.Random, float, tuple[Fault, ...]] | None = None
        self._server = self._listen(0)
        self._port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> RpcProxy:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close()
        assert kind is not None or not self.broken, f"the proxy itself failed: {self.broken!r}"

    def close(self) -> None:
        """Stop listening and break every connection off."""
        self._server.end()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """While the block lasts nothing listens at the address: connections are refused."""
        self._server.end()
        try:
            yield
        finally:
            self._server = self._listen(self._port)

    def inject(
        self, name: str, *, method: str | None = None, times: int | None = 1, skip: int = 0, **options: Any
    ) -> None:
        """Make the next fitting requests meet a fault; of several injections the oldest that fits acts.

        Args:
            name: of the fault.
            method: only requests of this method; without one, all the fault concerns.
            times: how many requests; None: until :meth:`clear`.
            skip: how many fitting requests pass before.
            options: the fault's own, such as ``blocks`` of ``stale_head``.
        """
        fault = FAULTS[name]
        assert method is None or not fault.methods or method in fault.methods, (
            f"{name} never happens to {method}, only to {sorted(fault.methods)}"
        )
        with self._lock:
            self._injections.append(_Injection(fault, method, times, skip, options))

    def randomly(self, probability: float, *, seed: int, among: Sequence[str] = tuple(FAULTS)) -> None:
        """From now on each request without an injection meets a random fault that concerns it.

        Args:
            probability: from 0 to 1; 0 ends it.
            seed: of the dice; with one client at a time the same faults come again.
            among: names to choose from.
        """
        with self._lock:
            chosen = tuple(FAULTS[name] for name in among)
            self._dice = (random.Random(seed), probability, chosen) if probability else None

    def clear(self) -> None:
        """From now on everything passes."""
        with self._lock:
            self._injections.clear()
            self._dice = None

    def fired(self, name: str) -> int:
        """How many requests met a fault."""
        return sum(entry.fault == name for entry in self.log)

    def asked(self, method: str) -> list[Entry]:
        """The requests of a method."""
        return [entry for entry in self.log if entry.method == method]

    def reply(self, body: bytes, upstream: Upstream) -> Reply:
        """What goes back for a request's bytes."""
        request = json.loads(body)
        method, params = request["method"], request.get("params", [])
        if method == "eth_sendRawTransaction":
            raw = bytes.fromhex(params[0][2:])
            self.sent["0x" + keccak256(raw).hex()] = raw
        injection = self._choose(method, params)
        if injection is None:
            reply, landed = Reply(upstream.post(body)), True
        else:
            exchange = Exchange(
                request["id"],
                method,
                params,
                upstream,
                f"http://localhost:{self._port}{ELSEWHERE}",
                self.sent,
                injection.memory,
                injection.options,
            )
            reply = injection.fault.act(exchange)
            landed = exchange.landed
        with self._lock:
            self.log.append(Entry(method, params, injection.fault.name if injection else "", landed))
        return reply

    def _choose(self, method: str, params: list[Any]) -> _Injection | None:
        with self._lock:
            for injection in self._injections:
                if injection.left == 0 or injection.method not in {None, method}:
                    continue
                if not injection.fault.concerns(method, params):
                    continue
                if injection.skip:
                    injection.skip -= 1
                    continue
                if injection.left is not None:
                    injection.left -= 1
                return injection
            if self._dice is not None and self._dice[0].random() < self._dice[1]:
                fitting = [fault for fault in self._dice[2] if fault.concerns(method, params)]
                if fitting:
                    return _Injection(self._dice[0].choice(fitting), None, 1, 0, {})
        return None

    def _listen(self, port: int) -> Server:
        server = Server(("127.0.0.1", port), self, self._upstream)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server
