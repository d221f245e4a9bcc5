"""Bring commitments to the chain: one transition at a time, each stored before the effect that follows it.

States and transitions are those of :class:`evidence_service.anchor.submission.State`. A round looks at the
chain once and moves every open submission of one key as far as it goes; a process that dies anywhere in it is
followed by another round, here or in another process, from what is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from evidence_service.anchor import blocks, contract, inclusion, proofs
from evidence_service.anchor.blocks import Header
from evidence_service.anchor.endpoint import Endpoint, SendOutcome
from evidence_service.anchor.fees import Fee, FeePolicy
from evidence_service.anchor.finality import Finality, Standing, View, look
from evidence_service.anchor.inclusion import Inclusion
from evidence_service.anchor.node import Node
from evidence_service.anchor.round import Look, Round, call_data
from evidence_service.anchor.signer import Signer
from evidence_service.anchor.submission import IN_FLIGHT, Attempt, Journal, State, Submission
from evidence_service.errors import EvidenceServiceError, NodeUnavailableError, UnavailableError
from evidence_service.verify.trie import keccak256

_OUT = (SendOutcome.ACCEPTED, SendOutcome.KNOWN, SendOutcome.NONCE_TOO_LOW, SendOutcome.UNDERPRICED)
_FILL_GAS = 21_000
_STATE_KEPT = 100
"""Blocks for which every node keeps the state (geth: 128); later a proof without it is accepted."""
_MOST_FAILURES = 3
"""Failed transactions after which a submission waits for somebody to look."""
_ROUND_SECONDS = 60.0
"""After so long a round ends: nodes that hardly answer must not keep the key from other processes."""
_WAITING = frozenset({State.CREATED, State.BROADCAST, State.MINED, State.STUCK, State.REVERTED})
"""States that may have to wait for a block; others are left within a round."""


class Sender:
    """Moves the submissions of one key on one chain.

    The nonce is what makes a commitment go out once: all attempts share it, and a nonce that was reserved is
    always used, so that no later submission waits behind a gap.

    Args:
        retiring: the key finishes what it began and reserves no new nonces.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        node: Node,
        signer: Signer,
        journal: Journal,
        *,
        fees: FeePolicy | None = None,
        finality: Finality | None = None,
        retiring: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._signer = signer
        self._journal = journal
        self._fees = fees or FeePolicy()
        self._finality = finality or Finality()
        self._retiring = retiring
        self._clock = clock
        self._last_head: Header | None = None
        self._transitions: dict[State, Callable[[Look, Submission], Submission]] = {
            State.CREATED: self._reserve,
            State.NONCE_RESERVED: self._sign,
            State.SIGNED: self._broadcast,
            State.BUMPED: self._broadcast,
            State.REORGED: self._resend,
            State.BROADCAST: self._watch,
            State.STUCK: self._watch,
            State.MINED: self._settle,
            State.FINALIZED: self._seal,
            State.FOREIGN_NONCE: self._start_again,
            State.REVERTED: self._retry,
        }

    @property
    def signer(self) -> Signer:
        """Whose key it is."""
        return self._signer

    @property
    def address(self) -> str:
        """The key's address, 0x and lower-case hexadecimal."""
        return self._signer.address

    def round(self) -> Round | None:
        """Look at the chain once and move every open submission; None while another process does it.

        Raises:
            NodeUnavailableError: no node answered; what was stored before stays true.
        """
        with self._journal.exclusive(self._node.chain_id, self.address) as held:
            if not held:
                return None
            view = look(self._node, self.address, self._finality)
            done = Round(view)
            looked = Look(self._node, view, done, moved=self._chain_moved(view))
            self._fill_gaps(looked)
            waiting = self._journal.open(self._node.chain_id, self.address, unbegun=self._fees.max_in_flight)
            looked.in_flight = sum(1 for item in waiting if item.state in IN_FLIGHT)
            ends = self._clock() + _ROUND_SECONDS
            for submission in waiting:
                self._carry(looked, submission)
                if self._clock() > ends:
                    break
            self._last_head = view.head
            return done

    def _carry(self, looked: Look, submission: Submission) -> None:
        """Move one submission as far as it goes."""
        seen = set()
        try:
            # Nodes that contradict each other could send it round in a circle: once a state is enough.
            while not submission.done and submission.state not in seen:
                seen.add(submission.state)
                following = self._transitions[submission.state](looked, submission)
                if following == submission:
                    break
                self._journal.move(submission, following)
                looked.note(submission, following)
                submission = following
        except EvidenceServiceError as error:
            looked.done.problems[submission.submission_id] = error.message
            return
        except Exception as error:  # noqa: BLE001 - told below; whatever it is, the others must not wait for it
            looked.done.events["fault"] += 1
            looked.done.problems[submission.submission_id] = f"a fault of this program: {error!r}"
            return
        if submission.reason and submission.state in _WAITING:
            looked.done.problems[submission.submission_id] = submission.reason

    def _chain_moved(self, view: View) -> bool:
        """Whether blocks may have left the chain since the last round: then every mined one is looked at."""
        if self._last_head is None:
            return True
        number = hex(self._last_head.number)
        again = self._node.first(
            "an earlier head", lambda caller: blocks.header(caller, number), prefer=view.endpoint
        )
        return again is None or again.hash != self._last_head.hash

    def _fill_gaps(self, looked: Look) -> None:
        """Use up nonces that nobody holds: whatever has a higher one would wait for ever."""
        view, chain_id = looked.view, self._node.chain_id
        if not view.agreed:
            return
        held = self._journal.nonces(chain_id, self.address, view.account.nonce)
        waiting = [nonce for nonce, name in held.items() if name is not None]
        gaps = [n for n in range(view.account.nonce, max(waiting, default=-1)) if held.get(n) is None]
        for nonce in gaps[: self._fees.max_in_flight]:
            name = f"fill-{chain_id}-{self.address}-{nonce}"
            # Stored before it holds the nonce: after a crash in between both are done again.
            self._journal.create(
                Submission(
                    submission_id=name,
                    chain_id=chain_id,
                    submitter=self.address,
                    contract=self.address,
                    commitment=keccak256(name.encode()),
                    leaf_count=0,
                    state=State.NONCE_RESERVED,
                    nonce=nonce,
                )
            )
            self._journal.take_nonce(chain_id, self.address, nonce, name)
            looked.done.events["gap filled"] += 1

    # --- before a block ---

    def _reserve(self, looked: Look, submission: Submission) -> Submission:
        owner = (submission.chain_id, submission.submitter)
        nonce = self._journal.reserved_nonce(*owner, submission.submission_id)
        if nonce is None:
            if self._retiring or looked.in_flight >= self._fees.max_in_flight:
                return submission
            if not looked.view.agreed:
                raise NodeUnavailableError(
                    f"fewer than {self._finality.agreeing} nodes of chain {self._node.chain_id} share a head",
                    what_to_do="nothing is begun until they do; see “evidence chain check”",
                )
            # Somebody with our signature, or this service before its journal was restored, was here already.
            if found := self._event(looked, submission):
                return _mined(submission, found)
            self._check_funds(looked, submission)
            nonce = self._journal.reserve_nonce(*owner, looked.view.account.nonce, submission.submission_id)
            looked.in_flight += 1
        return replace(submission, state=State.NONCE_RESERVED, nonce=nonce)

    def _sign(self, looked: Look, submission: Submission) -> Submission:
        attempt = self._attempt(looked, submission, looked.fee(self._fees))
        return replace(submission, state=State.SIGNED, attempts=(*submission.attempts, attempt), reason="")

    def _broadcast(self, looked: Look, submission: Submission) -> Submission:
        if looked.used(submission):
            return replace(submission, state=State.BROADCAST)
        return self._offer(looked, submission, submission.attempts[-1])

    def _resend(self, looked: Look, submission: Submission) -> Submission:
        """After a reorg: the same raw transaction first, which cannot be mined twice."""
        unmined = replace(submission, transaction_hash=None, block_number=None, block_hash=None)
        if submission.nonce is None:
            return replace(unmined, state=State.CREATED)
        mined = [item for item in submission.attempts if item.hash == submission.transaction_hash]
        again = replace((mined or submission.attempts)[-1], head=looked.view.head.number)
        kept = tuple(again if item.hash == again.hash else item for item in submission.attempts)
        return self._offer(looked, replace(unmined, attempts=kept), again)

    def _watch(self, looked: Look, submission: Submission) -> Submission:
        if not looked.used(submission):
            return self._nudge(looked, replace(submission, block_number=None, block_hash=None))
        found = inclusion.of_attempts(self._node, looked.proved, submission)
        if found is not None and not found.succeeded:
            why = f"transaction {found.transaction_hash} was mined and failed"
            return replace(_mined(submission, found), state=State.REVERTED, reason=why)
        if found is None or not (found.anchored or submission.fills_nonce):
            # Mined without the event, or not at all although the nonce is used: who anchored it, if anyone?
            found = self._event(looked, submission)
        return self._miss(looked, submission) if found is None else _mined(submission, found)

    def _miss(self, looked: Look, submission: Submission) -> Submission:
        """The nonce is used, nothing is anchored: given up only when the block that showed it is final."""
        number, block_hash, head = submission.block_number, submission.block_hash, looked.view.head
        if number is None or block_hash is None:
            return replace(submission, block_number=head.number, block_hash=head.hash)
        if number > looked.view.final_number:
            return submission
        if looked.standing(number, block_hash, self._finality) is Standing.GONE:
            return replace(submission, block_number=None, block_hash=None)
        if submission.fills_nonce:
            # Whoever used it: there is no gap.
            return replace(submission, state=State.FINALIZED)
        why = f"nonce {submission.nonce} was used by a transaction that is not this service's"
        return replace(submission, state=State.FOREIGN_NONCE, reason=why)

    def _nudge(self, looked: Look, submission: Submission) -> Submission:
        """Not mined yet: higher fees if it waits too long, the same bytes again where they are not known."""
        latest, head = submission.attempts[-1], looked.view.head
        first = submission.nonce == looked.view.account.nonce
        late = head.number - latest.head >= self._fees.bump_after
        if first:
            looked.lacking = self._lacking(latest.hash, everywhere=late)
        if late and (first or latest.max_fee < head.base_fee):
            wanted, least = looked.fee(self._fees), Fee(latest.max_fee, latest.priority_fee).raised()
            fee = Fee(max(wanted.max_fee, least.max_fee), max(wanted.tip, least.tip))
            if fee.max_fee <= self._fees.max_fee_cap:
                attempts = (*submission.attempts, self._attempt(looked, submission, fee))
                return replace(submission, state=State.BUMPED, attempts=attempts, reason="")
            reason = f"not mined at the fee cap of {self._fees.max_fee_cap} wei per gas"
            submission = replace(submission, state=State.STUCK, reason=reason)
        if looked.lacking:
            looked.done.events["resent"] += 1
            return self._offer(looked, submission, latest, to=looked.lacking)
        return submission

    def _offer(
        self,
        looked: Look,
        submission: Submission,
        attempt: Attempt,
        *,
        to: Sequence[Endpoint] | None = None,
    ) -> Submission:
        """Give a raw transaction to every node: one that keeps it to itself must not hold it up."""
        answers = self._node.each(lambda caller: caller.send(attempt.raw), among=to)
        taken = any(outcome in _OUT for _, (outcome, _) in answers)
        if taken:
            # Known and too low mean that it, or another attempt, got through: the watch finds out which.
            still = submission.state is State.STUCK and "fee cap" in submission.reason
            return submission if still else replace(submission, state=State.BROADCAST, reason="")
        words = "; ".join(f"{endpoint.name}: {said}" for endpoint, (_, said) in answers)
        if any(outcome is SendOutcome.INSUFFICIENT_FUNDS for _, (outcome, _) in answers):
            self._check_funds(looked, submission)
        return replace(submission, state=State.STUCK, reason=f"every node refused the transaction: {words}")

    # --- in a block ---

    def _settle(self, looked: Look, submission: Submission) -> Submission:
        number, block_hash = submission.block_number or 0, submission.block_hash or ""
        if looked.view.head.number < number:
            return submission  # this look was at a node that is behind
        own = any(item.hash == submission.transaction_hash for item in submission.attempts)
        if own and not looked.used(submission):
            return _reorged(submission)
        if number <= looked.view.final_number:
            if looked.standing(number, block_hash, self._finality) is Standing.GONE:
                return _reorged(submission)
            return replace(self._keep_proof(looked, submission), state=State.FINALIZED, reason="")
        if looked.moved and looked.hash_at(number) != block_hash:
            return _reorged(submission)
        # At once, not at finality: nodes forget the state it is taken from.
        return self._keep_proof(looked, submission)

    def _keep_proof(self, looked: Look, submission: Submission) -> Submission:
        if submission.fills_nonce or submission.proved_block == submission.block_hash:
            return submission
        block = looked.proved.get(submission.block_hash or "")
        fresh = looked.view.head.number - block.header.number < _STATE_KEPT
        proof = proofs.collect(self._node, block, submission, state_is_kept=fresh)
        self._journal.keep_proof(submission, proof)
        return replace(submission, proved_block=submission.block_hash)

    def _seal(self, looked: Look, submission: Submission) -> Submission:
        return replace(self._keep_proof(looked, submission), state=State.SEALED)

    def _retry(self, looked: Look, submission: Submission) -> Submission:
        """A failed transaction anchors nothing: when its failure is final, another one is sent."""
        number, block_hash = submission.block_number or 0, submission.block_hash or ""
        if looked.view.head.number < number:
            return submission
        if looked.moved and looked.hash_at(number) != block_hash:
            return _reorged(submission)
        if number > looked.view.final_number:
            return submission
        if submission.failures >= _MOST_FAILURES and self._last_head is not None:
            # Somebody has to look; the next worker tries again, with what was corrected.
            found = self._event(looked, submission)
            return submission if found is None else _mined(submission, found)
        if looked.standing(number, block_hash, self._finality) is Standing.GONE:
            return _reorged(submission)
        return self._start_again(
            looked, replace(submission, failures=submission.failures % _MOST_FAILURES + 1)
        )

    def _start_again(self, looked: Look, submission: Submission) -> Submission:
        """With another nonce: the one it had was used without anchoring it."""
        if submission.nonce is not None:
            self._journal.release_nonce(
                submission.chain_id, submission.submitter, submission.nonce, submission.submission_id
            )
        looked.done.events["started again"] += 1
        return replace(
            submission,
            state=State.CREATED,
            nonce=None,
            transaction_hash=None,
            block_number=None,
            block_hash=None,
            reason="",
        )

    # --- what a transition needs ---

    def _event(self, looked: Look, submission: Submission) -> Inclusion | None:
        if submission.fills_nonce:
            return None
        return inclusion.of_event(self._node, looked.view, looked.proved, submission, contract.code_hash())

    def _lacking(self, transaction_hash: str, *, everywhere: bool) -> list[Endpoint]:
        """Addresses that do not know a transaction; those that rest are asked when it is late."""
        answers = self._node.each(
            lambda caller: caller.record("eth_getTransactionByHash", transaction_hash),
            at_least=len(self._node.endpoints) if everywhere else 1,
        )
        return [endpoint for endpoint, value in answers if value is None]

    def _attempt(self, looked: Look, submission: Submission, fee: Fee) -> Attempt:
        raw = self._signer.sign_transaction(
            {
                "chainId": submission.chain_id,
                "nonce": submission.nonce,
                "to": bytes.fromhex(submission.contract[2:]),
                "value": 0,
                "data": call_data(submission),
                "gas": self._gas(looked, submission),
                "maxFeePerGas": fee.max_fee,
                "maxPriorityFeePerGas": fee.tip,
            }
        )
        nonce = submission.nonce or 0
        return Attempt(raw, "0x" + keccak256(raw).hex(), nonce, fee.max_fee, fee.tip, looked.view.head.number)

    def _gas(self, looked: Look, submission: Submission) -> int:
        """Gas limit: the node's estimate with a margin, twice as much after each failure, below the cap."""
        if submission.fills_nonce:
            return _FILL_GAS
        estimate = looked.estimate(submission)
        wanted = estimate * (100 + self._fees.gas_margin) // 100 << submission.failures
        return min(wanted, self._fees.gas_cap)

    def _check_funds(self, looked: Look, submission: Submission) -> None:
        needed = self._gas(looked, submission) * looked.fee(self._fees).max_fee
        balance = looked.view.account.balance - looked.spent
        if balance < needed:
            raise UnavailableError(
                f"the balance of {self.address} on chain {self._node.chain_id} is too low: "
                f"{looked.view.account.balance} wei, {needed} are needed for the next transaction",
                what_to_do="fund the address; the queue is kept and goes on by itself",
            )
        looked.spent += needed


def _mined(submission: Submission, found: Inclusion) -> Submission:
    return replace(
        submission,
        state=State.MINED,
        transaction_hash=found.transaction_hash,
        block_number=found.block_number,
        block_hash=found.block_hash,
        reason="",
    )


def _reorged(submission: Submission) -> Submission:
    reason = f"block {submission.block_number} {submission.block_hash} left the chain"
    return replace(submission, state=State.REORGED, reason=reason)
