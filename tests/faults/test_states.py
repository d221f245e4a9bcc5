"""Every state of the machine: a process is killed once before and once after its effect, and nothing is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest

from evidence_service.anchor.submission import State, Submission
from evidence_service.sandbox.anvil import CHAIN_ID
from evidence_service.store import schema
from evidence_service.store.journal import PostgresJournal
from tests.faults.sending import LEAVES, SIGNER, check
from tests.faults.states import Death, Process, journal
from tests.faults.test_chain_events import foreign_transaction
from tests.faults.world import CONTRACT, World
from tests.running import database

Step = Callable[[World, PostgresJournal[Submission]], None]


def nothing(world: World, kept: PostgresJournal[Submission]) -> None:
    """The straight way."""


def forget(world: World, kept: PostgresJournal[Submission]) -> None:
    """The pool loses the transaction while blocks go by: it is replaced."""
    attempts = kept.load("one").attempts
    if len(attempts) == 1 and attempts[0].hash in world.anvil.pool():
        world.anvil.drop(attempts[0].hash)


def reorganise(world: World, kept: PostgresJournal[Submission]) -> None:
    """The block it was mined in leaves the chain; once, since its number is odd in this world."""
    found = kept.load("one")
    if found.state is State.MINED and found.block_number == world.number + 10:
        world.anvil.reorg(world.anvil.head() - found.block_number + 1)


def refuse(world: World, kept: PostgresJournal[Submission]) -> None:
    """The node refuses the transaction at first."""
    if not world.proxy.fired("refused_before"):
        world.proxy.inject("refused_before", times=1)


def take_the_nonce(world: World, kept: PostgresJournal[Submission]) -> None:
    """Somebody else uses the key's nonce."""
    found = kept.load("one")
    if len(found.attempts) == 1 and found.attempts[0].hash in world.anvil.pool():
        world.anvil.drop(found.attempts[0].hash)
        world.anvil.call("eth_sendRawTransaction", "0x" + foreign_transaction(found.nonce or 0).hex())


STRAIGHT = ["nonce_reserved", "signed", "broadcast", "mined", "finalized", "sealed"]
CASES: list[tuple[Death, Step]] = [
    (Death(call, moment, state), step)
    for call, state, step in (
        *(("move", state, nothing) for state in STRAIGHT),
        ("reserve_nonce", "", nothing),
        ("send", "", nothing),
        ("keep_proof", "", nothing),
        ("move", "bumped", forget),
        ("move", "reorged", reorganise),
        ("move", "stuck", refuse),
        ("move", "foreign_nonce", take_the_nonce),
        ("release_nonce", "", take_the_nonce),
        ("move", "reverted", nothing),
        ("take_nonce", "", nothing),
    )
    for moment in ("before", "after")
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(tmp_path_factory.mktemp("states")) as found:
        yield found


@pytest.fixture
def kept(url: str) -> PostgresJournal[Submission]:
    found = journal(url)
    with found._engine.begin() as connection:
        connection.execute(schema.submissions.delete())
        connection.execute(schema.nonces.delete())
    return found


@pytest.mark.parametrize(("death", "step"), CASES, ids=[str(death) for death, _ in CASES])
def test_a_killed_sender_is_followed_by_another(
    world: World, url: str, kept: PostgresJournal[Submission], death: Death, step: Step
) -> None:
    first_nonce = int(world.anvil.call("eth_getTransactionCount", SIGNER.address, "latest"), 16)
    if death.call == "take_nonce":
        owner = (CHAIN_ID, SIGNER.address)
        kept.release_nonce(*owner, kept.reserve_nonce(*owner, first_nonce, "lost"), "lost")
    wanted = Submission(
        submission_id="one",
        chain_id=CHAIN_ID,
        submitter=SIGNER.address,
        contract=CONTRACT,
        commitment=hashlib.sha256(str(death).encode()).digest(),
        leaf_count=LEAVES,
    )
    kept.create(wanted)
    low_gas = death.state == "reverted"
    process = Process(url, world.proxy.url, death, low_gas=low_gas)
    died = False
    step(world, kept)
    for _ in range(40):
        if not process.round():
            died = True
            process = Process(url, world.proxy.url, None, low_gas=low_gas)
        if kept.load("one").done and not kept.open(CHAIN_ID, SIGNER.address, unbegun=9):
            break
        step(world, kept)
        world.anvil.mine()
    process.end()
    assert died, "the process never came to where it was to die"
    assert kept.load("one").state is State.SEALED
    check(world.anvil, kept, [kept.load("one")], first_nonce)
