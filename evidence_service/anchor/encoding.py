"""A block's header, transactions and receipts as the chain hashes them, rebuilt from a node's JSON.

Nothing here is believed: the caller compares the header's hash and both roots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rlp

from evidence_service.anchor.endpoint import binary, number
from evidence_service.errors import UnsupportedVersionError

Json = Mapping[str, Any]

_HEADER = (
    *(("parentHash", binary), ("sha3Uncles", binary), ("miner", binary), ("stateRoot", binary)),
    *(("transactionsRoot", binary), ("receiptsRoot", binary), ("logsBloom", binary), ("difficulty", number)),
    *(("number", number), ("gasLimit", number), ("gasUsed", number), ("timestamp", number)),
    *(("extraData", binary), ("mixHash", binary), ("nonce", binary)),
)
_HEADER_BY_FORK = (
    ("baseFeePerGas", number),  # London, EIP-1559
    ("withdrawalsRoot", binary),  # Shanghai, EIP-4895
    ("blobGasUsed", number),  # Cancun, EIP-4844
    ("excessBlobGas", number),
    ("parentBeaconBlockRoot", binary),  # Cancun, EIP-4788
    ("requestsHash", binary),  # Prague, EIP-7685
)


def header(block: Json) -> bytes:
    """RLP of a header; fields of later forks as far as the node gives them."""
    fields = [read(block.get(name), name) for name, read in _HEADER]
    for name, read in _HEADER_BY_FORK:
        if block.get(name) is None:
            break
        fields.append(read(block[name], name))
    return bytes(rlp.encode(fields))


def transaction(value: Json) -> bytes:
    """A transaction as it stands in the transactions trie (EIP-2718; blobs are not part of it).

    Raises:
        UnsupportedVersionError: a type unknown here.
    """
    kind = _kind(value)
    if kind == 0:
        fields = [
            *_numbers(value, "nonce", "gasPrice", "gas"),
            *_call(value),
            *_numbers(value, "v", "r", "s"),
        ]
        return bytes(rlp.encode(fields))
    parity = value.get("yParity", value.get("v"))
    signature = [number(parity, "yParity"), *_numbers(value, "r", "s")]
    access = [
        [binary(entry["address"], "address"), [binary(key, "storageKeys") for key in entry["storageKeys"]]]
        for entry in value["accessList"]
    ]
    if kind == 1:
        head = _numbers(value, "chainId", "nonce", "gasPrice", "gas")
    else:
        head = _numbers(value, "chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
    fields = [*head, *_call(value), access, *_additions(kind, value), *signature]
    return bytes([kind]) + bytes(rlp.encode(fields))


def receipt(value: Json) -> bytes:
    """A receipt as it stands in the receipts trie (EIP-658, EIP-2718)."""
    logs = [
        [
            binary(log["address"], "address"),
            [binary(topic, "topics") for topic in log["topics"]],
            binary(log["data"], "data"),
        ]
        for log in value["logs"]
    ]
    bloom = binary(value.get("logsBloom"), "logsBloom")
    encoded = bytes(rlp.encode([*_numbers(value, "status", "cumulativeGasUsed"), bloom, logs]))
    kind = _kind(value)
    return encoded if kind == 0 else bytes([kind]) + encoded


def _kind(value: Json) -> int:
    kind = number(value.get("type", "0x0"), "type")
    if kind not in range(5):
        raise UnsupportedVersionError(
            f"the block holds a transaction of type {kind}, which is not known to this program",
            what_to_do="anchor on a chain whose transaction types are those of Ethereum",
        )
    return kind


def _call(value: Json) -> list[Any]:
    return [
        binary(value.get("to") or "0x", "to"),
        number(value.get("value"), "value"),
        binary(value.get("input"), "input"),
    ]


def _additions(kind: int, value: Json) -> list[Any]:
    """Fields between access list and signature: EIP-4844 for type 3, EIP-7702 for type 4."""
    if kind == 3:
        hashes = [binary(item, "blobVersionedHashes") for item in value["blobVersionedHashes"]]
        return [number(value.get("maxFeePerBlobGas"), "maxFeePerBlobGas"), hashes]
    if kind == 4:
        return [
            [
                [
                    number(item["chainId"], "chainId"),
                    binary(item["address"], "address"),
                    *_numbers(item, "nonce", "yParity", "r", "s"),
                ]
                for item in value["authorizationList"]
            ]
        ]
    return []


def _numbers(value: Json, *names: str) -> list[int]:
    return [number(value.get(name), name) for name in names]
