"""An anvil that holds an anchored commitment, a fault proxy before it, and a plain client."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from evidence_service.anchor import contract
from evidence_service.anchor.signer import LocalSigner
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from tests.faults.anvil import AnvilControl
from tests.faults.rpc_proxy import RpcProxy

SIGNER = LocalSigner(AnvilChain.accounts[0].private_key)
CONTRACT = contract.expected_address()
COMMITMENT = bytes(range(32))
TIMEOUT = 0.3


@dataclass(frozen=True)
class World:
    """An anvil with one anchored commitment, ten blocks back, and a proxy before it."""

    anvil: AnvilControl
    proxy: RpcProxy
    anchored: str
    block: str
    number: int


def anchoring(nonce: int) -> bytes:
    """Raw transaction that anchors the commitment with seven leaves."""
    return SIGNER.sign_transaction(
        {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": bytes.fromhex(CONTRACT[2:]),
            "value": 0,
            "data": contract.anchor_call(COMMITMENT, 7),
            "gas": 100_000,
            "maxFeePerGas": 10**12,
            "maxPriorityFeePerGas": 10**9,
        }
    )


def post(url: str, method: str, params: list[Any]) -> tuple[int, bytes]:
    """Status and body, over a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def answer(url: str, method: str, params: list[Any]) -> dict[str, Any]:
    """JSON of a good answer."""
    status, body = post(url, method, params)
    assert status == 200
    value: dict[str, Any] = json.loads(body)
    assert value["id"] == 1
    return value
