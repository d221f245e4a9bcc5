"""Faults of the node: well-formed answers that are untrue. The request always reached the node.

A lie changes only what it names, so that whoever checks proofs and hashes can find it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.rpc_exchange import Answer, Exchange, Fault, Reply, tag

Lie = Callable[[Exchange, Any], Any]
"""The untrue result made from the true one."""

_FAULTS: list[Fault] = []

_BLOCK = ("eth_getBlockByNumber", "eth_getBlockByHash")
_RECEIPT = ("eth_getTransactionReceipt", "eth_getBlockReceipts")
_QUANTITY = (
    *("eth_blockNumber", "eth_chainId", "eth_estimateGas", "eth_gasPrice", "eth_getBalance"),
    *("eth_getTransactionCount", "eth_maxPriorityFeePerGas"),
)
_NOWHERE = "0x" + "5a" * 20
"""An address without account."""
_NO_SLOT = "0x" + "a5" * 32
_JUNK = "0xc22080"
"""A trie node that leads nowhere: RLP of two short strings."""


def faults() -> Iterator[Fault]:
    """All of them."""
    yield from _FAULTS


def lies(*methods: str, when: Callable[[str, list[Any]], bool] | None = None) -> Callable[[Lie], Lie]:
    """Register a lie under its own name; its docstring says what it is. Errors and null pass as they are."""

    def register(lie: Lie) -> Lie:
        def act(exchange: Exchange) -> Reply:
            answer = exchange.forward()
            if answer.get("result") is None:
                return Reply.of(answer)
            return Reply.of({**answer, "result": lie(exchange, copy.deepcopy(answer["result"]))})

        _add(lie, act, methods, when)
        return lie

    return register


def answers(
    *methods: str, when: Callable[[str, list[Any]], bool] | None = None
) -> Callable[[Callable[[Exchange], Answer]], Callable[[Exchange], Answer]]:
    """Register a fault that makes the whole answer itself."""

    def register(make: Callable[[Exchange], Answer]) -> Callable[[Exchange], Answer]:
        _add(make, lambda exchange: Reply.of(make(exchange)), methods, when)
        return make

    return register


def _add(
    named: Callable[..., Any],
    act: Callable[[Exchange], Reply],
    methods: tuple[str, ...],
    when: Callable[[str, list[Any]], bool] | None,
) -> None:
    what = (named.__doc__ or "").strip().split("\n")[0].rstrip(".")
    always: Callable[[str, list[Any]], bool] = lambda _method, _params: True  # noqa: E731
    _FAULTS.append(Fault(named.__name__, what, act, frozenset(methods), when or always))


def _about(*tags: str) -> Callable[[str, list[Any]], bool]:
    return lambda method, params: tag(method, params) in tags


def _more(quantity: str, by: int) -> str:
    return hex(max(int(quantity, 16) + by, 0))


def _flipped(data: str) -> str:
    return data[:-1] + format(int(data[-1], 16) ^ 1, "x")


# --- Head and finality


@lies("eth_chainId")
def wrong_chain_id(_exchange: Exchange, result: Any) -> Any:
    """Serves another chain."""
    return _more(result, 1)


@answers()
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


@lies(
    "eth_blockNumber",
    "eth_getBlockByNumber",
    when=lambda method, params: tag(method, params) in {None, "latest"},
)
def head_ahead(_exchange: Exchange, result: Any) -> Any:
    """Claims a head eight blocks further than there are."""
    if isinstance(result, dict):
        return {**result, "number": _more(result["number"], 8)}
    return _more(result, 8)


@answers(when=_about("finalized"))
def finalized_missing(exchange: Exchange) -> Answer:
    """Knows no finalized tag."""
    return exchange.error(-32602, "invalid block tag: finalized")


@answers("eth_getBlockByNumber", when=_about("finalized"))
def finalized_null(exchange: Exchange) -> Answer:
    """Has no finalized block."""
    exchange.forward()
    return exchange.result(None)


@lies("eth_getBlockByNumber", when=_about("finalized"))
def finalized_ahead(exchange: Exchange, result: Any) -> Any:
    """Calls final what is ahead of its head."""
    return {**result, "number": _more(exchange.ask("eth_blockNumber"), 8)}


@answers(when=_about("finalized"))
def finalized_early(exchange: Exchange) -> Answer:
    """Calls its newest block final."""
    return exchange.at("latest")


# --- Nonces and transactions


@lies("eth_getTransactionCount", "eth_getProof")
def nonce_low(exchange: Exchange, result: Any) -> Any:
    """Counts fewer transactions of the account (option ``by``, 1), in proofs too."""
    return _nonce(result, -exchange.options.get("by", 1))


@lies("eth_getTransactionCount", "eth_getProof")
def nonce_high(exchange: Exchange, result: Any) -> Any:
    """Counts more transactions of the account (option ``by``, 5), in proofs too."""
    return _nonce(result, exchange.options.get("by", 5))


def _nonce(result: Any, by: int) -> Any:
    if isinstance(result, dict):
        return {**result, "nonce": _more(result["nonce"], by)}
    return _more(result, by)


@answers("eth_sendRawTransaction")
def accepted_and_dropped(exchange: Exchange) -> Answer:
    """Accepts a transaction and forgets it."""
    raw = exchange.params[0]
    return exchange.result(next(found for found, seen in exchange.sent.items() if "0x" + seen.hex() == raw))


@lies("eth_sendRawTransaction")
def other_hash(_exchange: Exchange, result: Any) -> Any:
    """Accepts a transaction and names another hash for it."""
    return _flipped(result)


@lies("eth_getTransactionByHash")
def null_transaction(_exchange: Exchange, _result: Any) -> Any:
    """Does not know a transaction it has."""
    return None


# --- Receipts


@lies(*_RECEIPT)
def null_receipt(_exchange: Exchange, _result: Any) -> Any:
    """Has no receipt of a mined transaction."""
    return None


def _each(result: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    return [change(item) for item in result] if isinstance(result, list) else change(result)


@lies(*_RECEIPT)
def receipt_failed(_exchange: Exchange, result: Any) -> Any:
    """Says of a transaction that it failed."""
    return _each(result, lambda receipt: {**receipt, "status": "0x0"})


@lies(*_RECEIPT)
def receipt_succeeded(_exchange: Exchange, result: Any) -> Any:
    """Says of a transaction that it succeeded."""
    return _each(result, lambda receipt: {**receipt, "status": "0x1"})


@lies(*_RECEIPT)
def receipt_other_block_hash(_exchange: Exchange, result: Any) -> Any:
    """Places a transaction in a block that does not exist."""
    return _each(result, lambda receipt: {**receipt, "blockHash": _flipped(receipt["blockHash"])})


@lies(*_RECEIPT)
def receipt_other_block_number(_exchange: Exchange, result: Any) -> Any:
    """Places a transaction one block earlier."""
    return _each(result, lambda receipt: {**receipt, "blockNumber": _more(receipt["blockNumber"], -1)})


@lies(*_RECEIPT)
def receipt_missing_log(_exchange: Exchange, result: Any) -> Any:
    """Leaves the events out."""
    return _each(result, lambda receipt: {**receipt, "logs": []})


@lies(*_RECEIPT)
def receipt_foreign_log(_exchange: Exchange, result: Any) -> Any:
    """Shows the events as another contract's."""
    return _each(
        result,
        lambda receipt: {**receipt, "logs": [{**log, "address": _NOWHERE} for log in receipt["logs"]]},
    )


@answers("eth_getTransactionReceipt")
def receipt_fabricated(exchange: Exchange) -> Answer:
    """Shows a receipt, event included, of a transaction that was never mined."""
    answer = exchange.forward()
    raw = exchange.sent.get(exchange.params[0])
    if answer.get("result") is not None or raw is None:
        return answer
    from tests.faults.fabrication import receipt

    return exchange.result(receipt(raw, exchange.ask("eth_getBlockByNumber", "latest", False)))


@lies("eth_getLogs")
def logs_missing(_exchange: Exchange, _result: Any) -> Any:
    """Finds no events."""
    return []


# --- Blocks


@lies(*_BLOCK)
def header_other_time(_exchange: Exchange, result: Any) -> Any:
    """Dates a block an hour later and keeps its hash."""
    return {**result, "timestamp": _more(result["timestamp"], 3600)}


@lies(*_BLOCK)
def header_other_hash(_exchange: Exchange, result: Any) -> Any:
    """Gives a block another hash."""
    return {**result, "hash": _flipped(result["hash"])}


@lies(*_BLOCK)
def header_other_receipts_root(_exchange: Exchange, result: Any) -> Any:
    """Gives a block another receipts root and keeps its hash."""
    return {**result, "receiptsRoot": _flipped(result["receiptsRoot"])}


@lies(*_BLOCK)
def header_other_state_root(_exchange: Exchange, result: Any) -> Any:
    """Gives a block another state root and keeps its hash."""
    return {**result, "stateRoot": _flipped(result["stateRoot"])}


@lies(*_BLOCK)
def body_without_transaction(_exchange: Exchange, result: Any) -> Any:
    """Leaves the last transaction out of a block."""
    return {**result, "transactions": result["transactions"][:-1]}


# --- State


@lies("eth_getProof")
def proof_other_value(_exchange: Exchange, result: Any) -> Any:
    """Claims other values than the proof's: balance and slots."""
    slots = [{**slot, "value": _more(slot["value"], 1)} for slot in result["storageProof"]]
    return {**result, "balance": _more(result["balance"], 1), "storageProof": slots}


@answers("eth_getProof")
def proof_account_absent(exchange: Exchange) -> Answer:
    """Proves that an account is absent: another one."""
    answer = exchange.forward([_NOWHERE, *exchange.params[1:]])
    if "result" in answer:
        answer["result"]["address"] = exchange.params[0]
    return answer


@answers("eth_getProof")
def proof_slot_absent(exchange: Exchange) -> Answer:
    """Proves that the slots are empty: other ones."""
    address, slots, block = exchange.params
    answer = exchange.forward([address, [_NO_SLOT for _ in slots], block])
    if "result" in answer:
        for slot, wanted in zip(answer["result"]["storageProof"], slots, strict=True):
            slot["key"] = wanted
    return answer


@lies("eth_getProof")
def proof_junk_node(_exchange: Exchange, result: Any) -> Any:
    """Adds a node to each proof that is not part of it."""
    slots = [{**slot, "proof": [*slot["proof"], _JUNK]} for slot in result["storageProof"]]
    return {**result, "accountProof": [*result["accountProof"], _JUNK], "storageProof": slots}


@lies("eth_getProof")
def proof_truncated(_exchange: Exchange, result: Any) -> Any:
    """Leaves the last node of each proof out."""
    slots = [{**slot, "proof": slot["proof"][:-1]} for slot in result["storageProof"]]
    return {**result, "accountProof": result["accountProof"][:-1], "storageProof": slots}


@answers("eth_getProof")
def proof_dropped(exchange: Exchange) -> Answer:
    """Has dropped the state it is asked about."""
    return exchange.error(-32000, "distance to target block exceeds maximum proof window")


@lies("eth_call")
def call_other_answer(_exchange: Exchange, result: Any) -> Any:
    """Adds one to each word a contract answers."""
    words = [result[start : start + 64] for start in range(2, len(result), 64)]
    return "0x" + "".join(format((int(word, 16) + 1) % 2**256, "064x") for word in words)


@lies("eth_call")
def call_zero(_exchange: Exchange, result: Any) -> Any:
    """Says that a contract holds nothing."""
    return "0x" + "0" * (len(result) - 2)


@lies("eth_call", "eth_getCode")
def contract_missing(_exchange: Exchange, _result: Any) -> Any:
    """Answers as if no contract were there."""
    return "0x"


@lies("eth_getBalance")
def balance_zero(_exchange: Exchange, _result: Any) -> Any:
    """Says that an account is empty."""
    return "0x0"


@lies("eth_getBalance")
def balance_high(_exchange: Exchange, result: Any) -> Any:
    """Says that an account holds far more than it does."""
    return _more(result, 10**30)


# --- Fees and numbers


@lies(
    "eth_getBlockByNumber",
    "eth_feeHistory",
    "eth_gasPrice",
    when=lambda method, params: tag(method, params) in {None, "latest", "pending"},
)
def fee_spike(_exchange: Exchange, result: Any) -> Any:
    """Gives a thousandfold base fee."""
    if isinstance(result, str):
        return hex(int(result, 16) * 1000)
    base = result["baseFeePerGas"]
    raised = [hex(int(fee, 16) * 1000) for fee in (base if isinstance(base, list) else [base])]
    return {**result, "baseFeePerGas": raised if isinstance(base, list) else raised[0]}


@lies("eth_estimateGas")
def gas_estimate_huge(_exchange: Exchange, _result: Any) -> Any:
    """Estimates the gas of thirty full blocks."""
    return hex(30 * 30_000_000)


@answers("eth_estimateGas")
def gas_estimate_reverts(exchange: Exchange) -> Answer:
    """Says that a good call reverts."""
    return exchange.error(3, "execution reverted")


@lies(*_QUANTITY, *_BLOCK, *_RECEIPT)
def not_hexadecimal(_exchange: Exchange, result: Any) -> Any:
    """Gives text that is no number where a number belongs."""
    return _numbers(result, lambda _value: "0xtwelve")


@lies(*_QUANTITY, *_BLOCK, *_RECEIPT)
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


def _absent(name: str, method: str) -> None:
    def act(exchange: Exchange) -> Reply:
        return Reply.of(exchange.error(-32601, f"the method {method} does not exist/is not available"))

    _FAULTS.append(Fault(name, f"has no {method}", act, frozenset({method})))


for _name, _method in (
    ("no_block_receipts", "eth_getBlockReceipts"),
    ("no_get_proof", "eth_getProof"),
    ("no_max_priority_fee", "eth_maxPriorityFeePerGas"),
    ("no_fee_history", "eth_feeHistory"),
    ("no_estimate_gas", "eth_estimateGas"),
):
    _absent(_name, _method)
