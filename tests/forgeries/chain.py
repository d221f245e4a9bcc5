"""Blocks of a chain of our own: every root is honest, so that only the flaw that is asked for is there."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any

import rlp
from trie import HexaryTrie

from evidence_service.verify.chain import EVENT_TOPIC, record_slot
from evidence_service.verify.trie import keccak256

CONTRACT = bytes.fromhex("c0" * 20)
SUBMITTER = bytes.fromhex("5b" * 20)
CODE_HASH = keccak256(b"the contract's code")


@dataclass(frozen=True)
class Block:
    """An anchoring in a block, and everything a forger may set otherwise.

    Attributes:
        position: index of the anchoring transaction among ``transactions`` of them.
        kind: transaction type (EIP-2718).
        logs_before: logs of other contracts in the same receipt.
    """

    commitment: bytes
    leaves: int
    time: int
    chain_id: int = 1
    number: int = 20_000_000
    position: int = 1
    transactions: int = 3
    kind: int = 2
    receipt_kind: int | None = None
    logs_before: int = 1
    contract: bytes = CONTRACT
    submitter: bytes = SUBMITTER
    state: bool = True
    extra_fields: int = 5
    # what a forger sets
    recipient: bytes | None = None
    signed_for: int | None = None
    unprotected: bool = False
    status: bytes = b"\x01"
    emitter: bytes | None = None
    topic: bytes = EVENT_TOPIC
    logged_submitter: bytes | None = None
    logged_commitment: bytes | None = None
    logged_leaves: int | None = None
    code_hash: bytes = CODE_HASH
    claimed_code_hash: bytes | None = None
    recorded_time: int | None = None
    recorded_block: int | None = None
    recorded_leaves: int | None = None
    slot: bytes | None = None

    def anchor(self) -> dict[str, Any]:
        """The ``anchor`` member of a bundle."""
        transactions = self._trie([self._transaction(i) for i in range(self.transactions)])
        receipts = self._trie([self._receipt(i) for i in range(self.transactions)])
        state, account_proof, storage_proof = self._state()
        key = rlp.encode(self.position)
        return {
            "chain_id": str(self.chain_id),
            "contract": "0x" + self.contract.hex(),
            "code_hash": "0x" + (self.claimed_code_hash or CODE_HASH).hex(),
            "submitter": "0x" + self.submitter.hex(),
            "header": text(self.header(transactions, receipts, state)),
            "transaction": {"index": self.position, "proof": proof(transactions, key)},
            "receipt": {"log_index": self.logs_before, "proof": proof(receipts, key)},
            "state": {"account_proof": account_proof, "storage_proof": storage_proof} if self.state else None,
        }

    def header(self, transactions: HexaryTrie, receipts: HexaryTrie, state: HexaryTrie) -> bytes:
        """Raw RLP of the header."""
        fields: list[Any] = [b"\x11" * 32, b"\x22" * 32, b"\x33" * 20, state.root_hash]
        fields += [transactions.root_hash, receipts.root_hash, bytes(256), 0, self.number, 30_000_000]
        fields += [123_456, self.time, b"builder", b"\x44" * 32, bytes(8)]
        fields += [10**9, b"\x55" * 32, 0, 0, b"\x66" * 32][: self.extra_fields]
        return bytes(rlp.encode(fields))

    def _trie(self, values: list[bytes]) -> HexaryTrie:
        trie = HexaryTrie({})
        for position, value in enumerate(values):
            trie[rlp.encode(position)] = value
        return trie

    def _transaction(self, index: int) -> bytes:
        ours = index == self.position
        recipient = (
            (self.recipient if self.recipient is not None else self.contract) if ours else b"\x09" * 20
        )
        chain = self.chain_id if self.signed_for is None or not ours else self.signed_for
        data = b"\xab\xcd\xef\x01" + self.commitment if ours else bytes(index + 40)
        kind = self.kind if ours else 2
        if kind == 0:
            v = 27 if self.unprotected else 35 + 2 * chain
            return bytes(rlp.encode([index, 10**9, 60_000, recipient, 0, data, v, 5, 6]))
        fields: list[Any] = [chain, index, 10**9]
        fields += [] if kind == 1 else [2 * 10**9]
        fields += [60_000, recipient, 0, data, []]
        fields += {3: [1, [b"\x01" * 32]], 4: [[]]}.get(kind, [])
        fields += [1, 5, 6]
        return bytes([kind]) + bytes(rlp.encode(fields))

    def _receipt(self, index: int) -> bytes:
        ours = index == self.position
        logs: list[Any] = [[b"\x08" * 20, [b"\x07" * 32], b"other"] for _ in range(self.logs_before)]
        if ours:
            topics = [
                self.topic,
                (self.logged_submitter or self.submitter).rjust(32, b"\0"),
                self.logged_commitment or self.commitment,
            ]
            leaves = self.leaves if self.logged_leaves is None else self.logged_leaves
            logs.append([self.emitter or self.contract, topics, leaves.to_bytes(32, "big")])
        kind = (self.kind if self.receipt_kind is None else self.receipt_kind) if ours else 2
        body = bytes(rlp.encode([self.status if ours else b"\x01", 21_000 * (index + 1), bytes(256), logs]))
        return body if kind == 0 else bytes([kind]) + body

    def _state(self) -> tuple[HexaryTrie, list[str], list[str]]:
        storage = HexaryTrie({})
        slot = self.slot or record_slot(self.submitter, self.commitment)
        time = self.time if self.recorded_time is None else self.recorded_time
        block = self.number if self.recorded_block is None else self.recorded_block
        leaves = self.leaves if self.recorded_leaves is None else self.recorded_leaves
        storage[keccak256(slot)] = rlp.encode(leaves << 128 | block << 64 | time)
        for other in range(5):
            storage[keccak256(bytes([other]) * 32)] = rlp.encode(other + 1)
        accounts = HexaryTrie({})
        accounts[keccak256(self.contract)] = rlp.encode([1, 0, storage.root_hash, self.code_hash])
        for other in range(20):
            accounts[keccak256(bytes([other]) * 20)] = rlp.encode([other, other, bytes(32), bytes(32)])
        wanted = keccak256(record_slot(self.submitter, self.commitment))
        return accounts, proof(accounts, keccak256(self.contract)), proof(storage, wanted)

    def but(self, **changes: Any) -> Block:
        """The same with something set otherwise."""
        return replace(self, **changes)


def proof(trie: HexaryTrie, key: bytes) -> list[str]:
    """Nodes from the root to a key, as the bundle holds them."""
    encoded = [bytes(rlp.encode(node)) for node in trie.get_proof(key)]
    return [text(node) for depth, node in enumerate(encoded) if depth == 0 or len(node) >= 32]


def header_of(anchor: dict[str, Any]) -> tuple[str, str]:
    """Number and hash of an anchor's block, as a checkpoint names them."""
    raw = base64.b64decode(anchor["header"])
    return str(int.from_bytes(rlp.decode(raw)[8], "big")), "0x" + keccak256(raw).hex()


def text(data: bytes) -> str:
    """Base64, as in the formats."""
    return base64.b64encode(data).decode()
