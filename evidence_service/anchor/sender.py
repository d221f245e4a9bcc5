"""Bring a commitment to the chain: one transition at a time, each safe to repeat after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from evidence_service.anchor import contract, inclusion
from evidence_service.anchor.finality import Finality, Standing
from evidence_service.anchor.inclusion import Inclusion
from evidence_service.anchor.node import Node, SendOutcome
from evidence_service.anchor.signer import Signer
from evidence_service.anchor.submission import Attempt, Journal, State, Submission
from evidence_service.errors import ConflictError, UnavailableError
from evidence_service.verify.trie import keccak256

_OUT = (SendOutcome.ACCEPTED, SendOutcome.KNOWN, SendOutcome.NONCE_TOO_LOW, SendOutcome.UNDERPRICED)


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What a transaction may cost.

    Attributes:
        max_fee_cap: wei per gas never exceeded; at the cap the submission is held and reported.
        bump_after: blocks without the transaction after which its fees are raised.
        gas_margin: percent added to the node's gas estimate.
    """

    max_fee_cap: int = 500 * 10**9
    bump_after: int = 5
    gas_margin: int = 25


class Sender:
    """Moves submissions of one signer on one chain.

    The nonce is what makes a commitment go out once: all attempts share it, and a nonce that was reserved is
    always used, so that no later submission waits behind a gap.
    """

    def __init__(
        self,
        node: Node,
        signer: Signer,
        journal: Journal,
        *,
        fees: FeePolicy | None = None,
        finality: Finality | None = None,
    ) -> None:
        self._node = node
        self._signer = signer
        self._journal = journal
        self._fees = fees or FeePolicy()
        self._finality = finality or Finality()
        self._transitions: dict[State, Callable[[Submission], Submission]] = {
            State.CREATED: self._reserve,
            State.NONCE_RESERVED: self._sign,
            State.SIGNED: self._broadcast,
            State.BUMPED: self._broadcast,
            State.REORGED: self._resend,
            State.BROADCAST: self._watch,
            State.STUCK: self._watch,
            State.MINED: self._settle,
            State.FOREIGN_NONCE: self._give_up_nonce,
            State.REVERTED: self._look_again,
        }

    def advance(self, submission_id: str) -> Submission:
        """Perform the next transition, at most one; returns the submission as it is stored afterwards.

        Call it again until the state is terminal; between calls in ``broadcast``, ``stuck`` and ``mined``
        wait for a block.

        Raises:
            NodeUnavailableError: no node answered; what was stored before stays true.
            UnavailableError: the signer's balance is too low.
            NotFoundError: no such submission.
            ConflictError: it is for another chain or signer.
        """
        with self._journal.exclusive(self._node.chain_id, self._signer.address):
            submission = self._journal.load(submission_id)
            if (submission.chain_id, submission.submitter) != (self._node.chain_id, self._signer.address):
                raise ConflictError(
                    f"submission {submission_id} is for {submission.submitter} on chain "
                    f"{submission.chain_id}",
                    what_to_do="use the sender of that chain and signer",
                )
            if submission.state is State.FINALIZED:
                return submission
            following = self._transitions[submission.state](submission)
            if following != submission:
                self._journal.save(following)
            return following

    def _reserve(self, submission: Submission) -> Submission:
        owner = (submission.chain_id, submission.submitter)
        held = self._journal.reserved_nonce(*owner, submission.submission_id)
        if held is None:
            # Somebody with our signature, or this service before its journal was restored, was here already.
            if found := inclusion.of_event(self._node, submission):
                return _mined(submission, found)
            self._check_balance(submission)
            held = self._journal.reserve_nonce(*owner, self._used_nonces("latest"), submission.submission_id)
        return replace(submission, state=State.NONCE_RESERVED, nonce=held)

    def _sign(self, submission: Submission) -> Submission:
        max_fee, tip = contract.fees(self._node)
        attempt = self._attempt(submission, max_fee=max_fee, tip=tip)
        return replace(submission, state=State.SIGNED, attempts=(*submission.attempts, attempt))

    def _broadcast(self, submission: Submission) -> Submission:
        if self._nonce_is_used(submission, "latest"):
            return replace(submission, state=State.BROADCAST)
        return self._offer(submission, submission.attempts[-1])

    def _resend(self, submission: Submission) -> Submission:
        """After a reorg: the same raw transaction first, which cannot be mined twice."""
        if submission.nonce is None:
            return replace(_unmined(submission), state=State.CREATED)
        again = [a for a in submission.attempts if a.hash == submission.transaction_hash]
        return self._offer(_unmined(submission), (again or submission.attempts)[-1])

    def _watch(self, submission: Submission) -> Submission:
        found = inclusion.of_attempts(self._node, submission)
        if found is not None and not found.succeeded:
            return replace(submission, state=State.REVERTED, reason=f"{found.transaction_hash} failed")
        if found is None and not self._nonce_is_used(submission, "latest"):
            return self._nudge(submission)
        if found is None or not found.anchored:
            # Mined without the event, or not at all although the nonce is used: who anchored it, if anyone?
            found = inclusion.of_event(self._node, submission)
        if found is not None:
            return _mined(submission, found)
        # Only a final block proves it: a lagging node counts a nonce before it shows the receipt.
        if self._nonce_is_used(submission, hex(max(self._finality.final_number(self._node), 0))):
            return replace(
                submission,
                state=State.FOREIGN_NONCE,
                reason=f"nonce {submission.nonce} was used by a transaction that is not this service's",
            )
        return submission

    def _nudge(self, submission: Submission) -> Submission:
        """Not mined yet: the same bytes again if they were forgotten, higher fees if they wait too long."""
        latest = submission.attempts[-1]
        if self._node.record("eth_getTransactionByHash", latest.hash) is None:
            return self._offer(submission, latest)
        head = self._node.quantity("eth_blockNumber")
        if submission.state is State.STUCK or head < latest.head + self._fees.bump_after:
            return submission
        if latest.max_fee >= self._fees.max_fee_cap:
            reason = f"not mined at the fee cap of {self._fees.max_fee_cap} wei per gas"
            return replace(submission, state=State.STUCK, reason=reason)
        wanted_fee, wanted_tip = contract.fees(self._node)
        attempt = self._attempt(
            submission,
            max_fee=max(_raised(latest.max_fee), wanted_fee),
            tip=max(_raised(latest.priority_fee), wanted_tip),
        )
        if attempt.max_fee < _raised(latest.max_fee) or attempt.priority_fee < _raised(latest.priority_fee):
            reason = f"the next raise would exceed the fee cap of {self._fees.max_fee_cap} wei per gas"
            return replace(submission, state=State.STUCK, reason=reason)
        return replace(submission, state=State.BUMPED, attempts=(*submission.attempts, attempt))

    def _settle(self, submission: Submission) -> Submission:
        if submission.block_number is None or submission.block_hash is None:
            raise ConflictError(f"submission {submission.submission_id} is mined without a block")
        standing = self._finality.standing(self._node, submission.block_number, submission.block_hash)
        if standing is Standing.GONE:
            reason = f"block {submission.block_number} {submission.block_hash} left the chain"
            return replace(submission, state=State.REORGED, reason=reason)
        if standing is Standing.FINAL:
            return replace(submission, state=State.FINALIZED, reason="")
        return submission

    def _give_up_nonce(self, submission: Submission) -> Submission:
        if submission.nonce is not None:
            self._journal.release_nonce(
                submission.chain_id, submission.submitter, submission.nonce, submission.submission_id
            )
        return replace(submission, state=State.CREATED, nonce=None)

    def _look_again(self, submission: Submission) -> Submission:
        """A failed transaction stays failed, but a node may have lied about it, or another one anchored."""
        found = inclusion.of_event(self._node, submission)
        return submission if found is None else _mined(submission, found)

    def _offer(self, submission: Submission, attempt: Attempt) -> Submission:
        outcome, words = self._node.send(attempt.raw)
        if outcome in _OUT:
            # Known and too low mean that it, or another attempt, got through: the watch finds out which.
            state = State.STUCK if submission.state is State.STUCK else State.BROADCAST
            return replace(submission, state=state)
        if outcome is SendOutcome.INSUFFICIENT_FUNDS:
            raise self._poor(words)
        return replace(submission, state=State.STUCK, reason=f"the node refused the transaction: {words}")

    def _attempt(self, submission: Submission, *, max_fee: int, tip: int) -> Attempt:
        capped = min(max_fee, self._fees.max_fee_cap)
        priority = min(tip, capped)
        transaction = {
            "chainId": submission.chain_id,
            "nonce": submission.nonce,
            "to": bytes.fromhex(submission.contract[2:]),
            "value": 0,
            "data": contract.anchor_call(submission.commitment, submission.leaf_count),
            "gas": self._gas(submission),
            "maxFeePerGas": capped,
            "maxPriorityFeePerGas": priority,
        }
        raw = self._signer.sign_transaction(transaction)
        head = self._node.quantity("eth_blockNumber")
        return Attempt(raw, "0x" + keccak256(raw).hex(), capped, priority, head)

    def _gas(self, submission: Submission) -> int:
        data = contract.anchor_call(submission.commitment, submission.leaf_count)
        call = {"from": submission.submitter, "to": submission.contract, "data": "0x" + data.hex()}
        estimate = self._node.quantity("eth_estimateGas", call)
        return estimate * (100 + self._fees.gas_margin) // 100

    def _check_balance(self, submission: Submission) -> None:
        max_fee = min(contract.fees(self._node)[0], self._fees.max_fee_cap)
        needed = self._gas(submission) * max_fee
        balance = self._node.quantity("eth_getBalance", submission.submitter, "latest")
        if balance < needed:
            raise self._poor(f"{balance} wei, {needed} are needed")

    def _poor(self, words: str) -> UnavailableError:
        return UnavailableError(
            f"the balance of {self._signer.address} on chain {self._node.chain_id} is too low: {words}",
            what_to_do="fund the address; the queue is kept and goes on by itself",
        )

    def _used_nonces(self, block: str) -> int:
        """Transactions of the signer up to a block; ``pending`` is never asked, nodes disagree about it."""
        return self._node.quantity("eth_getTransactionCount", self._signer.address, block)

    def _nonce_is_used(self, submission: Submission, block: str) -> bool:
        return submission.nonce is not None and self._used_nonces(block) > submission.nonce


def _mined(submission: Submission, found: Inclusion) -> Submission:
    return replace(
        submission,
        state=State.MINED,
        transaction_hash=found.transaction_hash,
        block_number=found.block_number,
        block_hash=found.block_hash,
        reason="",
    )


def _unmined(submission: Submission) -> Submission:
    return replace(submission, transaction_hash=None, block_number=None, block_hash=None)


def _raised(fee: int) -> int:
    """The fee times 1.125, rounded up: nodes refuse a replacement that raises a fee by less than 10 %."""
    return -(-fee * 9 // 8)
