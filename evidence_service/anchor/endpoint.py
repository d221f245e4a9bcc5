"""JSON-RPC with one address of a node: answers bounded and classified, its health remembered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import httpx

from evidence_service.core.canonical import check_nesting
from evidence_service.errors import EvidenceError, NodeUnavailableError

MAX_ANSWER = 64 * 1024 * 1024
"""Most bytes of one answer: all receipts of a full block are some 20 MiB."""

_TRY_ANOTHER = frozenset({-32005, -32029, 429})
"""Error codes by which providers say "too many requests"."""

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds an address is asked last after a failure: doubled with each one that follows."""
LIE_PAUSE = 600.0
"""Seconds an address is asked last after it was caught in a contradiction."""


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


class Caller:
    """The ways to read an answer; a subclass says who is asked."""

    chain_id: int

    def ask(self, method: str, *parameters: Any) -> Answer:
        """Answer to a method; a refusal by the node is an answer, silence is not.

        Raises:
            NodeUnavailableError: no answer, or one for another chain.
        """
        raise NotImplementedError

    def call(self, method: str, *parameters: Any) -> Any:
        """Result of a method.

        Raises:
            NodeUnavailableError: no result.
        """
        answer = self.ask(method, *parameters)
        if answer.refusal is not None:
            raise NodeUnavailableError(f"the node refused {method}: {answer.refusal}")
        return answer.result

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


class Endpoint(Caller):
    """One address. Its chain id is asked before it is used, and again after every failure.

    Args:
        url: http or https address.
        clock: monotonic seconds.
    """

    def __init__(self, url: str, chain_id: int, client: httpx.Client, clock: Callable[[], float]) -> None:
        self.chain_id = chain_id
        self.name = shown(url)
        self.failures = 0
        """Failures in a row."""
        self.lies = 0
        self.last_lie = ""
        self.head = 0
        """Number of the newest block it named."""
        self.resting_until = 0.0
        self._url = url
        self._client = client
        self._clock = clock
        self._checked = False

    @property
    def resting(self) -> bool:
        """Whether it is asked last for now."""
        return self._clock() < self.resting_until

    def caught(self, words: str) -> None:
        """Remember a contradiction: from now on it is asked last, and named."""
        self.lies += 1
        self.last_lie = words
        self.resting_until = self._clock() + LIE_PAUSE

    def ask(self, method: str, *parameters: Any) -> Answer:
        """See :meth:`Caller.ask`."""
        try:
            self._check_chain()
            answer = self._request(method, list(parameters))
        except NodeUnavailableError:
            pause = min(FIRST_PAUSE * 2 ** min(self.failures, 16), LONGEST_PAUSE)
            self.resting_until = max(self.resting_until, self._clock() + pause)
            self.failures += 1
            self._checked = False
            raise
        self.failures = 0
        return answer

    def _check_chain(self) -> None:
        if self._checked:
            return
        served = number(self._request("eth_chainId", []).result, "eth_chainId")
        if served != self.chain_id:
            raise NodeUnavailableError(
                f"it serves chain {served}, not {self.chain_id}: correct the address or the chain id in the "
                "configuration"
            )
        self._checked = True

    def _request(self, method: str, parameters: list[Any]) -> Answer:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                status, data = response.status_code, bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise NodeUnavailableError(f"an answer larger than {MAX_ANSWER} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NodeUnavailableError(str(error) or type(error).__name__) from error
        return _read(status, data)


def _read(status: int, data: bytes | bytearray) -> Answer:
    try:
        check_nesting(data, what="node's answer")
        value = json.loads(data)
    except (ValueError, EvidenceError) as error:
        raise NodeUnavailableError(f"HTTP {status} without JSON") from error
    if not isinstance(value, dict) or value.get("id") != 1:
        raise NodeUnavailableError(f"HTTP {status} without an answer to the request")
    problem = value.get("error")
    if problem is not None:
        if not isinstance(problem, dict):
            raise NodeUnavailableError(f"HTTP {status} with an error that is none")
        code = problem.get("code")
        if status == httpx.codes.TOO_MANY_REQUESTS or (isinstance(code, int) and code in _TRY_ANOTHER):
            raise NodeUnavailableError("too many requests")
        return Answer(refusal=_words(problem.get("message")))
    if status != httpx.codes.OK or "result" not in value:
        raise NodeUnavailableError(f"HTTP {status} without a JSON-RPC answer")
    return Answer(result=value["result"])


def _words(message: Any) -> str:
    """A node's words as far as a database and a terminal can take them."""
    printable = "".join(character if character.isprintable() else "\ufffd" for character in str(message))
    return printable[:500]


def shown(url: str) -> str:
    """Host and port of an address; its path and user part may hold a provider's key."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def number(value: Any, name: str) -> int:
    """The number in a node's hexadecimal quantity.

    Raises:
        NodeUnavailableError: it is not one.
    """
    # int() alone would take signs, blanks and underscores.
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise NodeUnavailableError(f"the node answered {name} with something that is not a number")
    return int(value, 16)


def binary(value: Any, name: str) -> bytes:
    """The bytes in a node's hexadecimal data.

    Raises:
        NodeUnavailableError: it is not data.
    """
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise NodeUnavailableError(f"the node answered {name} with something that is not data") from error
