"""A sender on a real anvil whose blocks the test mines, and what has to be true of the chain afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from evidence_service.anchor import contract
from evidence_service.anchor.fees import FeePolicy
from evidence_service.anchor.finality import Finality
from evidence_service.anchor.node import Node
from evidence_service.anchor.round import Round
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.signer import LocalSigner
from evidence_service.anchor.submission import Submission
from evidence_service.errors import UnavailableError
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from evidence_service.verify.chain import verify_anchor
from tests.faults.anvil import AnvilControl
from tests.faults.world import CONTRACT, TIMEOUT
from tests.unit.anchor.conftest import MemoryJournal

SIGNER = LocalSigner(AnvilChain.accounts[1].private_key)
LEAVES = 3


class Sending:
    """One sender with a journal in memory.

    Args:
        urls: addresses of the chain's nodes as the sender knows them.
        agreeing: how many of them have to call a block final.
    """

    def __init__(
        self, anvil: AnvilControl, urls: Sequence[str], *, agreeing: int = 1, fees: FeePolicy | None = None
    ) -> None:
        self.anvil = anvil
        self.journal = MemoryJournal()
        self.node = Node(urls, CHAIN_ID, timeout=TIMEOUT)
        self.fees = fees or FeePolicy(bump_after=2)
        self.sender = Sender(
            self.node, SIGNER, self.journal, fees=self.fees, finality=Finality(agreeing=agreeing)
        )
        self.refused: list[str] = []
        """Rounds that could not look at the chain at all, and why."""
        self.rounds: list[Round] = []
        self._first_nonce = self.nonce()

    def submit(self, name: str) -> Submission:
        """A new submission, stored."""
        submission = submission_of(name)
        self.journal.save(submission)
        return submission

    def round(self) -> Round | None:
        """One round; a chain that cannot be looked at is noted."""
        try:
            done = self.sender.round()
        except UnavailableError as error:
            self.refused.append(error.message)
            return None
        assert done is not None
        self.rounds.append(done)
        return done

    def finish(self, *, rounds: int = 40) -> None:
        """A round and a block in turn until everything is sealed."""
        for _ in range(rounds):
            self.round()
            if all(item.done for item in self.journal.submissions.values()):
                return
            self.anvil.mine()
        waiting = {name: item.state for name, item in self.journal.submissions.items() if not item.done}
        raise AssertionError(f"not done: {waiting}; {self.words()}")

    def words(self) -> str:
        """Everything that kept submissions waiting."""
        return "; ".join(
            [*self.refused, *(f"{name}: {why}" for r in self.rounds for name, why in r.problems.items())]
        )

    def nonce(self) -> int:
        """Transactions of the key, asked past any proxy."""
        return int(self.anvil.call("eth_getTransactionCount", SIGNER.address, "latest"), 16)

    def check(self) -> None:
        """See :func:`check`."""
        check(self.anvil, self.journal, self.journal.submissions.values(), self._first_nonce)

    def events(self, submission: Submission) -> list[Any]:
        """The contract's events for a commitment."""
        return events(self.anvil, submission)


def submission_of(name: str) -> Submission:
    """A new submission of the key, with a commitment of its own."""
    return Submission(
        submission_id=name,
        chain_id=CHAIN_ID,
        submitter=SIGNER.address,
        contract=CONTRACT,
        commitment=hashlib.sha256(name.encode()).digest(),
        leaf_count=LEAVES,
    )


def check(anvil: AnvilControl, journal: Any, submissions: Iterable[Submission], first_nonce: int) -> None:
    """Every commitment is anchored by exactly one transaction, proved, and no nonce is left over."""
    for item in submissions:
        if item.fills_nonce:
            continue
        proof = journal.proof(item.submission_id)
        assert proof is not None
        facts = verify_anchor(proof, commitment=item.commitment, leaf_count=LEAVES)
        assert facts.has_state_proof
        assert anvil.block(facts.block_number)["hash"] == facts.block_hash
        assert len(transactions(anvil, item)) == 1, item.submission_id
        assert len(events(anvil, item)) == 1, item.submission_id
    used = range(first_nonce, int(anvil.call("eth_getTransactionCount", SIGNER.address, "latest"), 16))
    owners = journal.nonces(CHAIN_ID, SIGNER.address, first_nonce)
    assert sorted(owners) == list(used), (
        "a reserved nonce was not used, or one was used that was not reserved"
    )


def transactions(anvil: AnvilControl, submission: Submission) -> list[str]:
    """Successful transactions on the chain that carry a commitment."""
    found = []
    data = "0x" + contract.anchor_call(submission.commitment, LEAVES).hex()
    for number in range(anvil.head() + 1):
        for item in anvil.call("eth_getBlockByNumber", hex(number), True)["transactions"]:
            receipt = anvil.receipt(item["hash"]) if item["input"] == data else None
            if receipt is not None and receipt["status"] == "0x1":
                found.append(item["hash"])
    return found


def events(anvil: AnvilControl, submission: Submission) -> list[Any]:
    """The contract's events for a commitment."""
    topics = [None, None, "0x" + submission.commitment.hex()]
    query = {"fromBlock": "0x0", "address": CONTRACT, "topics": topics}
    return list(anvil.call("eth_getLogs", query))
