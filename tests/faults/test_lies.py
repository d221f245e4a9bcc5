"""Each lie of a node changes what its name says, and every fault of the table has its test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evidence_service.sandbox.anvil import CHAIN_ID
from evidence_service.verify.chain import EVENT_TOPIC, record_slot
from evidence_service.verify.trie import keccak256
from tests.faults.rpc_faults import FAULTS
from tests.faults.test_rpc_proxy import ARRIVES, NEVER_ARRIVES
from tests.faults.world import COMMITMENT, CONTRACT, SIGNER, World, anchoring, answer

Params = Callable[[World], list[Any]]
Lied = Callable[[Any, Any], bool]


SLOT = "0x" + record_slot(bytes.fromhex(SIGNER.address[2:]), COMMITMENT).hex()


def receipt_of(world: World) -> list[Any]:
    return [world.anchored]


def block_of(world: World) -> list[Any]:
    return [hex(world.number), False]


def proof_of(world: World) -> list[Any]:
    return [CONTRACT, [SLOT], hex(world.number)]


def anchor_of(_world: World) -> list[Any]:
    selector = keccak256(b"anchorOf(address,bytes32)")[:4].hex()
    return [
        {"to": CONTRACT, "data": f"0x{selector}{'0' * 24}{SIGNER.address[2:]}{COMMITMENT.hex()}"},
        "latest",
    ]


def account(_world: World) -> list[Any]:
    return [SIGNER.address, "latest"]


def nothing(_world: World) -> list[Any]:
    return []


def tagged(tag: str) -> Params:
    return lambda _world: [tag, False]


def differs_only_in(*names: str) -> Lied:
    def check(true: Any, lied: Any) -> bool:
        return {name for name in true if true[name] != lied[name]} == set(names)

    return check


def number_is(by: int) -> Lied:
    return lambda true, lied: int(lied, 16) == int(true, 16) + by


def words(hexadecimal: str) -> list[int]:
    return [int(hexadecimal[start : start + 64], 16) for start in range(2, len(hexadecimal), 64)]


def is_null(true: Any, lied: Any) -> bool:
    return true is not None and lied is None


LIES: dict[str, tuple[str, Params, Lied]] = {
    "wrong_chain_id": ("eth_chainId", nothing, number_is(1)),
    "stale_head": ("eth_blockNumber", nothing, number_is(-3)),
    "head_ahead": ("eth_blockNumber", nothing, number_is(8)),
    "finalized_null": ("eth_getBlockByNumber", tagged("finalized"), is_null),
    "finalized_ahead": (
        "eth_getBlockByNumber",
        tagged("finalized"),
        lambda true, lied: int(lied["number"], 16) == int(true["number"], 16) + 4 + 8,
    ),
    "finalized_early": (
        "eth_getBlockByNumber",
        tagged("finalized"),
        lambda true, lied: int(lied["number"], 16) == int(true["number"], 16) + 4,
    ),
    "nonce_low": ("eth_getTransactionCount", account, number_is(-1)),
    "nonce_high": ("eth_getTransactionCount", account, number_is(5)),
    "null_transaction": ("eth_getTransactionByHash", receipt_of, is_null),
    "null_receipt": ("eth_getTransactionReceipt", receipt_of, is_null),
    "receipt_failed": (
        "eth_getTransactionReceipt",
        receipt_of,
        lambda true, lied: (true["status"], lied["status"]) == ("0x1", "0x0"),
    ),
    "receipt_other_block_hash": ("eth_getTransactionReceipt", receipt_of, differs_only_in("blockHash")),
    "receipt_other_block_number": ("eth_getTransactionReceipt", receipt_of, differs_only_in("blockNumber")),
    "receipt_missing_log": (
        "eth_getBlockReceipts",
        lambda world: [world.block],
        lambda true, lied: len(true[0]["logs"]) == 1 and lied == [{**true[0], "logs": []}],
    ),
    "receipt_foreign_log": (
        "eth_getTransactionReceipt",
        receipt_of,
        lambda true, lied: differs_only_in("address")(true["logs"][0], lied["logs"][0]),
    ),
    "logs_missing": (
        "eth_getLogs",
        lambda _: [{"fromBlock": "0x0", "address": CONTRACT}],
        lambda true, lied: len(true) == 1 and lied == [],
    ),
    "header_other_time": ("eth_getBlockByNumber", block_of, differs_only_in("timestamp")),
    "header_other_hash": ("eth_getBlockByNumber", block_of, differs_only_in("hash")),
    "header_other_receipts_root": ("eth_getBlockByNumber", block_of, differs_only_in("receiptsRoot")),
    "header_other_state_root": (
        "eth_getBlockByHash",
        lambda w: [w.block, True],
        differs_only_in("stateRoot"),
    ),
    "body_without_transaction": (
        "eth_getBlockByNumber",
        block_of,
        lambda true, lied: (len(true["transactions"]), lied["transactions"]) == (1, []),
    ),
    "proof_other_value": ("eth_getProof", proof_of, differs_only_in("balance", "storageProof")),
    "proof_account_absent": (
        "eth_getProof",
        proof_of,
        lambda true, lied: (
            lied["address"] == true["address"]
            and lied["nonce"] == "0x0"
            and lied["codeHash"] != true["codeHash"]
        ),
    ),
    "proof_slot_absent": (
        "eth_getProof",
        proof_of,
        lambda true, lied: (
            lied["storageProof"][0]["key"] == true["storageProof"][0]["key"]
            and lied["storageHash"] == true["storageHash"]
            and int(lied["storageProof"][0]["value"], 16) == 0
        ),
    ),
    "proof_junk_node": (
        "eth_getProof",
        proof_of,
        lambda true, lied: (
            lied["accountProof"][:-1] == true["accountProof"]
            and lied["storageProof"][0]["proof"][:-1] == true["storageProof"][0]["proof"]
        ),
    ),
    "proof_truncated": (
        "eth_getProof",
        proof_of,
        lambda true, lied: lied["accountProof"] == true["accountProof"][:-1],
    ),
    "call_other_answer": (
        "eth_call",
        anchor_of,
        lambda true, lied: words(true)[2] == 7 and words(lied) == [word + 1 for word in words(true)],
    ),
    "call_zero": ("eth_call", anchor_of, lambda _true, lied: words(lied) == [0, 0, 0]),
    "contract_missing": ("eth_call", anchor_of, lambda _true, lied: lied == "0x"),
    "balance_zero": ("eth_getBalance", account, lambda _true, lied: lied == "0x0"),
    "balance_high": ("eth_getBalance", account, number_is(10**30)),
    "fee_spike": (
        "eth_getBlockByNumber",
        tagged("latest"),
        lambda true, lied: int(lied["baseFeePerGas"], 16) == 1000 * int(true["baseFeePerGas"], 16),
    ),
    "gas_estimate_huge": ("eth_estimateGas", anchor_of, lambda _true, lied: int(lied, 16) > 30_000_000),
    "not_hexadecimal": ("eth_blockNumber", nothing, lambda _true, lied: lied == "0xtwelve"),
    "numbers_as_json": (
        "eth_getBlockByNumber",
        block_of,
        lambda true, lied: lied["number"] == int(true["number"], 16),
    ),
}

REFUSALS: dict[str, tuple[str, Params]] = {
    "finalized_missing": ("eth_getTransactionCount", lambda _: [SIGNER.address, "finalized"]),
    "proof_dropped": ("eth_getProof", proof_of),
    "gas_estimate_reverts": ("eth_estimateGas", anchor_of),
    "no_block_receipts": ("eth_getBlockReceipts", lambda world: [world.block]),
    "no_get_proof": ("eth_getProof", proof_of),
    "no_max_priority_fee": ("eth_maxPriorityFeePerGas", nothing),
    "no_fee_history": ("eth_feeHistory", lambda _: ["0x4", "latest", [50]]),
    "no_estimate_gas": ("eth_estimateGas", anchor_of),
}

SCENES = {
    *("receipt_fabricated", "receipt_succeeded", "slow_drip_before", "slow_drip_after"),
    *("accepted_and_dropped", "other_hash"),
}
"""Faults with a test of their own below or above."""


@pytest.mark.parametrize("name", LIES)
def test_a_lie_changes_what_it_names_and_nothing_else(world: World, name: str) -> None:
    method, params, lied = LIES[name]
    asked = params(world)
    world.proxy.inject(name, method=method)
    untrue = answer(world.proxy.url, method, asked)["result"]
    true = answer(world.proxy.url, method, asked)["result"]
    assert untrue != true
    assert lied(true, untrue)
    assert world.proxy.fired(name) == 1


@pytest.mark.parametrize("name", REFUSALS)
def test_a_node_refuses_what_it_can_do(world: World, name: str) -> None:
    method, params = REFUSALS[name]
    asked = params(world)
    world.proxy.inject(name, method=method)
    assert "error" in answer(world.proxy.url, method, asked)
    assert "result" in answer(world.proxy.url, method, asked)
    assert world.proxy.fired(name) == 1


def test_every_fault_has_its_test() -> None:
    ways = {f"{name}_{when}" for name in (*ARRIVES, *NEVER_ARRIVES) for when in ("before", "after")}
    assert ways | set(LIES) | set(REFUSALS) | SCENES == set(FAULTS)
    assert all(fault.what for fault in FAULTS.values())


def test_a_transaction_is_accepted_and_dropped(world: World) -> None:
    raw = anchoring(1)
    world.proxy.inject("accepted_and_dropped")
    said = answer(world.proxy.url, "eth_sendRawTransaction", ["0x" + raw.hex()])["result"]
    assert said == "0x" + keccak256(raw).hex()
    assert world.anvil.pool() == set()


def test_a_transaction_is_accepted_under_another_hash(world: World) -> None:
    raw = anchoring(1)
    world.proxy.inject("other_hash")
    said = answer(world.proxy.url, "eth_sendRawTransaction", ["0x" + raw.hex()])["result"]
    true = "0x" + keccak256(raw).hex()
    assert (len(said), world.anvil.pool()) == (len(true), {true})
    assert said != true


def test_a_receipt_is_fabricated_with_its_event(world: World) -> None:
    world.proxy.inject("accepted_and_dropped")
    said = answer(world.proxy.url, "eth_sendRawTransaction", ["0x" + anchoring(1).hex()])["result"]
    assert answer(world.proxy.url, "eth_getTransactionReceipt", [said])["result"] is None
    world.proxy.inject("receipt_fabricated")
    false = answer(world.proxy.url, "eth_getTransactionReceipt", [said])["result"]
    real = answer(world.proxy.url, "eth_getTransactionReceipt", [world.anchored])["result"]
    assert (false["status"], false["blockHash"]) == ("0x1", world.anvil.block("latest")["hash"])
    assert [(log["address"], log["topics"], log["data"]) for log in false["logs"]] == [
        (log["address"], log["topics"], log["data"]) for log in real["logs"]
    ]
    assert real["logs"][0]["topics"][0] == "0x" + EVENT_TOPIC.hex()
    assert set(false) <= set(real)


def test_a_failed_transaction_is_called_successful(world: World) -> None:
    failing = SIGNER.sign_transaction(
        {
            "chainId": CHAIN_ID,
            "nonce": 1,
            "to": bytes.fromhex(CONTRACT[2:]),
            "value": 0,
            "data": b"\xff\xff\xff\xff",
            "gas": 100_000,
            "maxFeePerGas": 10**12,
            "maxPriorityFeePerGas": 10**9,
        }
    )
    found = world.anvil.call("eth_sendRawTransaction", "0x" + failing.hex())
    world.anvil.mine()
    world.proxy.inject("receipt_succeeded")
    untrue = answer(world.proxy.url, "eth_getTransactionReceipt", [found])["result"]
    true = answer(world.proxy.url, "eth_getTransactionReceipt", [found])["result"]
    assert (true["status"], untrue["status"]) == ("0x0", "0x1")


def test_a_stale_node_knows_nothing_above_its_head_and_stays_there(world: World) -> None:
    world.proxy.inject("stale_head", times=None, blocks=12)
    ask = lambda method, *params: answer(world.proxy.url, method, list(params))  # noqa: E731
    frozen = int(ask("eth_blockNumber")["result"], 16)
    assert frozen == world.anvil.head() - 12 < world.number
    assert int(ask("eth_getBlockByNumber", "latest", False)["result"]["number"], 16) == frozen
    assert int(ask("eth_getBlockByNumber", "finalized", False)["result"]["number"], 16) <= frozen
    assert ask("eth_getBlockByNumber", hex(world.number), False)["result"] is None
    assert ask("eth_getBlockByHash", world.block, False)["result"] is None
    assert ask("eth_getTransactionReceipt", world.anchored)["result"] is None
    assert ask("eth_getBlockReceipts", world.block)["result"] is None
    assert ask("eth_getTransactionByHash", world.anchored)["result"]["blockHash"] is None
    assert ask("eth_getTransactionCount", SIGNER.address, "latest")["result"] == "0x0"
    assert words(ask("eth_call", *anchor_of(world))["result"]) == [0, 0, 0]
    assert "error" in ask("eth_getProof", *proof_of(world))
    assert not ask("eth_getLogs", {"fromBlock": "0x0", "address": CONTRACT})["result"]
    world.anvil.mine(3)
    assert int(ask("eth_blockNumber")["result"], 16) == frozen


def test_proofs_lie_about_the_nonce_too(world: World) -> None:
    asked = [SIGNER.address, [], "latest"]
    for name, nonce in (("nonce_low", 0), ("nonce_high", 6)):
        world.proxy.inject(name, method="eth_getProof")
        assert int(answer(world.proxy.url, "eth_getProof", asked)["result"]["nonce"], 16) == nonce


QUESTIONS: dict[str, Params] = {
    "eth_blockNumber": nothing,
    "eth_chainId": nothing,
    "eth_gasPrice": nothing,
    "eth_maxPriorityFeePerGas": nothing,
    "eth_feeHistory": lambda _: ["0x4", "latest", [50]],
    "eth_getBlockByNumber": tagged("latest"),
    "eth_getBlockByHash": lambda world: [world.block, True],
    "eth_getBlockReceipts": lambda world: [world.block],
    "eth_getTransactionReceipt": receipt_of,
    "eth_getTransactionByHash": receipt_of,
    "eth_getTransactionCount": account,
    "eth_getBalance": account,
    "eth_getCode": lambda _: [CONTRACT, "latest"],
    "eth_getLogs": lambda _: [{"fromBlock": "0x0", "address": CONTRACT}],
    "eth_getProof": proof_of,
    "eth_call": anchor_of,
    "eth_estimateGas": anchor_of,
    "eth_sendRawTransaction": lambda _: ["0x" + anchoring(1).hex()],
}
UNKNOWN: dict[str, Params] = {
    "eth_getBlockByNumber": tagged("0xffffff"),
    "eth_getBlockByHash": lambda _: ["0x" + "77" * 32, False],
    "eth_getBlockReceipts": lambda _: ["0x" + "77" * 32],
    "eth_getTransactionReceipt": lambda _: ["0x" + "77" * 32],
    "eth_getTransactionByHash": lambda _: ["0x" + "77" * 32],
    "eth_getProof": lambda _: [CONTRACT, [], "0xffffff"],
}


@pytest.mark.parametrize("questions", [QUESTIONS, UNKNOWN], ids=["known", "unknown"])
def test_no_fault_breaks_on_a_method_it_concerns(world: World, questions: dict[str, Params]) -> None:
    lying = [name for name in FAULTS if not name.endswith(("_before", "_after"))]
    asked = 0
    for method, params in questions.items():
        for name in lying:
            if FAULTS[name].concerns(method, params(world)):
                world.proxy.inject(name, method=method)
                assert answer(world.proxy.url, method, params(world)), name
                asked += 1
    assert asked == sum(world.proxy.fired(name) for name in lying)
    assert not world.proxy.broken
