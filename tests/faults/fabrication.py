"""A receipt that looks right for a transaction that no block holds."""

from __future__ import annotations

from typing import Any

import rlp
from eth_account import Account

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
