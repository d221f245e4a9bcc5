"""What the pinned bytecode cannot do, read from its instructions: a chain runs these and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from evidence_service.anchor import contract
from evidence_service.anchor.relay import Permission, anchor_for_call
from evidence_service.sandbox.devchain import ACCOUNTS
from evidence_service.verify.trie import keccak256
from tests.contracts.evm import Evm, encoded

CODE = bytes.fromhex(contract.artefact()["deployedBytecode"][2:])
PUSH1, PUSH4, PUSH32, EQ = 0x60, 0x63, 0x7F, 0x14
SSTORE, LOG0, LOG3, LOG4, STATICCALL = 0x55, 0xA0, 0xA3, 0xA4, 0xFA
FORBIDDEN = {
    "CALL": 0xF1,
    "CALLCODE": 0xF2,
    "DELEGATECALL": 0xF4,
    "CREATE": 0xF0,
    "CREATE2": 0xF5,
    "SELFDESTRUCT": 0xFF,
    "ORIGIN": 0x32,
    "TSTORE": 0x5D,
}
FUNCTIONS = (
    "anchor(bytes32,uint64)",
    "anchorFor(address,bytes32,uint64,uint64,bytes)",
    "anchorOf(address,bytes32)",
    "verifyInclusion(bytes32,uint256,uint256,bytes32[],bytes32)",
)


def instructions() -> Iterator[tuple[int, bytes]]:
    """Operation and its immediate bytes; no data follows the code, so that every byte is one or the other."""
    position = 0
    while position < len(CODE):
        operation = CODE[position]
        length = operation - PUSH1 + 1 if PUSH1 <= operation <= PUSH32 else 0
        yield operation, CODE[position + 1 : position + 1 + length]
        position += 1 + length


def test_the_code_has_the_pinned_hash() -> None:
    assert "0x" + keccak256(CODE).hex() == contract.code_hash()


def test_nothing_destroys_delegates_creates_or_pays() -> None:
    found = Counter(operation for operation, _ in instructions())
    assert {name: found[code] for name, code in FORBIDDEN.items()} == dict.fromkeys(FORBIDDEN, 0)


def test_there_is_one_write_and_one_event() -> None:
    """Whatever way leads there, a record is written by one instruction, after the check of the slot's time."""
    found = Counter(operation for operation, _ in instructions())
    assert found[SSTORE] == 1
    assert {code: found[code] for code in range(LOG0, LOG4 + 1) if found[code]} == {LOG3: 1}


def test_the_only_calls_are_two_that_cannot_write() -> None:
    assert [operation for operation, _ in instructions()].count(STATICCALL) == 2


def test_those_calls_go_to_ecrecover_and_sha_256(ganache: Evm) -> None:
    """Precompiled contracts 1 and 2, which the protocol itself defines."""
    permission = Permission(ACCOUNTS[0].address, bytes(32), 1, 2**64 - 1)
    inclusion = encoded(FUNCTIONS[3], bytes(32), 0, 2, [bytes(32)], bytes(32))
    assert called(ganache, anchor_for_call(permission, bytes(65))) == {1}
    assert called(ganache, inclusion) == {2}


def called(evm: Evm, data: bytes) -> set[int]:
    """Addresses that a transaction's static calls go to."""
    sent = evm.transact(ACCOUNTS[0].address, data)["transactionHash"]
    steps = evm.ask("debug_traceTransaction", sent, {})["structLogs"]
    return {int(step["stack"][-2], 16) for step in steps if step["op"] == "STATICCALL"}


def test_the_dispatch_knows_four_functions() -> None:
    found = list(instructions())
    pairs = pairwise(found)
    selectors = {data for (first, data), (second, _) in pairs if (first, second) == (PUSH4, EQ)}
    assert selectors == {keccak256(signature.encode())[:4] for signature in FUNCTIONS}
