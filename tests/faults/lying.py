"""Well-formed answers that are untrue, collected in tables. The request always reaches the node.

A lie changes only what it names, so that whoever checks proofs and hashes can find it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.faults.rpc_exchange import Answer, Exchange, Fault, Reply, always, tag

Lie = Callable[[Exchange, Any], Any]
"""The untrue result made from the true one."""
When = Callable[[str, list[Any]], bool]
"""Whether a fault concerns a request: method, parameters."""

BLOCK = ("eth_getBlockByNumber", "eth_getBlockByHash")
RECEIPT = ("eth_getTransactionReceipt", "eth_getBlockReceipts")


class Table:
    """Faults under the names of the functions that make them; the first line of a docstring says what each is."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def lies(self, *methods: str, when: When = always) -> Callable[[Lie], Lie]:
        """Register what makes the untrue result of the true one. Errors and null pass as they are."""

        def register(lie: Lie) -> Lie:
            def act(exchange: Exchange) -> Reply:
                answer = exchange.forward()
                if answer.get("result") is None:
                    return Reply.of(answer)
                return Reply.of({**answer, "result": lie(exchange, copy.deepcopy(answer["result"]))})

            self._add(lie, act, methods, when)
            return lie

        return register

    def answers(
        self, *methods: str, when: When = always
    ) -> Callable[[Callable[[Exchange], Answer]], Callable[[Exchange], Answer]]:
        """Register what makes the whole answer itself."""

        def register(make: Callable[[Exchange], Answer]) -> Callable[[Exchange], Answer]:
            self._add(make, lambda exchange: Reply.of(make(exchange)), methods, when)
            return make

        return register

    def absent(self, name: str, method: str) -> None:
        """Register that the node has no such method."""

        def act(exchange: Exchange) -> Reply:
            return Reply.of(exchange.error(-32601, f"the method {method} does not exist/is not available"))

        self.faults.append(Fault(name, f"has no {method}", act, frozenset({method})))

    def _add(
        self,
        named: Callable[..., Any],
        act: Callable[[Exchange], Reply],
        methods: tuple[str, ...],
        when: When,
    ) -> None:
        what = (named.__doc__ or "").split("\n")[0].rstrip(".")
        self.faults.append(Fault(named.__name__, what, act, frozenset(methods), when))


def about(*tags: str | None) -> When:
    """Requests about one of these blocks; None: those that name none."""
    return lambda method, params: tag(method, params) in tags


def more(quantity: str, by: int) -> str:
    """A quantity changed by a number, not below zero."""
    return hex(max(int(quantity, 16) + by, 0))


def flipped(data: str) -> str:
    """Data with its last bit changed."""
    return data[:-1] + format(int(data[-1], 16) ^ 1, "x")
