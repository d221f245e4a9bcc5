"""What a test does to an anvil: mines, reorganises, forgets transactions, changes balances and fees."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class AnvilControl:
    """Steers a running chain over its own RPC address, past any proxy.

    Args:
        rpc_url: of the anvil.
    """

    def __init__(self, rpc_url: str) -> None:
        self.rpc_url = rpc_url

    def call(self, method: str, *parameters: Any) -> Any:
        """Result of a method; a refusal is an assertion error, for a test should not go on after one."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(self.rpc_url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert "error" not in answer, f"anvil refused {method}: {answer['error']}"
        return answer["result"]

    def head(self) -> int:
        """Number of the newest block."""
        return int(self.call("eth_blockNumber"), 16)

    def block(self, block: int | str) -> dict[str, Any]:
        """A block with the hashes of its transactions."""
        found: dict[str, Any] = self.call("eth_getBlockByNumber", _tag(block), False)
        return found

    def receipt(self, transaction_hash: str) -> dict[str, Any] | None:
        """Receipt of a mined transaction."""
        found: dict[str, Any] | None = self.call("eth_getTransactionReceipt", transaction_hash)
        return found

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks; the first holds what is in the pool."""
        self.call("anvil_mine", hex(blocks))

    def reorg(self, depth: int, keep: Sequence[tuple[bytes, int]] = ()) -> None:
        """Replace the newest blocks by as many others; what was in them is forgotten, not put back in the pool.

        Args:
            depth: how many blocks.
            keep: raw transactions that are mined again, each with the position of its block among the new
                ones, counted from 0.
        """
        self.call("anvil_reorg", depth, [["0x" + raw.hex(), block] for raw, block in keep])

    def drop(self, transaction_hash: str) -> None:
        """Remove a transaction from the pool."""
        self.call("anvil_dropTransaction", transaction_hash)

    def pool(self) -> set[str]:
        """Hashes of the transactions that wait, whether or not their turn has come."""
        content = self.call("txpool_content")
        return {
            transaction["hash"]
            for part in ("pending", "queued")
            for by_nonce in content[part].values()
            for transaction in by_nonce.values()
        }

    def set_balance(self, address: str, wei: int) -> None:
        """Give an account a balance."""
        self.call("anvil_setBalance", address, hex(wei))

    def set_nonce(self, address: str, nonce: int) -> None:
        """Make an account have sent so many transactions; only upwards makes sense on a chain."""
        self.call("anvil_setNonce", address, hex(nonce))

    def set_next_base_fee(self, wei: int) -> None:
        """Base fee per gas of the next block."""
        self.call("anvil_setNextBlockBaseFeePerGas", hex(wei))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever the block does to the chain is reverted at its end; the pool, which has no past, is emptied."""
        snapshot = self.call("evm_snapshot")
        try:
            yield
        finally:
            assert self.call("evm_revert", snapshot), "anvil did not revert to the snapshot"
            self.call("anvil_dropAllTransactions")


def _tag(block: int | str) -> str:
    return block if isinstance(block, str) else hex(block)
