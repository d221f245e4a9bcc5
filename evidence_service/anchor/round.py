"""One look at a chain, what was asked in it once for all, and what a round of the sender did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from evidence_service.anchor import blocks, contract
from evidence_service.anchor.blocks import Header
from evidence_service.anchor.endpoint import Endpoint
from evidence_service.anchor.fees import Fee, FeePolicy
from evidence_service.anchor.finality import Finality, Standing, View
from evidence_service.anchor.inclusion import Blocks
from evidence_service.anchor.node import Node
from evidence_service.anchor.submission import Submission
from evidence_service.errors import UnavailableError
from evidence_service.verify.trie import keccak256

_ANCHOR_GAS = 46_500
"""What an anchor costs at least (``docs/reference/gas.md``): no estimate below it is believed."""


@dataclass
class Round:
    """What a round saw and did.

    Attributes:
        events: how often each thing an operator counts happened: ``reorged``, ``bumped``, ``resent``, ….
        problems: submission id → what keeps it waiting, in words.
        progressed: whether any submission moved.
    """

    view: View
    events: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    progressed: bool = False


@dataclass
class Look:
    """One round's view of the chain, and what was asked in it once for all.

    Attributes:
        moved: whether blocks may have left the chain since the last round.
        in_flight: transactions that wait for a block.
        spent: wei that the transactions begun in this round may cost.
        lacking: addresses that do not know the first transaction that waits: they are given them all again.
        proved: blocks, each fetched and checked once.
    """

    node: Node
    view: View
    done: Round
    moved: bool
    in_flight: int = 0
    spent: int = 0
    lacking: list[Endpoint] = field(default_factory=list)
    proved: Blocks = field(init=False)
    _fee: Fee | None = None
    _estimate: int = 0
    _hashes: dict[int, str | None] = field(default_factory=dict)
    _standings: dict[str, Standing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.proved = Blocks(self.node)

    def note(self, before: Submission, after: Submission) -> None:
        """Count a transition that was stored."""
        self.done.progressed = True
        if after.state is not before.state:
            self.done.events[after.state.value] += 1

    def used(self, submission: Submission) -> bool:
        """Whether a block up to the head used the nonce; proved."""
        return submission.nonce is None or self.view.account.nonce > submission.nonce

    def fee(self, policy: FeePolicy) -> Fee:
        """What a transaction is offered with now.

        Raises:
            UnavailableError: the chain's base fee is above the cap.
        """
        if self._fee is None:
            self._fee = policy.wanted(self.node, self.view.head)
            if self._fee.max_fee < self.view.head.base_fee:
                raise UnavailableError(
                    f"the base fee of chain {self.node.chain_id} is {self.view.head.base_fee} wei per gas, "
                    f"the cap is {policy.max_fee_cap}",
                    what_to_do="it goes on when the fees fall; raise the cap if it has to go on now",
                )
        return self._fee

    def estimate(self, submission: Submission) -> int:
        """Gas of anchoring something that was never anchored: a repetition would cost half as much.

        A commitment of this submission may be in the pool already, which some nodes count as done.
        """
        if not self._estimate:
            fresh = contract.anchor_call(keccak256(self.view.head.raw), submission.leaf_count)
            call = {"from": submission.submitter, "to": submission.contract, "data": "0x" + fresh.hex()}
            self._estimate = max(self.node.quantity("eth_estimateGas", call, "latest"), _ANCHOR_GAS)
        return self._estimate

    def header(self, number: int) -> Header | None:
        """Header of the block at a number, of this round's endpoint if it answers."""
        return self.node.first(
            f"block {number}", lambda caller: blocks.header(caller, hex(number)), prefer=self.view.endpoint
        )

    def hash_at(self, number: int) -> str | None:
        """Its hash, asked once a round."""
        if number not in self._hashes:
            header = self.header(number)
            self._hashes[number] = None if header is None else header.hash
        return self._hashes[number]

    def standing(self, number: int, block_hash: str, finality: Finality) -> Standing:
        """See :meth:`Finality.standing`; asked once a round for each block."""
        if block_hash not in self._standings:
            self._standings[block_hash] = finality.standing(self.node, number, block_hash)
        return self._standings[block_hash]


def call_data(submission: Submission) -> bytes:
    """What the transaction of a submission says to its recipient."""
    if submission.fills_nonce:
        return b""
    return contract.anchor_call(submission.commitment, submission.leaf_count)
