"""A node that means harm: what one of them says must neither spend money, nor stop the sender, nor end it."""

from __future__ import annotations

import time

import pytest

from evidence_service.anchor.submission import State
from evidence_service.sandbox.anvil import CHAIN_ID
from tests.faults.sending import SIGNER, Sending
from tests.faults.world import World


def among_honest(world: World) -> Sending:
    """A sender whose last address of three is the proxy; two have to agree."""
    honest = world.anvil.rpc_url
    return Sending(
        world.anvil, [honest, honest.replace("127.0.0.1", "localhost"), world.proxy.url], agreeing=2
    )


def test_a_forged_head_makes_nobody_reserve_a_far_nonce(world: World) -> None:
    sending = among_honest(world)
    world.proxy.inject("forged_head", times=None, address=SIGNER.address, nonce=100)
    sending.submit("one")
    for _ in range(3):
        sending.round()
    world.proxy.clear()
    sending.finish()
    sending.check()
    assert len(sending.journal.submissions) == 1, "nonces up to the forged one were filled, and paid for"


def test_a_forged_head_does_not_stop_the_honest_nodes(world: World) -> None:
    sending = among_honest(world)
    world.proxy.inject("forged_head", times=None, address=SIGNER.address, nonce=0)
    sending.submit("one")
    sending.submit("two")
    sending.finish()
    sending.check()


def test_headers_that_drip_hold_no_round_up(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url, world.anvil.rpc_url])
    sending.submit("one")
    world.proxy.inject("slow_drip_head_before")
    started = time.monotonic()
    sending.round()
    assert time.monotonic() - started < 5


def test_submissions_without_proof_do_not_stop_those_behind_them(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    for name in ("one", "two", "three"):
        sending.submit(name)
    world.proxy.inject("unknown_transaction_type", times=None)
    for _ in range(6):
        sending.round()
        world.anvil.mine()
    sending.submit("four")
    for _ in range(3):
        sending.round()
        world.anvil.mine()
    assert sending.journal.load("four").nonce is not None
    world.proxy.clear()
    sending.finish()
    sending.check()


@pytest.mark.parametrize("retiring", [False, True])
def test_a_gap_that_somebody_else_filled_needs_no_filling_any_more(world: World, retiring: bool) -> None:
    sending = Sending(world.anvil, [world.anvil.rpc_url])
    nonce = sending.nonce()
    sending.journal.reserve_nonce(CHAIN_ID, SIGNER.address, nonce, "gone")
    sending.journal.release_nonce(CHAIN_ID, SIGNER.address, nonce, "gone")
    sending.submit("one")
    for _ in range(2):
        sending.round()
    sending.sender._retiring = retiring
    other = SIGNER.sign_transaction(
        {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": bytes(20),
            "value": 0,
            "data": b"",
            "gas": 21_000,
            "maxFeePerGas": 10**12,
            "maxPriorityFeePerGas": 10**11,
        }
    )
    world.anvil.call("eth_sendRawTransaction", "0x" + other.hex())
    sending.finish()
    (filler,) = (item for item in sending.journal.submissions.values() if item.fills_nonce)
    assert len(filler.attempts) == 1, "it was sent again with another nonce, for nothing"


def test_a_node_that_writes_capitals_is_understood(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    sending.submit("one")
    world.proxy.inject("upper_case_hexadecimal", times=None)
    sending.finish()
    assert sending.journal.load("one").state is State.SEALED


@pytest.mark.parametrize("words", ["refused_with_nul_before", "refused_with_nul_after"])
def test_no_word_of_a_node_is_one_that_a_database_cannot_store(world: World, words: str) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    sending.submit("one")
    world.proxy.inject(words, times=None)
    sending.round()
    reason = sending.journal.load("one").reason
    assert "\x00" not in reason
    reason.encode()
