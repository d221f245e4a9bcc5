"""A receipt for a transaction that no block holds, and a block that no chain holds: both look right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rlp
from eth_account import Account
from trie.hexary import HexaryTrie

from evidence_service.anchor import contract, encoding
from evidence_service.verify.chain import EVENT_TOPIC
from evidence_service.verify.trie import keccak256

_ANCHOR_CALL = 4 + 32 + 32
"""Bytes of a call of ``anchor(bytes32,uint64)``."""


def receipt(raw: bytes, block: dict[str, Any]) -> dict[str, Any]:
    """The receipt an honest node would give had the block held the transaction, alone.

    Args:
        raw: an EIP-1559 transaction; of a call of ``anchor`` the event is shown too.
        block: JSON of the block it is placed in.
    """
    fields: list[Any] = rlp.decode(raw[1:])
    submitter, to, data = str(Account.recover_transaction(raw)).lower(), "0x" + fields[5].hex(), fields[7]
    place = {
        "transactionHash": "0x" + keccak256(raw).hex(),
        "transactionIndex": "0x0",
        "blockHash": block["hash"],
        "blockNumber": block["number"],
    }
    log = {
        **place,
        "address": to,
        "topics": ["0x" + EVENT_TOPIC.hex(), "0x" + "0" * 24 + submitter[2:], "0x" + data[4:36].hex()],
        "data": "0x" + data[36:].hex(),
        "logIndex": "0x0",
        "removed": False,
    }
    return {
        **place,
        "type": "0x2",
        "status": "0x1",
        "from": submitter,
        "to": to,
        "contractAddress": None,
        "gasUsed": "0xb540",
        "cumulativeGasUsed": "0xb540",
        "effectiveGasPrice": block["baseFeePerGas"],
        "logsBloom": "0x" + "00" * 256,
        "logs": [log] if len(data) == _ANCHOR_CALL else [],
    }


@dataclass(frozen=True)
class Forged:
    """A block whose hash is that of its header, and the state it claims."""

    block: dict[str, Any]
    _state: HexaryTrie
    _account: dict[str, Any]

    def proof(self, address: str, slots: list[str]) -> dict[str, Any]:
        """What eth_getProof says of any address: proved by the block's state root."""
        key = keccak256(bytes.fromhex(address[2:]))
        nodes = ["0x" + rlp.encode(node).hex() for node in self._state.get_proof(key)]
        absent = [{"key": slot, "value": "0x0", "proof": []} for slot in slots]
        return {**self._account, "address": address, "accountProof": nodes, "storageProof": absent}


def head(newest: dict[str, Any], address: str, nonce: int) -> Forged:
    """A block on top of the newest one, after which an account has sent so many transactions and the contract is empty."""
    empty_root, empty_code = keccak256(b"\x80"), keccak256(b"")
    state = HexaryTrie({})
    state[keccak256(bytes.fromhex(address[2:]))] = rlp.encode([nonce, 10**24, empty_root, empty_code])
    code = bytes.fromhex(contract.code_hash()[2:])
    state[keccak256(bytes.fromhex(contract.expected_address()[2:]))] = rlp.encode([1, 0, empty_root, code])
    block = {
        **newest,
        "number": hex(int(newest["number"], 16) + 1),
        "parentHash": newest["hash"],
        "timestamp": hex(int(newest["timestamp"], 16) + 1),
        "stateRoot": "0x" + state.root_hash.hex(),
        "transactions": [],
    }
    block["hash"] = "0x" + keccak256(encoding.header(block)).hex()
    account = {"nonce": hex(nonce), "balance": hex(10**24), "codeHash": "0x" + empty_code.hex()}
    return Forged(block, state, {**account, "storageHash": "0x" + empty_root.hex()})
