"""One JSON-RPC request on its way through the fault proxy, and what is sent back for it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

Answer = dict[str, Any]
"""A JSON-RPC answer: ``jsonrpc``, ``id`` and ``result`` or ``error``."""

TAG_POSITION = {
    "eth_getBlockByNumber": 0,
    "eth_getBlockReceipts": 0,
    "eth_call": 1,
    "eth_feeHistory": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getProof": 2,
}
"""Where a method's block stands among its parameters."""


class Ending(Enum):
    """How much of a reply arrives."""

    WHOLE = "whole"
    CLOSED = "closed"
    """Nothing: the connection is closed in order."""
    RESET = "reset"
    """Nothing: the connection is broken off (TCP RST)."""
    SILENT = "silent"
    """Nothing, and the connection stays open until the client gives up."""
    DRIP = "drip"
    """Byte by byte, each in time for a limit that starts anew with every read."""
    CUT = "cut"
    """Half of the announced length."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = Ending.WHOLE

    @classmethod
    def of(cls, answer: Any, status: int = 200) -> Reply:
        """A JSON document."""
        return cls(json.dumps(answer).encode(), status)


class Upstream:
    """A connection to the real node. A failure is the caller's: nothing is sent twice here."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def post(self, body: bytes) -> bytes:
        """The node's answer to a request's bytes."""
        self._connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return self._connection.getresponse().read()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass(slots=True)
class Exchange:
    """A request and the means to answer it.

    Attributes:
        elsewhere: address a redirect points to; the proxy records who goes there.
        sent: raw transactions the proxy has seen, by hash.
        memory: kept from one request to the next of the same injection.
        options: given to the injection.
        landed: whether the request reached the node.
    """

    id: Any
    method: str
    params: list[Any]
    upstream: Upstream
    elsewhere: str
    sent: Mapping[str, bytes]
    memory: dict[str, Any]
    options: Mapping[str, Any]
    landed: bool = False

    @property
    def tag(self) -> Any:
        """The block a request is about; None where the method names none."""
        return tag(self.method, self.params)

    def forward(self, params: list[Any] | None = None) -> Answer:
        """The node's answer, to other parameters when given."""
        self.landed = True
        return self._post(self.method, self.params if params is None else params)

    def at(self, block: str) -> Answer:
        """The node's answer about another block."""
        params = list(self.params)
        params[TAG_POSITION[self.method]] = block
        return self.forward(params)

    def ask(self, method: str, *params: Any) -> Any:
        """Result of a question of the proxy's own."""
        return self._post(method, list(params)).get("result")

    def result(self, value: Any) -> Answer:
        """An answer with a result."""
        return {"jsonrpc": "2.0", "id": self.id, "result": value}

    def error(self, code: int, message: str) -> Answer:
        """An answer with an error."""
        return {"jsonrpc": "2.0", "id": self.id, "error": {"code": code, "message": message}}

    def _post(self, method: str, params: list[Any]) -> Answer:
        request = {"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}
        answer: Answer = json.loads(self.upstream.post(json.dumps(request).encode()))
        return answer


def always(_method: str, _params: list[Any]) -> bool:
    """Every request."""
    return True


@dataclass(frozen=True, slots=True)
class Fault:
    """A named fault.

    Attributes:
        what: what the node does, in a few words.
        act: answers a request.
        methods: those it is about; all when empty.
        when: narrows it by method and parameters.
    """

    name: str
    what: str
    act: Callable[[Exchange], Reply]
    methods: frozenset[str] = frozenset()
    when: Callable[[str, list[Any]], bool] = always

    def concerns(self, method: str, params: list[Any]) -> bool:
        """Whether it changes the answer to a request."""
        return (not self.methods or method in self.methods) and self.when(method, params)


def tag(method: str, params: list[Any]) -> Any:
    """The block a request is about; None where the method names none."""
    position = TAG_POSITION.get(method)
    return params[position] if position is not None and position < len(params) else None
