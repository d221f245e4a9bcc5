"""Blocks as a header's hash and roots prove them: whatever a node says of one is rebuilt and compared."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from trie.hexary import HexaryTrie

from evidence_service.anchor import encoding
from evidence_service.anchor.endpoint import Caller, number
from evidence_service.errors import EvidenceError, NodeLiedError, NodeUnavailableError
from evidence_service.verify.chain import BlockHeader
from evidence_service.verify.trie import keccak256


@dataclass(frozen=True, slots=True)
class Header:
    """A header whose hash was computed from its fields.

    Attributes:
        raw: its RLP.
        hash: 0x and lower-case hexadecimal.
        base_fee: wei per gas; 0 on a chain without EIP-1559.
    """

    raw: bytes
    fields: BlockHeader
    hash: str
    base_fee: int

    @property
    def number(self) -> int:
        """Block number."""
        return self.fields.number

    @property
    def time(self) -> int:
        """Block time, seconds since 1970."""
        return self.fields.timestamp


def header(caller: Caller, block: str) -> Header | None:
    """The header of a block.

    Args:
        block: ``latest``, ``finalized``, a number as 0x and hexadecimal, or a hash.

    Raises:
        NodeLiedError: the fields do not have the hash the node gives.
        NodeUnavailableError: no answer.
    """
    answer = _block(caller, block, bodies=False)
    return None if answer is None else _checked_header(answer)


@dataclass(frozen=True, slots=True)
class Block:
    """A block whose transactions and receipts were rebuilt into the roots of its header.

    Attributes:
        hashes: transaction hashes (0x, lower case) in order.
        receipts: the node's JSON, every field of which the receipts root covers that is used here.
    """

    header: Header
    hashes: tuple[str, ...]
    receipts: tuple[dict[str, Any], ...]
    _transactions: HexaryTrie
    _receipts: HexaryTrie

    def index(self, transaction_hash: str) -> int | None:
        """Position of a transaction; None when it is not in the block."""
        return self.hashes.index(transaction_hash) if transaction_hash in self.hashes else None

    def transaction_proof(self, index: int) -> list[str]:
        """Trie nodes (base64) from the transactions root to the transaction."""
        return _proof(self._transactions, index)

    def receipt_proof(self, index: int) -> list[str]:
        """Trie nodes (base64) from the receipts root to the receipt."""
        return _proof(self._receipts, index)


def block(caller: Caller, block_hash: str) -> Block:
    """A whole block.

    Raises:
        NodeLiedError: a transaction or receipt is not the one the header's root covers.
        NodeUnavailableError: no answer, or the node does not know the block (any more).
        UnsupportedVersionError: the block holds a transaction type unknown here.
    """
    answer = _block(caller, block_hash, bodies=True)
    if answer is None:
        raise NodeUnavailableError(f"the node does not know block {block_hash}")
    found = _checked_header(answer)
    if found.hash != block_hash:
        raise NodeLiedError(f"asked for block {block_hash} it gave block {found.hash}")
    listed = answer.get("transactions")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise NodeUnavailableError("the node gave a block without its transactions")
    try:
        raw = [encoding.transaction(item) for item in listed]
    except (KeyError, TypeError, AttributeError) as error:
        raise NodeLiedError(f"a transaction of block {block_hash} lacks {error}") from error
    transactions = _trie(raw)
    if transactions.root_hash != found.fields.transactions_root:
        raise NodeLiedError(f"the transactions it gives for block {block_hash} are not those of its header")
    hashes = tuple("0x" + keccak256(item).hex() for item in raw)
    receipts = _receipts(caller, block_hash, hashes)
    try:
        logged = _trie([encoding.receipt(item) for item in receipts])
    except (KeyError, TypeError, AttributeError) as error:
        raise NodeLiedError(f"a receipt of block {block_hash} lacks {error}") from error
    if logged.root_hash != found.fields.receipts_root:
        raise NodeLiedError(f"the receipts it gives for block {block_hash} are not those of its header")
    return Block(found, hashes, tuple(receipts), transactions, logged)


def _block(caller: Caller, block: str, *, bodies: bool) -> dict[str, Any] | None:
    by_hash = len(block) == 66
    return caller.record("eth_getBlockByHash" if by_hash else "eth_getBlockByNumber", block, bodies)


def _checked_header(answer: dict[str, Any]) -> Header:
    try:
        raw = encoding.header(answer)
        fields = BlockHeader.parse(raw)
    except (EvidenceError, TypeError, KeyError) as error:
        raise NodeLiedError(f"it gave a block header that is none: {error}") from error
    computed = "0x" + fields.hash.hex()
    if computed != str(answer.get("hash")).lower():
        # If all nodes of a chain do this, the chain has header fields unknown to this program.
        raise NodeLiedError(f"the header of block {fields.number} does not have the hash it gives for it")
    base = answer.get("baseFeePerGas")
    return Header(raw, fields, computed, 0 if base is None else number(base, "baseFeePerGas"))


def _receipts(caller: Caller, block_hash: str, hashes: Sequence[str]) -> list[dict[str, Any]]:
    """All receipts of a block, at once or, where a node has no such method, one by one."""
    receipts = caller.ask("eth_getBlockReceipts", block_hash).result
    if not isinstance(receipts, list):
        receipts = [caller.record("eth_getTransactionReceipt", item) for item in hashes]
    if len(receipts) != len(hashes) or not all(isinstance(item, dict) for item in receipts):
        raise NodeUnavailableError("the node does not have all receipts of the block")
    return receipts


def _trie(values: Sequence[bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for position, value in enumerate(values):
        trie[rlp.encode(position)] = value
    return trie


def _proof(trie: HexaryTrie, index: int) -> list[str]:
    encoded = [rlp.encode(node) for node in trie.get_proof(rlp.encode(index))]
    # A node below 32 bytes is inside its parent; only the root stands for itself at any size.
    return [
        base64.b64encode(node).decode() for depth, node in enumerate(encoded) if depth == 0 or len(node) >= 32
    ]
