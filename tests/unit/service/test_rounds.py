"""Rounds of a chain's keys on a real chain and a real PostgreSQL: rotation, custodians away, keys that are gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from evidence_service.anchor import contract
from evidence_service.anchor.fees import FeePolicy
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner, Signer
from evidence_service.anchor.submission import Attempt, State, Submission
from evidence_service.errors import SignerUnavailableError
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from evidence_service.service.anchor import NOBODY
from evidence_service.service.parts import Chain
from evidence_service.service.rounds import Rounds
from evidence_service.service.tracing import NoTracing
from evidence_service.store import schema
from evidence_service.store.chain_status import ChainStatus
from evidence_service.store.journal import PostgresJournal
from tests.faults.anvil import AnvilControl
from tests.running import ANVIL, empty

OLD, NEW = (LocalSigner(account.private_key) for account in AnvilChain.accounts)


class Away:
    """A custodian that answers only when it is told to."""

    def __init__(self, real: Signer) -> None:
        self.real: Signer | None = None
        self._behind = real

    def back(self) -> None:
        """From now on it answers."""
        self.real = self._behind

    @property
    def address(self) -> str:
        if self.real is None:
            raise SignerUnavailableError("the custodian does not answer")
        return self.real.address

    def sign_transaction(self, transaction: Any) -> bytes:
        assert self.real is not None
        return self.real.sign_transaction(transaction)


class World:
    """A chain whose blocks the test mines, and rounds over it."""

    def __init__(self, engine: Engine, anvil: AnvilControl) -> None:
        self.anvil = anvil
        self.journal = PostgresJournal(
            engine, make_submission=Submission, make_attempt=Attempt, make_state=State
        )
        self.status = ChainStatus(engine)
        self.notes: dict[str, str | None] = {}
        self._engine = engine

    def _note(self, batch_id: str, words: str | None, *, source: str) -> None:
        assert source == f"chain {CHAIN_ID}"
        self.notes[batch_id] = words

    def rounds(self, *signers: Signer) -> Rounds:
        """Rounds of these keys, the first one sending."""
        chain = Chain(
            name="test",
            node=Node([self.anvil.rpc_url], CHAIN_ID),
            signers=signers,
            contract=contract.expected_address(),
            rpc_urls=(self.anvil.rpc_url,),
            fees=FeePolicy(bump_after=2),
        )
        parts: Any = SimpleNamespace(
            journal=self.journal,
            batches=SimpleNamespace(note_waiting=self._note),
            chain_status=self.status,
            now=lambda: datetime.now(UTC),
            tracing=NoTracing(),
        )
        return Rounds(parts, chain)

    def submit(self, name: str, signer: Signer) -> None:
        """A batch and its submission."""
        commitment = hashlib.sha256(name.encode()).digest()
        with self._engine.begin() as connection:
            connection.execute(
                schema.batches.insert().values(
                    id=name,
                    sequence=len(self.notes) + len(name) + int.from_bytes(commitment[:3]),
                    status="closed",
                    header=b"{}",
                    commitment=commitment,
                    size=1,
                    closed_at=datetime.now(UTC),
                )
            )
        self.journal.create(
            Submission(
                submission_id=name,
                chain_id=CHAIN_ID,
                submitter=signer.address,
                contract=contract.expected_address(),
                commitment=commitment,
                leaf_count=1,
                batch_id=name,
            )
        )

    def finish(self, rounds: Rounds, *names: str) -> None:
        """A round and a block in turn until these are sealed."""
        for _ in range(20):
            rounds.once()
            if all(self.journal.load(name).done for name in names):
                return
            self.anvil.mine()
        raise AssertionError({name: self.journal.load(name).state for name in names})


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnvilControl]:
    directory: Path = tmp_path_factory.mktemp("rounds")
    chain = AnvilChain(directory, free_port(), anvil=ANVIL, mining="manual", slots_in_an_epoch=1)
    control = AnvilControl(chain.rpc_url)
    control.call("anvil_setCode", contract.expected_address(), contract.artefact()["deployedBytecode"])
    control.mine(4)
    yield control
    chain.stop()


@pytest.fixture
def world(engine: Engine, anvil: AnvilControl) -> World:
    empty(engine)
    return World(engine, anvil)


def test_a_rotated_key_finishes_what_it_began_and_gives_the_rest_to_the_new_one(world: World) -> None:
    world.submit("begun", OLD)
    world.rounds(OLD).once()
    world.submit("not begun", OLD)
    world.finish(world.rounds(NEW, OLD), "begun", "not begun")
    assert world.journal.load("begun").submitter == OLD.address
    assert world.journal.load("not begun").submitter == NEW.address


def test_what_a_removed_key_sent_is_still_watched_and_what_needs_it_is_named(world: World) -> None:
    world.submit("sent", OLD)
    world.rounds(OLD).once()
    world.submit("not begun", OLD)
    world.finish(world.rounds(NEW), "sent", "not begun")
    assert world.journal.load("sent").submitter == OLD.address
    assert world.journal.load("not begun").submitter == NEW.address
    world.submit("to be replaced", OLD)
    world.rounds(OLD).once()
    world.anvil.drop(world.journal.load("to be replaced").attempts[0].hash)
    rounds = world.rounds(NEW)
    for _ in range(3):
        world.anvil.mine()
        rounds.once()
        latest = world.journal.load("to be replaced").attempts[-1].hash
        if latest in world.anvil.pool():
            world.anvil.drop(latest)
    assert f"the key of {OLD.address} is not configured" in str(world.notes["to be replaced"])
    world.finish(world.rounds(NEW, OLD), "to be replaced")
    assert world.notes["to be replaced"] is None or world.journal.load("to be replaced").done


def test_a_custodian_that_is_away_at_the_start_holds_nothing_up_when_it_is_back(world: World) -> None:
    custodian = Away(OLD)
    world.submit("waiting", OLD)
    rounds = world.rounds(custodian)
    rounds.once()
    assert world.journal.load("waiting").state is State.CREATED
    custodian.back()
    world.finish(rounds, "waiting")


def test_what_waits_for_a_keys_address_gets_it_when_the_custodian_is_back(world: World) -> None:
    custodian = Away(OLD)
    world.submit("nobody's", SimpleNamespace(address=NOBODY))
    rounds = world.rounds(custodian)
    rounds.once()
    assert world.notes["nobody's"] == "the custodian does not answer"
    assert rounds.address is None
    custodian.back()
    world.finish(rounds, "nobody's")
    assert world.journal.load("nobody's").submitter == rounds.address == OLD.address


def test_what_a_lost_key_only_reserved_a_nonce_for_goes_to_the_current_one(world: World) -> None:
    world.submit("reserved", OLD)
    before = world.journal.load("reserved")
    nonce = world.journal.reserve_nonce(CHAIN_ID, OLD.address, 50, "reserved")
    world.journal.move(before, replace(before, state=State.NONCE_RESERVED, nonce=nonce))
    world.finish(world.rounds(NEW), "reserved")
    assert world.journal.load("reserved").submitter == NEW.address
    assert world.journal.submitters(CHAIN_ID) == []


def test_an_idle_keys_balance_is_looked_at(world: World) -> None:
    world.rounds(OLD).once()
    (status,) = world.status.all()
    assert status.submitter == OLD.address
    assert int(status.seen["balance"]) > 0


def test_what_a_round_saw_is_kept_for_people_and_metrics(world: World) -> None:
    world.submit("one", OLD)
    world.finish(world.rounds(OLD), "one")
    (status,) = world.status.all()
    assert (status.chain_id, status.submitter) == (CHAIN_ID, OLD.address)
    assert status.seen["head"] >= status.seen["final"] > 0
    assert int(status.seen["balance"]) > 0
    assert [node["lies"] for node in status.seen["nodes"]] == [0]
    assert status.events["sealed"] == 1


def test_a_chain_that_cannot_be_looked_at_is_told_on_every_batch_and_taken_back(world: World) -> None:
    world.submit("one", OLD)
    rounds = world.rounds(OLD)
    away = Node(["http://127.0.0.1:9"], CHAIN_ID)
    sender = rounds._sender(OLD, retiring=False)
    there, sender._node = sender._node, away
    rounds._senders[OLD.address] = sender
    rounds._unmet.clear()
    assert rounds.once() is False
    assert "127.0.0.1:9" in str(world.notes["one"])
    (status,) = world.status.all()
    assert "127.0.0.1:9" in status.seen["problem"]
    sender._node = there
    rounds.once()
    assert world.notes["one"] is None
