"""One chain behind several RPC addresses: failover, health, and who contradicted a proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import httpx

from evidence_service.anchor.deadline import DeadlineTransport
from evidence_service.anchor.endpoint import Answer, Caller, Endpoint
from evidence_service.errors import ConfigurationError, NodeLiedError, NodeUnavailableError

T = TypeVar("T")

_SHAPELESS = (TypeError, ValueError, KeyError, IndexError, AttributeError)
"""What reading an answer of another form than the method's ends in."""


class Node(Caller):
    """The nodes of one chain. Requests go to the addresses in their order, those that failed lately last.

    Args:
        urls: http or https addresses, the preferred one first.
        chain_id: the only chain accepted.
        timeout: seconds for each request to each address, from connecting to the last byte.
        transport: replaces the network in tests.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int,
        *,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not urls:
            raise ConfigurationError(f"no RPC address is set for chain {chain_id}")
        self.chain_id = chain_id
        self._client = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            transport=transport or DeadlineTransport(timeout),
        )
        self.endpoints = tuple(Endpoint(url, chain_id, self._client, clock) for url in urls)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def in_order(self, prefer: Endpoint | None = None) -> list[Endpoint]:
        """Addresses as they are asked now: as configured, those that rest after a failure or a lie last."""
        return sorted(self.endpoints, key=lambda endpoint: (endpoint is not prefer, endpoint.resting))

    def ask(self, method: str, *parameters: Any) -> Answer:
        """See :meth:`evidence_service.anchor.endpoint.Caller.ask`; the first address that answers."""
        return self.first(method, lambda endpoint: endpoint.ask(method, *parameters))

    def call(self, method: str, *parameters: Any) -> Any:
        """See :meth:`evidence_service.anchor.endpoint.Caller.call`; a refusal leads to the next address."""
        return self.first(method, lambda endpoint: endpoint.call(method, *parameters))

    def quantity(self, method: str, *parameters: Any) -> int:
        """See :meth:`evidence_service.anchor.endpoint.Caller.quantity`; as :meth:`call`."""
        return self.first(method, lambda endpoint: endpoint.quantity(method, *parameters))

    def first(self, what: str, read: Callable[[Endpoint], T], *, prefer: Endpoint | None = None) -> T:
        """What the first address gives that answers and does not contradict its own proof.

        Args:
            what: named in the error.
            read: all its requests go to the one endpoint it is given; it raises ``NodeLiedError`` when what
                it got contradicts a proof or a hash. Such an address is remembered by name.

        Raises:
            NodeUnavailableError: no address did.
        """
        failures: list[str] = []
        for _, value in _answers(self.in_order(prefer), read, failures):
            return value
        raise _silence(self.chain_id, what, failures)

    def each(
        self,
        read: Callable[[Endpoint], T],
        *,
        at_least: int = 1,
        among: Sequence[Endpoint] | None = None,
    ) -> list[tuple[Endpoint, T]]:
        """What every address gives that answers; one whose answer contradicts its own proof is left out.

        Args:
            at_least: addresses that rest are asked only as long as fewer than these have answered.
            among: only these addresses, whether they rest or not.

        Raises:
            NodeUnavailableError: no address answered.
        """
        answers: list[tuple[Endpoint, T]] = []
        failures: list[str] = []
        for endpoint in self.in_order() if among is None else among:
            if among is None and endpoint.resting and len(answers) >= at_least:
                break
            answers += _answers([endpoint], read, failures)
        if not answers:
            raise _silence(self.chain_id, "anything", failures)
        return answers


def _answers(
    endpoints: Sequence[Endpoint], read: Callable[[Endpoint], T], failures: list[str]
) -> Iterator[tuple[Endpoint, T]]:
    """What addresses give, one after the other; why one gives nothing goes to ``failures``."""
    for endpoint in endpoints:
        try:
            value = read(endpoint)
        except NodeLiedError as error:
            endpoint.caught(error.message)
            failures.append(f"{endpoint.name} contradicts itself: {error.message}")
        except NodeUnavailableError as error:
            failures.append(f"{endpoint.name}: {error.message}")
        except _SHAPELESS as error:
            failures.append(f"{endpoint.name}: an answer that is not of its form ({error!r})")
        else:
            yield endpoint, value


def _silence(chain_id: int, what: str, failures: Sequence[str]) -> NodeUnavailableError:
    return NodeUnavailableError(
        f"no node of chain {chain_id} answered {what}: {'; '.join(failures)}",
        what_to_do="nothing is lost: it is tried again; add another RPC address if this lasts",
    )
