"""Lies about receipts, blocks and state: what proofs and hashes contradict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.faults import fabrication
from tests.faults.lying import BLOCK, RECEIPT, Table, flipped, more
from tests.faults.rpc_exchange import Answer, Exchange

TABLE = Table()

_NOWHERE = "0x" + "5a" * 20
"""An address without account."""
_NO_SLOT = "0x" + "a5" * 32
_JUNK = "0xc22080"
"""A trie node that leads nowhere: RLP of two short strings."""


@TABLE.lies(*RECEIPT)
def null_receipt(_exchange: Exchange, _result: Any) -> Any:
    """Has no receipt of a mined transaction."""
    return None


def _each(result: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    return [change(item) for item in result] if isinstance(result, list) else change(result)


@TABLE.lies(*RECEIPT)
def receipt_failed(_exchange: Exchange, result: Any) -> Any:
    """Says of a transaction that it failed."""
    return _each(result, lambda receipt: {**receipt, "status": "0x0"})


@TABLE.lies(*RECEIPT)
def receipt_succeeded(_exchange: Exchange, result: Any) -> Any:
    """Says of a transaction that it succeeded."""
    return _each(result, lambda receipt: {**receipt, "status": "0x1"})


@TABLE.lies(*RECEIPT)
def receipt_other_block_hash(_exchange: Exchange, result: Any) -> Any:
    """Places a transaction in a block that does not exist."""
    return _each(result, lambda receipt: {**receipt, "blockHash": flipped(receipt["blockHash"])})


@TABLE.lies(*RECEIPT)
def receipt_other_block_number(_exchange: Exchange, result: Any) -> Any:
    """Places a transaction one block earlier."""
    return _each(result, lambda receipt: {**receipt, "blockNumber": more(receipt["blockNumber"], -1)})


@TABLE.lies(*RECEIPT)
def receipt_missing_log(_exchange: Exchange, result: Any) -> Any:
    """Leaves the events out."""
    return _each(result, lambda receipt: {**receipt, "logs": []})


@TABLE.lies(*RECEIPT)
def receipt_foreign_log(_exchange: Exchange, result: Any) -> Any:
    """Shows the events as another contract's."""
    return _each(
        result,
        lambda receipt: {**receipt, "logs": [{**log, "address": _NOWHERE} for log in receipt["logs"]]},
    )


@TABLE.answers("eth_getTransactionReceipt")
def receipt_fabricated(exchange: Exchange) -> Answer:
    """Shows a receipt, event included, of a transaction that was never mined."""
    answer = exchange.forward()
    raw = exchange.sent.get(exchange.params[0])
    if answer.get("result") is not None or raw is None:
        return answer
    return exchange.result(fabrication.receipt(raw, exchange.ask("eth_getBlockByNumber", "latest", False)))


@TABLE.lies("eth_getLogs")
def logs_missing(_exchange: Exchange, _result: Any) -> Any:
    """Finds no events."""
    return []


@TABLE.lies(*BLOCK)
def header_other_time(_exchange: Exchange, result: Any) -> Any:
    """Dates a block an hour later and keeps its hash."""
    return {**result, "timestamp": more(result["timestamp"], 3600)}


@TABLE.lies(*BLOCK)
def header_other_hash(_exchange: Exchange, result: Any) -> Any:
    """Gives a block another hash."""
    return {**result, "hash": flipped(result["hash"])}


@TABLE.lies(*BLOCK)
def header_other_receipts_root(_exchange: Exchange, result: Any) -> Any:
    """Gives a block another receipts root and keeps its hash."""
    return {**result, "receiptsRoot": flipped(result["receiptsRoot"])}


@TABLE.lies(*BLOCK)
def header_other_state_root(_exchange: Exchange, result: Any) -> Any:
    """Gives a block another state root and keeps its hash."""
    return {**result, "stateRoot": flipped(result["stateRoot"])}


@TABLE.lies(*BLOCK)
def body_without_transaction(_exchange: Exchange, result: Any) -> Any:
    """Leaves the last transaction out of a block."""
    return {**result, "transactions": result["transactions"][:-1]}


@TABLE.lies("eth_getProof")
def proof_other_value(_exchange: Exchange, result: Any) -> Any:
    """Claims other values than the proof's: balance and slots."""
    slots = [{**slot, "value": more(slot["value"], 1)} for slot in result["storageProof"]]
    return {**result, "balance": more(result["balance"], 1), "storageProof": slots}


@TABLE.answers("eth_getProof")
def proof_account_absent(exchange: Exchange) -> Answer:
    """Proves that an account is absent: another one."""
    answer = exchange.forward([_NOWHERE, *exchange.params[1:]])
    if "result" in answer:
        answer["result"]["address"] = exchange.params[0]
    return answer


@TABLE.answers("eth_getProof")
def proof_slot_absent(exchange: Exchange) -> Answer:
    """Proves that the slots are empty: other ones."""
    address, slots, block = exchange.params
    answer = exchange.forward([address, [_NO_SLOT for _ in slots], block])
    if "result" in answer:
        for slot, wanted in zip(answer["result"]["storageProof"], slots, strict=True):
            slot["key"] = wanted
    return answer


@TABLE.lies("eth_getProof")
def proof_junk_node(_exchange: Exchange, result: Any) -> Any:
    """Adds a node to each proof that is not part of it."""
    slots = [{**slot, "proof": [*slot["proof"], _JUNK]} for slot in result["storageProof"]]
    return {**result, "accountProof": [*result["accountProof"], _JUNK], "storageProof": slots}


@TABLE.lies("eth_getProof")
def proof_truncated(_exchange: Exchange, result: Any) -> Any:
    """Leaves the last node of each proof out."""
    slots = [{**slot, "proof": slot["proof"][:-1]} for slot in result["storageProof"]]
    return {**result, "accountProof": result["accountProof"][:-1], "storageProof": slots}


@TABLE.answers("eth_getProof")
def proof_dropped(exchange: Exchange) -> Answer:
    """Has dropped the state it is asked about."""
    return exchange.error(-32000, "distance to target block exceeds maximum proof window")


@TABLE.lies("eth_call")
def call_other_answer(_exchange: Exchange, result: Any) -> Any:
    """Adds one to each word a contract answers."""
    words = [result[start : start + 64] for start in range(2, len(result), 64)]
    return "0x" + "".join(format((int(word, 16) + 1) % 2**256, "064x") for word in words)


@TABLE.lies("eth_call")
def call_zero(_exchange: Exchange, result: Any) -> Any:
    """Says that a contract holds nothing."""
    return "0x" + "0" * (len(result) - 2)


@TABLE.lies("eth_call", "eth_getCode")
def contract_missing(_exchange: Exchange, _result: Any) -> Any:
    """Answers as if no contract were there."""
    return "0x"


@TABLE.lies("eth_getBalance")
def balance_zero(_exchange: Exchange, _result: Any) -> Any:
    """Says that an account is empty."""
    return "0x0"


@TABLE.lies("eth_getBalance")
def balance_high(_exchange: Exchange, result: Any) -> Any:
    """Says that an account holds far more than it does."""
    return more(result, 10**30)


TABLE.absent("no_block_receipts", "eth_getBlockReceipts")
TABLE.absent("no_get_proof", "eth_getProof")
