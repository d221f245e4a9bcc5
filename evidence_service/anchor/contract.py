"""The anchor contract as Python sees it: calls, address and deployment.

The address follows from the bytecode alone (CREATE2, EIP-1014, through the keyless factory), so it is the
same on every chain; the code found there is compared with the pinned hash.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from eth_abi.abi import encode

from evidence_service.anchor.endpoint import SendOutcome, binary, number
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import Signer
from evidence_service.errors import MismatchError, UnavailableError
from evidence_service.verify.trie import keccak256

FACTORY = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
"""Deterministic deployment proxy: calls CREATE2 with the first 32 bytes as salt, the rest as init code."""
FACTORY_DEPLOYER = "0x3fab184622dc19b6109349b94811493bf2a45362"
FACTORY_COST = 10**16
"""Wei the one-time account needs: its gas limit of 100,000 at its fixed price of 100 gwei."""
FACTORY_TRANSACTION = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7f"
    + "ff" * 31
    + "e03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba0"
    + "22" * 32
    + "a0"
    + "22" * 32
)
"""Signed by nobody: r and s are constants and the sender follows from them; before EIP-155 on purpose."""
SALT = bytes(32)

_TRANSFER_GAS = 21_000
_POLLS = 240
_POLL_SECONDS = 0.25


@cache
def artefact() -> dict[str, Any]:
    """The committed compiler output: ``abi``, ``bytecode``, ``deployedBytecode``, ``codeHash``, …"""
    text = resources.files("evidence_service.anchor").joinpath("EvidenceAnchor.json").read_text()
    value: dict[str, Any] = json.loads(text)
    return value


def code_hash() -> str:
    """Keccak-256 of the deployed code, 0x and hexadecimal."""
    return str(artefact()["codeHash"])


def init_code() -> bytes:
    """The bytecode that creates the contract."""
    return bytes.fromhex(artefact()["bytecode"][2:])


def expected_address(*, salt: bytes = SALT) -> str:
    """Address on every chain (EIP-1014), 0x and lower-case hexadecimal."""
    preimage = b"\xff" + bytes.fromhex(FACTORY[2:]) + salt + keccak256(init_code())
    return "0x" + keccak256(preimage)[12:].hex()


def anchor_call(commitment: bytes, leaf_count: int) -> bytes:
    """Call data of ``anchor``."""
    return _selector("anchor(bytes32,uint64)") + encode(["bytes32", "uint64"], [commitment, leaf_count])


def check_code(node: Node, contract: str) -> bool:
    """Whether a contract is at an address; its code has to be the pinned one.

    Raises:
        MismatchError: other code is there.
    """
    code = binary(node.call("eth_getCode", contract, "latest"), "eth_getCode")
    if not code:
        return False
    if "0x" + keccak256(code).hex() != code_hash():
        raise MismatchError(f"the code at {contract} is not the evidence anchor's")
    return True


def deploy_if_absent(node: Node, signer: Signer, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """Make sure that the contract is on the chain; its address.

    Safe to repeat at any point, and for several to run at once: two who start in the same moment may both
    fund the factory's one-time account, where the surplus stays. Uses the signer's next nonce, so it has to
    run before (or without) a :class:`Sender` on the same key.

    Raises:
        UnavailableError: a transaction was refused, failed, or was not mined in a minute; run it again.
        MismatchError: other code is at the address.
    """
    address = expected_address()

    def deployed() -> bool:
        return check_code(node, address)

    def reachable() -> bool:
        return bool(binary(node.call("eth_getCode", FACTORY, "latest"), "eth_getCode"))

    def missing() -> int:
        return max(0, FACTORY_COST - node.quantity("eth_getBalance", FACTORY_DEPLOYER, "latest"))

    def fund() -> bytes:
        return _send(node, signer, to=FACTORY_DEPLOYER, value=missing(), data=b"")

    def make_factory() -> bytes:
        return _offer(node, FACTORY_TRANSACTION)

    def create() -> bytes:
        return _send(node, signer, to=FACTORY, value=0, data=SALT + init_code())

    if not deployed():
        if not reachable():
            transfer = "the transfer to the factory's one-time account"
            _reach(node, lambda: reachable() or not missing(), fund, transfer, sleep)
            _reach(node, reachable, make_factory, "the transaction that makes the deployment factory", sleep)
        _reach(node, deployed, create, "the transaction that creates the contract", sleep)
    return address


def fees(node: Node) -> tuple[int, int]:
    """Fee cap and tip for a transaction that is to be mined soon, in wei per gas (EIP-1559)."""
    block = node.record("eth_getBlockByNumber", "latest", False) or {}
    base = int(block.get("baseFeePerGas", "0x0"), 16)
    answer = node.ask("eth_maxPriorityFeePerGas")
    tip = int(answer.result, 16) if isinstance(answer.result, str) else 10**9
    return 2 * base + tip, tip


def _reach(
    node: Node,
    done: Callable[[], bool],
    attempt: Callable[[], bytes],
    what: str,
    sleep: Callable[[float], None],
) -> None:
    """One step of the deployment. The chain alone says whether it is done: an attempt may have landed without
    an answer, and somebody else may have been faster."""
    if done():
        return
    try:
        transaction_hash = "0x" + attempt().hex()
    except UnavailableError:
        if done():
            return
        raise
    for _ in range(_POLLS):
        receipt = node.record("eth_getTransactionReceipt", transaction_hash)
        if done():
            return
        if receipt is not None and number(receipt.get("status"), "status") == 0:
            raise UnavailableError(
                f"{what} failed on the chain: {transaction_hash}",
                what_to_do="run the deployment again; if it fails again, the chain is older than Shanghai",
            )
        sleep(_POLL_SECONDS)
    raise UnavailableError(f"{what} was not mined within a minute", what_to_do="run the deployment again")


def _send(node: Node, signer: Signer, *, to: str, value: int, data: bytes) -> bytes:
    max_fee, tip = fees(node)
    call = {"from": signer.address, "to": to, "value": hex(value), "data": "0x" + data.hex()}
    gas = node.quantity("eth_estimateGas", call) if data else _TRANSFER_GAS
    transaction = {
        "chainId": node.chain_id,
        "nonce": node.quantity("eth_getTransactionCount", signer.address, "latest"),
        "to": bytes.fromhex(to[2:]),
        "value": value,
        "data": data,
        "gas": gas,
        "maxFeePerGas": max_fee,
        "maxPriorityFeePerGas": tip,
    }
    return _offer(node, signer.sign_transaction(transaction))


def _offer(node: Node, raw: bytes) -> bytes:
    """Offer a raw transaction; its hash.

    "Known", "nonce too low" and "underpriced" say that another one is on its way: the chain is asked then.
    """
    outcome, words = node.send(raw)
    advice = {
        SendOutcome.INSUFFICIENT_FUNDS: "fund the signer's address, then run the deployment again",
        SendOutcome.REFUSED: "see the node's reason; the factory's transaction names no chain (it is older "
        "than EIP-155), which a node may have to be told to allow",
    }
    if outcome in advice:
        raise UnavailableError(
            f"the node refused a transaction of the deployment: {words}", what_to_do=advice[outcome]
        )
    return keccak256(raw)


def _selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]
