"""The anchor contract on a real EVM, called as any stranger would: JSON-RPC and nothing of ours between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from eth_abi.abi import decode, encode

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from evidence_service.sandbox.devchain import ACCOUNTS
from evidence_service.verify.trie import keccak256
from tests.running import ANVIL

EVENT = "0x" + keccak256(b"Anchored(address,bytes32,uint64)").hex()


class Reverted(Exception):  # noqa: N818 - what the EVM calls it
    """A call was reverted; ``data`` is what the contract said."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data.hex())
        self.data = data


@dataclass(frozen=True)
class Evm:
    """A chain that mines at once and signs for its first accounts; the contract is deployed on it."""

    name: str
    url: str
    chain_id: int
    contract: str = contract.expected_address()

    def ask(self, method: str, *parameters: Any) -> Any:
        """Result of a method; an error carries the revert's data where there is some."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = httpx.post(self.url, json=body, timeout=20, trust_env=False).json()
        if "error" not in answer:
            return answer["result"]
        data = answer["error"].get("data")
        assert isinstance(data, str), answer
        raise Reverted(bytes.fromhex(data[2:]))

    def call(self, data: bytes, *, sender: str = "0x" + "99" * 20, value: int = 0) -> bytes:
        """What a call answers, without a transaction."""
        call = {"from": sender, "to": self.contract, "data": "0x" + data.hex(), "value": hex(value)}
        return bytes.fromhex(self.ask("eth_call", call, "latest")[2:])

    def transact(self, sender: str, data: bytes) -> dict[str, Any]:
        """Receipt of a transaction, whatever became of it."""
        sent = {"from": sender, "to": self.contract, "data": "0x" + data.hex(), "gas": hex(500_000)}
        sent_hash = self.ask("eth_sendTransaction", sent)
        for _ in range(200):
            # anvil answers with a hash before it has mined.
            receipt: dict[str, Any] | None = self.ask("eth_getTransactionReceipt", sent_hash)
            if receipt:
                return receipt
            time.sleep(0.02)
        raise AssertionError(f"{self.name} did not mine {sent_hash}")

    def send(self, sender: str, data: bytes) -> dict[str, Any]:
        """Receipt of a transaction; it has to succeed."""
        receipt = self.transact(sender, data)
        assert receipt["status"] == "0x1"
        return receipt

    def anchor_of(self, submitter: str, commitment: bytes) -> tuple[int, int, int]:
        """Time, block number, number of leaves."""
        found = self.call(encoded("anchorOf(address,bytes32)", submitter, commitment))
        return decode(["uint64", "uint64", "uint64"], found)  # type: ignore[return-value]

    def block(self, receipt: dict[str, Any]) -> tuple[int, int]:
        """Time and number of a receipt's block."""
        found = self.ask("eth_getBlockByNumber", receipt["blockNumber"], False)
        return int(found["timestamp"], 16), int(found["number"], 16)

    def now(self) -> int:
        """Time of the latest block."""
        return int(self.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def pass_seconds(self, seconds: int) -> None:
        """Mine a block that much later."""
        self.ask("evm_increaseTime", seconds)
        self.ask("evm_mine")


@contextmanager
def anvil(directory: Path, *, hardfork: str, chain_id: int = CHAIN_ID) -> Iterator[Evm]:
    """An anvil while the block lasts, without the contract."""
    chain = AnvilChain(directory, free_port(), anvil=ANVIL, hardfork=hardfork, chain_id=chain_id)
    try:
        yield Evm("anvil", chain.rpc_url, chain_id)
    finally:
        chain.stop()


def deployed(evm: Evm) -> Evm:
    """The chain with the contract on it."""
    node = Node([evm.url], evm.chain_id)
    assert contract.deploy_if_absent(node, LocalSigner(ACCOUNTS[0].private_key)) == evm.contract
    node.close()
    return evm


def encoded(signature: str, *arguments: Any) -> bytes:
    """Selector and arguments: call data of a function, or what a custom error reverts with."""
    inner = signature.partition("(")[2].removesuffix(")")
    return keccak256(signature.encode())[:4] + encode(inner.split(",") if inner else [], arguments)
