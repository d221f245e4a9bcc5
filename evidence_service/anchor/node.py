"""JSON-RPC with a chain's nodes: several addresses in turn, answers bounded and classified."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import httpx

from evidence_service.core.canonical import check_nesting
from evidence_service.errors import ConfigurationError, LimitExceededError, NodeUnavailableError

MAX_ANSWER = 64 * 1024 * 1024
"""Most bytes of one answer: all receipts of a full block are some 20 MiB."""

_TRY_ANOTHER = frozenset({-32005, -32029, 429})
"""Error codes by which providers say "too many requests"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said: a result, or its refusal in words."""

    result: Any = None
    refusal: str | None = None


class SendOutcome(Enum):
    """What a node said about a raw transaction. Only the chain says what became of it."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    NONCE_TOO_LOW = "nonce too low"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient funds"
    REFUSED = "refused"


# Wordings of geth, Nethermind, Besu, Erigon, anvil, Hardhat and Ganache, in lower case.
_WORDINGS = (
    (SendOutcome.KNOWN, ("already known", "known transaction", "already imported", "alreadyknown")),
    (SendOutcome.NONCE_TOO_LOW, ("nonce too low", "nonce is too low", "correct nonce", "oldnonce")),
    (SendOutcome.UNDERPRICED, ("underpriced", "fee too low", "less than block base fee", "gas price below")),
    (SendOutcome.INSUFFICIENT_FUNDS, ("insufficient funds", "enough funds", "upfront cost")),
)


class Node:
    """One chain behind one or more RPC addresses.

    A request goes to the addresses in order until one answers; each is asked for its chain id before it is
    used. Not safe for use by several threads at once.

    Args:
        urls: http or https addresses, the preferred one first.
        chain_id: the only chain accepted.
        timeout: seconds for each request to each address.
        transport: replaces the network in tests.
    """

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int,
        *,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not urls:
            raise ConfigurationError(f"no RPC address is set for chain {chain_id}")
        self.chain_id = chain_id
        self._urls = tuple(urls)
        self._checked: set[str] = set()
        self._client = httpx.Client(
            timeout=timeout, follow_redirects=False, trust_env=False, transport=transport
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(self, method: str, *parameters: Any) -> Any:
        """Result of a method.

        Raises:
            NodeUnavailableError: no address gave a result.
            ConfigurationError: an address serves another chain.
        """
        answer = self.ask(method, *parameters)
        if answer.refusal is not None:
            raise NodeUnavailableError(f"the node refused {method}: {answer.refusal}")
        return answer.result

    def ask(self, method: str, *parameters: Any) -> Answer:
        """Answer to a method; a refusal by the node is an answer, silence is not.

        Raises:
            NodeUnavailableError: no address answered.
            ConfigurationError: an address serves another chain.
        """
        failures = []
        for url in self._urls:
            try:
                self._check_chain(url)
                return self._request(url, method, list(parameters))
            except NodeUnavailableError as error:
                failures.append(f"{_shown(url)}: {error.message}")
        raise NodeUnavailableError(
            f"no node of chain {self.chain_id} answered {method}: {'; '.join(failures)}",
            what_to_do="nothing is lost: it is tried again; add another RPC address if this lasts",
        )

    def send(self, raw: bytes) -> tuple[SendOutcome, str]:
        """Offer a signed transaction; the outcome and the node's words.

        Raises:
            NodeUnavailableError: no answer; the transaction may have been accepted all the same.
        """
        answer = self.ask("eth_sendRawTransaction", "0x" + raw.hex())
        if answer.refusal is None:
            return SendOutcome.ACCEPTED, ""
        words = answer.refusal.lower()
        for outcome, wordings in _WORDINGS:
            if any(wording in words for wording in wordings):
                return outcome, answer.refusal
        return SendOutcome.REFUSED, answer.refusal

    def quantity(self, method: str, *parameters: Any) -> int:
        """Result of a method that answers a number.

        Raises:
            NodeUnavailableError: no result, or it is not a number.
        """
        return number(self.call(method, *parameters), method)

    def record(self, method: str, *parameters: Any) -> dict[str, Any] | None:
        """Result of a method that answers an object or null.

        Raises:
            NodeUnavailableError: no result, or it is something else.
        """
        result = self.call(method, *parameters)
        if result is not None and not isinstance(result, dict):
            raise NodeUnavailableError(f"the node answered {method} with something that is not an object")
        return result

    def _check_chain(self, url: str) -> None:
        if url in self._checked:
            return
        served = number(self._request(url, "eth_chainId", []).result, "eth_chainId")
        if served != self.chain_id:
            raise ConfigurationError(
                f"an RPC address set for chain {self.chain_id} serves chain {served}",
                what_to_do="correct the address or the chain id in the configuration",
            )
        self._checked.add(url)

    def _request(self, url: str, method: str, parameters: list[Any]) -> Answer:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        try:
            with self._client.stream("POST", url, json=body) as response:
                status, data = response.status_code, bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise NodeUnavailableError(f"an answer larger than {MAX_ANSWER} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NodeUnavailableError(str(error) or type(error).__name__) from error
        try:
            check_nesting(data, what="node's answer")
            value = json.loads(data)
        except (ValueError, LimitExceededError) as error:
            raise NodeUnavailableError(f"HTTP {status} without JSON") from error
        if isinstance(value, dict) and isinstance(value.get("error"), dict):
            problem = value["error"]
            if status == httpx.codes.TOO_MANY_REQUESTS or problem.get("code") in _TRY_ANOTHER:
                raise NodeUnavailableError("too many requests")
            return Answer(refusal=str(problem.get("message"))[:500])
        if status != httpx.codes.OK or not isinstance(value, dict) or "result" not in value:
            raise NodeUnavailableError(f"HTTP {status} without a JSON-RPC answer")
        return Answer(result=value["result"])


def _shown(url: str) -> str:
    """Host and port of an address; its path and user part may hold a provider's key."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def number(value: Any, name: str) -> int:
    """The number in a node's hexadecimal quantity.

    Raises:
        NodeUnavailableError: it is not one.
    """
    try:
        return int(value, 16)
    except (TypeError, ValueError) as error:
        raise NodeUnavailableError(f"the node answered {name} with something that is not a number") from error


def binary(value: Any, name: str) -> bytes:
    """The bytes in a node's hexadecimal data.

    Raises:
        NodeUnavailableError: it is not data.
    """
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise NodeUnavailableError(f"the node answered {name} with something that is not data") from error
