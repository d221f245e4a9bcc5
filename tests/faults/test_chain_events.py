"""What chains and keys do without any node's fault: reorganisations, fees, balances, other users of the key."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from evidence_service.anchor import blocks, contract, endpoint
from evidence_service.anchor.blocks import Header
from evidence_service.anchor.fees import Fee, FeePolicy
from evidence_service.anchor.finality import Finality
from evidence_service.anchor.node import Node
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.submission import State
from evidence_service.errors import NodeUnavailableError
from evidence_service.sandbox.anvil import CHAIN_ID
from tests.faults.sending import SIGNER, Sending
from tests.faults.world import World


@pytest.fixture
def sending(world: World) -> Sending:
    return Sending(world.anvil, [world.proxy.url])


def mined(sending: Sending, *names: str) -> None:
    """Submitted and in a block, not final."""
    for name in names:
        sending.submit(name)
    sending.round()
    sending.anvil.mine()
    sending.round()
    assert {sending.journal.load(name).state for name in names} == {State.MINED}


def foreign_transaction(nonce: int) -> bytes:
    """A transaction of the same key that anchors nothing."""
    return SIGNER.sign_transaction(
        {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": bytes(20),
            "value": 1,
            "data": b"",
            "gas": 21_000,
            "maxFeePerGas": 10**12,
            "maxPriorityFeePerGas": 10**11,
        }
    )


def foreign(sending: Sending, *, nonce: int) -> None:
    """Somebody else uses the key."""
    sending.anvil.call("eth_sendRawTransaction", "0x" + foreign_transaction(nonce).hex())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_reorg_that_drops_the_transaction_sends_the_same_bytes_again(sending: Sending, depth: int) -> None:
    mined(sending, "one")
    before = sending.journal.load("one")
    sending.anvil.mine(depth - 1)
    sending.anvil.reorg(depth)
    sending.finish()
    sending.check()
    done = sending.journal.load("one")
    assert [item.raw for item in done.attempts] == [item.raw for item in before.attempts]
    assert done.block_hash != before.block_hash
    assert sum(item.events["reorged"] for item in sending.rounds) == 1


def test_a_transaction_mined_elsewhere_is_proved_where_it_is(sending: Sending) -> None:
    mined(sending, "one")
    before = sending.journal.load("one")
    sending.anvil.mine()
    sending.anvil.reorg(2, keep=[(before.attempts[0].raw, 1)])
    sending.finish()
    sending.check()
    done = sending.journal.load("one")
    assert done.transaction_hash == before.transaction_hash
    assert len(done.attempts) == 1
    assert done.block_number == (before.block_number or 0) + 1


def test_a_proof_taken_before_a_reorg_is_not_sealed(sending: Sending) -> None:
    mined(sending, "one")
    early = sending.journal.proofs["one"]
    sending.anvil.reorg(1)
    sending.finish()
    sending.check()
    assert sending.journal.proofs["one"] != early


def test_a_transaction_the_pool_forgot_is_offered_again(sending: Sending) -> None:
    for name in ("one", "two", "three"):
        sending.submit(name)
    sending.round()
    for name in ("one", "two", "three"):
        sending.anvil.drop(sending.journal.load(name).attempts[0].hash)
    assert sending.anvil.pool() == set()
    sending.round()
    assert len(sending.anvil.pool()) == 3
    sending.finish()
    sending.check()
    assert all(len(item.attempts) == 1 for item in sending.journal.submissions.values())


def test_fees_are_raised_until_the_cap_and_no_further(world: World) -> None:
    fees = FeePolicy(max_fee_cap=6 * 10**9, bump_after=2)
    sending = Sending(world.anvil, [world.proxy.url], fees=fees)
    sending.submit("one")
    sending.round()
    for _ in range(12):
        sending.anvil.set_next_base_fee(50 * 10**9)
        sending.anvil.mine()
        sending.round()
    held = sending.journal.load("one")
    assert held.state in (State.STUCK, State.BROADCAST)
    assert "cap of 6000000000" in sending.words() or "the cap is 6000000000" in sending.words()
    assert max(attempt.max_fee for attempt in held.attempts) <= fees.max_fee_cap
    sending.anvil.set_next_base_fee(10**9)
    sending.finish()
    sending.check()


def test_a_slow_transaction_is_replaced_by_one_that_pays_an_eighth_more(sending: Sending) -> None:
    sending.submit("one")
    sending.round()
    # Nothing is mined from the pool while it is dropped before every block and put back after it.
    first = sending.journal.load("one").attempts[0]
    for _ in range(3):
        sending.anvil.drop(sending.journal.load("one").attempts[-1].hash)
        sending.anvil.mine()
        sending.round()
    attempts = sending.journal.load("one").attempts
    assert len(attempts) > 1
    assert attempts[1].max_fee >= first.max_fee * 9 / 8
    assert attempts[1].priority_fee >= first.priority_fee * 9 / 8
    sending.finish()
    sending.check()


def test_an_empty_balance_keeps_the_queue_and_reserves_nothing(sending: Sending) -> None:
    balance = int(sending.anvil.call("eth_getBalance", SIGNER.address, "latest"), 16)
    sending.anvil.set_balance(SIGNER.address, 10**9)
    sending.anvil.mine()
    sending.submit("one")
    sending.submit("two")
    sending.round()
    assert f"the balance of {SIGNER.address}" in sending.words()
    assert {item.state for item in sending.journal.submissions.values()} == {State.CREATED}
    assert sending.journal.held == {}
    sending.anvil.set_balance(SIGNER.address, balance)
    sending.finish()
    sending.check()


def test_a_transaction_that_ran_out_of_gas_is_sent_again_with_more(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "_gas", lambda _, looked, item: 30_000 if not item.failures else 120_000)
    sending.submit("one")
    sending.finish()
    assert sending.journal.load("one").failures == 1
    sending.check()


def test_a_nonce_that_somebody_else_used_is_given_up_only_when_that_is_final(sending: Sending) -> None:
    sending.submit("one")
    sending.round()
    held = sending.journal.load("one")
    sending.anvil.drop(held.attempts[0].hash)
    foreign(sending, nonce=held.nonce or 0)
    sending.anvil.mine()
    sending.round()
    assert sending.journal.load("one").nonce == held.nonce
    sending.finish()
    assert sending.journal.load("one").nonce == (held.nonce or 0) + 1
    sending.check()
    assert sum(item.events["foreign_nonce"] for item in sending.rounds) == 1


def test_a_foreign_transaction_that_a_reorg_removes_costs_nothing(sending: Sending) -> None:
    sending.submit("one")
    sending.round()
    held = sending.journal.load("one")
    sending.anvil.drop(held.attempts[0].hash)
    foreign(sending, nonce=held.nonce or 0)
    sending.anvil.mine()
    sending.round()
    sending.anvil.reorg(1)
    sending.finish()
    assert sending.journal.load("one").nonce == held.nonce
    sending.check()


def test_a_gap_is_filled_so_that_later_ones_are_mined(sending: Sending) -> None:
    start = sending.nonce()
    owner = (CHAIN_ID, SIGNER.address)
    sending.journal.reserve_nonce(*owner, start, "lost")
    sending.journal.release_nonce(*owner, start, "lost")
    sending.submit("one")
    sending.finish()
    assert sending.journal.load("one").nonce == start + 1
    filler = sending.journal.load(f"fill-{CHAIN_ID}-{SIGNER.address}-{start}")
    assert filler.state is State.FINALIZED
    sending.check()


def test_a_commitment_another_transaction_anchored_is_proved_there(sending: Sending) -> None:
    wanted = sending.submit("one")
    sending.round()
    again = Sending(sending.anvil, [sending.anvil.rpc_url])
    again.journal.save(replace(wanted, submission_id="the same again", batch_id="the same again"))
    sending.finish()
    again.finish()
    done = again.journal.load("the same again")
    assert done.nonce is None
    assert done.transaction_hash == sending.journal.load("one").transaction_hash
    sending.check()


def test_two_nodes_that_contradict_each_other_seal_nothing(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url, world.anvil.rpc_url], agreeing=2)
    sending.submit("one")
    world.proxy.inject("header_other_hash", method="eth_getBlockByNumber", times=None)
    for _ in range(10):
        sending.round()
        sending.anvil.mine()
    assert not sending.journal.load("one").done
    world.proxy.clear()
    sending.finish()
    sending.check()


def test_one_node_of_two_that_is_away_begins_and_seals_nothing(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url, world.anvil.rpc_url], agreeing=2)
    sending.submit("begun")
    sending.round()
    sending.submit("not begun")
    with world.proxy.refusing():
        for _ in range(10):
            sending.anvil.mine()
            sending.round()
        assert sending.journal.load("begun").state is State.MINED
        assert sending.journal.load("not begun").state is State.CREATED
        assert "fewer than 2 nodes of chain 31337 share a head" in sending.words()
    sending.finish()
    sending.check()


def test_a_chain_without_the_tag_counts_blocks(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    world.proxy.inject("finalized_missing", times=None)
    sending.submit("one")
    sending.round()
    assert "set finality_depth" in sending.words()
    sending.sender = Sender(
        sending.node, SIGNER, sending.journal, fees=sending.fees, finality=Finality(depth=7)
    )
    sending.finish()
    done = sending.journal.load("one")
    assert sending.anvil.head() - (done.block_number or 0) == 7
    sending.check()


def test_a_retiring_key_finishes_what_it_began_and_begins_nothing(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    mined(sending, "begun")
    sending.submit("not begun")
    sending.sender = Sender(sending.node, SIGNER, sending.journal, fees=sending.fees, retiring=True)
    for _ in range(8):
        sending.round()
        sending.anvil.mine()
    assert sending.journal.load("begun").state is State.SEALED
    assert sending.journal.load("not begun").state is State.CREATED


def test_a_contract_that_is_not_there_is_named_and_nothing_is_sent(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    sending.journal.save(replace(sending.submit("one"), contract="0x" + "ab" * 20))
    sending.round()
    assert "the evidence anchor is not at 0xabab" in sending.words()
    assert sending.journal.held == {}


def test_the_pool_never_holds_more_than_the_window(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url], fees=FeePolicy(max_in_flight=4))
    for number in range(10):
        sending.submit(f"n{number}")
    sending.round()
    assert len(sending.anvil.pool()) == 4
    sending.finish()
    sending.check()


def test_two_senders_of_one_key_take_turns(world: World) -> None:
    """The lock is the database's (tests/unit/store); here: what a second writer without one is refused."""
    sending = Sending(world.anvil, [world.proxy.url])
    sending.submit("one")
    other = Sender(Node([world.anvil.rpc_url], CHAIN_ID), SIGNER, sending.journal)
    threads = [threading.Thread(target=sender.round) for sender in (sending.sender, other) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sending.finish()
    sending.check()
    assert contract.check_code(sending.node, contract.expected_address())


def test_a_look_at_a_node_that_is_behind_is_no_reorganisation(world: World) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    mined(sending, "one")
    world.proxy.inject("stale_head", times=None, blocks=2)
    for _ in range(2):
        sending.round()
    assert sending.journal.load("one").state is State.MINED
    world.proxy.clear()
    sending.finish()
    sending.check()
    assert sum(item.events["reorged"] for item in sending.rounds) == 0


def test_a_node_that_hides_a_transaction_does_not_keep_it_from_the_others(world: World) -> None:
    """It takes the bytes and says that it knows them; the honest node rests while they are offered."""
    sending = Sending(world.anvil, [world.proxy.url, world.anvil.rpc_url])
    honest = sending.node.endpoints[1]
    honest.resting_until = float("inf")
    world.proxy.inject("accepted_and_dropped", times=None)
    sending.submit("one")
    sending.round()
    for _ in range(4):
        sending.anvil.mine()
        sending.round()
    honest.resting_until = 0.0
    sending.finish()
    sending.check()


def test_a_chain_without_fees_is_sent_to(world: World) -> None:
    free = FeePolicy(max_tip=0, bump_after=2)
    assert free.wanted(sending_node(world), replace(newest(world), base_fee=0)) == Fee(0, 0)
    sending = Sending(world.anvil, [world.proxy.url], fees=free)
    sending.anvil.set_next_base_fee(0)
    sending.submit("one")
    sending.finish()
    sending.check()


def test_a_replacement_raises_even_a_fee_of_nothing() -> None:
    assert Fee(0, 0).raised() == Fee(1, 1)
    assert Fee(8, 1).raised() == Fee(9, 2)


@pytest.mark.parametrize("said", ["-0x1", "0x", "", " 0x1", "1", 1, None, "0x1_0", "0x" + "f" * 65])
def test_what_is_no_quantity_is_no_number(said: object) -> None:
    with pytest.raises(NodeUnavailableError, match="not a number"):
        endpoint.number(said, "eth_maxPriorityFeePerGas")


def test_what_failed_three_times_is_tried_again_by_the_next_worker(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "_gas", lambda _, looked, item: 30_000)
    sending.submit("one")
    for _ in range(40):
        sending.round()
        sending.anvil.mine()
    assert sending.journal.load("one").state is State.REVERTED
    assert sending.journal.load("one").failures == 3
    monkeypatch.setattr(Sender, "_gas", lambda _, looked, item: 120_000)
    sending.round()
    assert sending.journal.load("one").state is State.REVERTED
    sending.sender = Sender(sending.node, SIGNER, sending.journal, fees=sending.fees)
    sending.finish()
    sending.check()


def newest(world: World) -> Header:
    """The chain's newest header."""
    found = blocks.header(sending_node(world), "latest")
    assert found is not None
    return found


def sending_node(world: World) -> Node:
    """A client of the chain."""
    return Node([world.anvil.rpc_url], CHAIN_ID)
