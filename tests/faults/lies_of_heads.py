"""Lies about the head, finality, nonces, transactions, fees; numbers that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.faults.lying import BLOCK, RECEIPT, Table, about, flipped, more
from tests.faults.rpc_exchange import Answer, Exchange

TABLE = Table()

_QUANTITY = (
    *("eth_blockNumber", "eth_chainId", "eth_estimateGas", "eth_gasPrice", "eth_getBalance"),
    *("eth_getTransactionCount", "eth_maxPriorityFeePerGas"),
)


@TABLE.lies("eth_chainId")
def wrong_chain_id(_exchange: Exchange, result: Any) -> Any:
    """Serves another chain."""
    return more(result, 1)


@TABLE.answers()
def stale_head(exchange: Exchange) -> Answer:
    """Knows nothing above a block some way back (option ``blocks``, 3), and stays there."""
    head = int(exchange.ask("eth_blockNumber"), 16)
    frozen = exchange.memory.setdefault("frozen", max(head - exchange.options.get("blocks", 3), 0))
    if exchange.method == "eth_blockNumber":
        return exchange.result(hex(frozen))
    named = exchange.tag
    if isinstance(named, str):
        if named == "finalized":
            final = int(exchange.ask("eth_getBlockByNumber", "finalized", False)["number"], 16)
            return exchange.at(hex(min(final, frozen)))
        if named in {"latest", "pending", "safe"}:
            return exchange.at(hex(frozen))
        if named.startswith("0x") and len(named) < 66 and int(named, 16) > frozen:
            nothing = exchange.method in {"eth_getBlockByNumber", "eth_getBlockReceipts"}
            return exchange.result(None) if nothing else exchange.error(-32000, "header not found")
    answer = exchange.forward()
    return {**answer, "result": _below(answer["result"], frozen)} if "result" in answer else answer


def _below(result: Any, frozen: int) -> Any:
    """What of a result a node knows whose head is at ``frozen``."""
    if isinstance(result, list) and result and isinstance(result[0], dict) and "blockNumber" in result[0]:
        known = [item for item in result if int(item["blockNumber"], 16) <= frozen]
        return known or None
    if not isinstance(result, dict):
        return result
    at = result.get("blockNumber") or (result.get("number") if "parentHash" in result else None)
    if at is None or int(at, 16) <= frozen:
        return result
    if "raw" in result or "input" in result:  # a transaction: back in the pool
        return {**result, "blockNumber": None, "blockHash": None, "transactionIndex": None}
    return None


@TABLE.lies(
    "eth_blockNumber",
    "eth_getBlockByNumber",
    when=about(None, "latest"),
)
def head_ahead(_exchange: Exchange, result: Any) -> Any:
    """Claims a head eight blocks further than there are."""
    if isinstance(result, dict):
        return {**result, "number": more(result["number"], 8)}
    return more(result, 8)


@TABLE.answers(when=about("finalized"))
def finalized_missing(exchange: Exchange) -> Answer:
    """Knows no finalized tag."""
    return exchange.error(-32602, "invalid block tag: finalized")


@TABLE.answers("eth_getBlockByNumber", when=about("finalized"))
def finalized_null(exchange: Exchange) -> Answer:
    """Has no finalized block."""
    exchange.forward()
    return exchange.result(None)


@TABLE.lies("eth_getBlockByNumber", when=about("finalized"))
def finalized_ahead(exchange: Exchange, result: Any) -> Any:
    """Calls final what is ahead of its head."""
    return {**result, "number": more(exchange.ask("eth_blockNumber"), 8)}


@TABLE.answers(when=about("finalized"))
def finalized_early(exchange: Exchange) -> Answer:
    """Calls its newest block final."""
    return exchange.at("latest")


@TABLE.lies("eth_getTransactionCount", "eth_getProof")
def nonce_low(exchange: Exchange, result: Any) -> Any:
    """Counts fewer transactions of the account (option ``by``, 1), in proofs too."""
    return _nonce(result, -exchange.options.get("by", 1))


@TABLE.lies("eth_getTransactionCount", "eth_getProof")
def nonce_high(exchange: Exchange, result: Any) -> Any:
    """Counts more transactions of the account (option ``by``, 5), in proofs too."""
    return _nonce(result, exchange.options.get("by", 5))


def _nonce(result: Any, by: int) -> Any:
    if isinstance(result, dict):
        return {**result, "nonce": more(result["nonce"], by)}
    return more(result, by)


@TABLE.answers("eth_sendRawTransaction")
def accepted_and_dropped(exchange: Exchange) -> Answer:
    """Accepts a transaction and forgets it."""
    raw = exchange.params[0]
    return exchange.result(next(found for found, seen in exchange.sent.items() if "0x" + seen.hex() == raw))


@TABLE.lies("eth_sendRawTransaction")
def other_hash(_exchange: Exchange, result: Any) -> Any:
    """Accepts a transaction and names another hash for it."""
    return flipped(result)


@TABLE.lies("eth_getTransactionByHash")
def null_transaction(_exchange: Exchange, _result: Any) -> Any:
    """Does not know a transaction it has."""
    return None


@TABLE.lies(
    "eth_getBlockByNumber",
    "eth_feeHistory",
    "eth_gasPrice",
    when=about(None, "latest", "pending"),
)
def fee_spike(_exchange: Exchange, result: Any) -> Any:
    """Gives a thousandfold base fee."""
    if isinstance(result, str):
        return hex(int(result, 16) * 1000)
    base = result["baseFeePerGas"]
    raised = [hex(int(fee, 16) * 1000) for fee in (base if isinstance(base, list) else [base])]
    return {**result, "baseFeePerGas": raised if isinstance(base, list) else raised[0]}


@TABLE.lies("eth_estimateGas")
def gas_estimate_huge(_exchange: Exchange, _result: Any) -> Any:
    """Estimates the gas of thirty full blocks."""
    return hex(30 * 30_000_000)


@TABLE.answers("eth_estimateGas")
def gas_estimate_reverts(exchange: Exchange) -> Answer:
    """Says that a good call reverts."""
    return exchange.error(3, "execution reverted")


@TABLE.lies(*_QUANTITY, *BLOCK, *RECEIPT)
def not_hexadecimal(_exchange: Exchange, result: Any) -> Any:
    """Gives text that is no number where a number belongs."""
    return _numbers(result, lambda _value: "0xtwelve")


@TABLE.lies(*_QUANTITY, *BLOCK, *RECEIPT)
def numbers_as_json(_exchange: Exchange, result: Any) -> Any:
    """Gives JSON numbers where hexadecimal text belongs."""
    return _numbers(result, lambda value: int(value, 16))


def _numbers(result: Any, change: Callable[[str], Any]) -> Any:
    if isinstance(result, str):
        return change(result)
    if isinstance(result, list):
        return [_numbers(item, change) for item in result]
    names = ("number", "timestamp", "baseFeePerGas", "blockNumber", "status", "gasUsed")
    return {**result, **{name: change(result[name]) for name in names if isinstance(result.get(name), str)}}


TABLE.absent("no_max_priority_fee", "eth_maxPriorityFeePerGas")
TABLE.absent("no_fee_history", "eth_feeHistory")
TABLE.absent("no_estimate_gas", "eth_estimateGas")
