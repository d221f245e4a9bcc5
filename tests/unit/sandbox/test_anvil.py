"""Anvil as a test sees it: real finality, reorganisations, forgotten transactions, a chain that is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence_service.anchor.signer import LocalSigner
from evidence_service.errors import ConfigurationError
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from tests.faults.anvil import AnvilControl
from tests.running import ANVIL

TO = bytes.fromhex("11" * 20)
SIGNER = LocalSigner(AnvilChain.accounts[0].private_key)


def transfer(nonce: int, *, max_fee: int = 10**12) -> bytes:
    return SIGNER.sign_transaction(
        {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": TO,
            "value": 1,
            "data": b"",
            "gas": 21_000,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": 10**9,
        }
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnvilControl]:
    chain = AnvilChain(
        tmp_path_factory.mktemp("anvil"), free_port(), anvil=ANVIL, mining="manual", slots_in_an_epoch=2
    )
    yield AnvilControl(chain.rpc_url)
    chain.stop()


@pytest.fixture
def anvil(running: AnvilControl) -> Iterator[AnvilControl]:
    with running.undone():
        yield running


def send(anvil: AnvilControl, raw: bytes) -> str:
    return str(anvil.call("eth_sendRawTransaction", "0x" + raw.hex()))


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.02)


def test_the_finalized_block_is_two_epochs_behind_the_head(anvil: AnvilControl) -> None:
    anvil.mine(10)
    assert anvil.head() - int(anvil.block("finalized")["number"], 16) == 4


def test_a_reorganisation_forgets_transactions_and_replaces_hashes(anvil: AnvilControl) -> None:
    raws = [transfer(nonce) for nonce in range(3)]
    hashes = []
    for raw in raws:
        hashes.append(send(anvil, raw))
        anvil.mine()
    head, before = anvil.head(), anvil.block("latest")["hash"]
    anvil.reorg(2)
    assert (anvil.head(), anvil.pool()) == (head, set())
    assert anvil.block("latest")["hash"] != before
    assert [anvil.receipt(item) is not None for item in hashes] == [True, False, False]
    assert send(anvil, raws[1]) == hashes[1]
    anvil.mine()
    assert anvil.receipt(hashes[1]) is not None


def test_a_reorganisation_replaces_empty_blocks_too(anvil: AnvilControl) -> None:
    anvil.mine(3)
    before = [anvil.block(anvil.head() - back)["hash"] for back in range(3)]
    anvil.reorg(3)
    after = [anvil.block(anvil.head() - back)["hash"] for back in range(3)]
    assert not set(before) & set(after)


def test_a_reorganisation_can_mine_a_transaction_elsewhere(anvil: AnvilControl) -> None:
    raw = transfer(0)
    found = send(anvil, raw)
    anvil.mine(3)
    before = anvil.receipt(found)
    anvil.reorg(3, keep=[(raw, 2)])
    after = anvil.receipt(found)
    assert before is not None
    assert after is not None
    assert int(after["blockNumber"], 16) == int(before["blockNumber"], 16) + 2
    assert after["blockHash"] != before["blockHash"]


def test_a_transaction_is_dropped_from_the_pool(anvil: AnvilControl) -> None:
    waiting = send(anvil, transfer(0))
    assert anvil.pool() == {waiting}
    anvil.drop(waiting)
    assert anvil.pool() == set()
    anvil.mine()
    assert anvil.receipt(waiting) is None


def test_balance_nonce_and_base_fee_are_set(anvil: AnvilControl) -> None:
    anvil.set_balance(SIGNER.address, 7)
    anvil.set_nonce(SIGNER.address, 5)
    anvil.set_next_base_fee(123_000_000_000)
    anvil.mine()
    assert int(anvil.call("eth_getBalance", SIGNER.address, "latest"), 16) == 7
    assert int(anvil.call("eth_getTransactionCount", SIGNER.address, "latest"), 16) == 5
    assert int(anvil.block("latest")["baseFeePerGas"], 16) == 123_000_000_000


def test_what_a_test_did_is_undone(running: AnvilControl) -> None:
    head = running.head()
    with running.undone():
        running.mine()
        assert running.head() == head + 1
    assert running.head() == head


def test_the_chain_and_its_old_states_are_kept(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    port = free_port()
    chain = AnvilChain(tmp_path, port, anvil=ANVIL, mining="manual", state=state)
    anvil = AnvilControl(chain.rpc_url)
    found = send(anvil, transfer(0))
    anvil.mine(3)
    head = anvil.block("latest")
    chain.stop()
    assert not chain.is_running()
    chain = AnvilChain(tmp_path, port, anvil=ANVIL, mining="manual", state=state)
    try:
        assert anvil.block("latest") == head
        assert anvil.receipt(found) is not None
        proof = anvil.call("eth_getProof", SIGNER.address, [], hex(2))
        assert int(proof["nonce"], 16) == 1
    finally:
        chain.kill()
    assert not chain.is_running()


def test_each_transaction_gets_a_block_at_once(tmp_path: Path) -> None:
    chain = AnvilChain(tmp_path, free_port(), anvil=ANVIL)
    try:
        anvil = AnvilControl(chain.rpc_url)
        found = send(anvil, transfer(0))
        wait_for(lambda: anvil.receipt(found) is not None)
    finally:
        chain.stop()


def test_blocks_come_by_themselves(tmp_path: Path) -> None:
    chain = AnvilChain(tmp_path, free_port(), anvil=ANVIL, mining="interval", block_time=0.1)
    try:
        anvil = AnvilControl(chain.rpc_url)
        first = anvil.head()
        wait_for(lambda: anvil.head() >= first + 2)
    finally:
        chain.stop()


@pytest.mark.parametrize("options", [{"mining": "interval"}, {"mining": "auto", "block_time": 1.0}])
def test_a_block_time_without_interval_mining_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="do not go together"):
        AnvilChain(tmp_path, free_port(), anvil=ANVIL, **options)  # type: ignore[arg-type]
