"""A commitment on its way to the chain, and the journal that must never lose it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class State(StrEnum):
    """Where a submission is. Each is persisted before the effect that follows it."""

    CREATED = "created"
    NONCE_RESERVED = "nonce_reserved"
    SIGNED = "signed"
    """The raw transaction is stored and may have been sent."""
    BROADCAST = "broadcast"
    """A node knew the transaction."""
    BUMPED = "bumped"
    """A replacement with higher fees is stored and may have been sent."""
    MINED = "mined"
    FINALIZED = "finalized"
    SEALED = "sealed"
    """The proof of a final anchor is stored: nothing is left to do."""
    REORGED = "reorged"
    """The block it was in is gone; the same raw transaction goes out again."""
    STUCK = "stuck"
    """At the fee cap, or refused by the nodes: watched and offered again, but somebody should look."""
    REVERTED = "reverted"
    """Mined and failed; when that is final it is sent again with more gas, three times for each worker."""
    FOREIGN_NONCE = "foreign_nonce"
    """Another transaction of the same key took the nonce for good; it gets another one."""


IN_FLIGHT = frozenset(
    {State.NONCE_RESERVED, State.SIGNED, State.BROADCAST, State.BUMPED, State.REORGED, State.STUCK}
)
"""States whose nonce is reserved and not used by a block yet."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of a submission.

    Attributes:
        raw: bytes to send.
        hash: transaction hash, 0x and lower-case hexadecimal.
        max_fee, priority_fee: wei per gas.
        head: number of the chain's latest block when it was signed, or sent again after a reorg; bumps count
            blocks from here.
    """

    raw: bytes
    hash: str
    nonce: int
    max_fee: int
    priority_fee: int
    head: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One commitment for one chain. Addresses and hashes are 0x and lower-case hexadecimal.

    Attributes:
        contract: the anchor contract; the submitter itself for a transaction that only fills a nonce.
        commitment: 32 bytes.
        batch_id: the batch it commits to; None for one that only fills a nonce.
        nonce: of all attempts that can still be mined; None before it is reserved.
        attempts: every transaction ever signed for it, oldest first.
        block_number, block_hash: where it was mined; while it is ``broadcast``, the head after which its
            nonce was first seen used by something that is not found; None otherwise.
        transaction_hash: what was mined; None before.
        proved_block: hash of the block the stored proof is for.
        reason: why it is in a side state, in words for an operator; empty otherwise.
        failures: how often a transaction of it was mined and failed.
    """

    submission_id: str
    chain_id: int
    submitter: str
    contract: str
    commitment: bytes
    leaf_count: int
    batch_id: str | None = None
    state: State = State.CREATED
    nonce: int | None = None
    attempts: tuple[Attempt, ...] = ()
    block_number: int | None = None
    block_hash: str | None = None
    transaction_hash: str | None = None
    proved_block: str | None = None
    reason: str = ""
    failures: int = 0

    @property
    def fills_nonce(self) -> bool:
        """Whether it is a transaction to nobody that only uses a nonce up."""
        return self.contract == self.submitter

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.state is (State.FINALIZED if self.fills_nonce else State.SEALED)


class Journal(Protocol):
    """Durable memory of submissions; the caller cares for one per (chain, submitter, commitment)."""

    def open(self, chain_id: int, submitter: str, *, unbegun: int) -> Sequence[Submission]:
        """Everything that was begun and is not done, by nonce; then the oldest of what was not begun.

        Args:
            unbegun: at most so many of the latter.
        """

    def create(self, submission: Submission) -> None:
        """Store a new submission; durable on return. One that is there already stays as it is."""

    def move(self, before: Submission, after: Submission) -> None:
        """Store a transition; durable on return.

        Raises:
            ConflictError: somebody else moved it meanwhile, for instance because the lock was lost with the
                database's connection; nothing is stored and the effect must not follow.
        """

    def keep_proof(self, submission: Submission, proof: Mapping[str, Any]) -> None:
        """Store the proof for the block a mined submission is in; replaces one for another block.

        Durable on return; ``proved_block`` of the stored submission then names that block.

        Raises:
            ConflictError: the stored submission is not in that block any more.
        """

    def reserve_nonce(self, chain_id: int, submitter: str, next_on_chain: int, submission_id: str) -> int:
        """Reserve the lowest nonce that is neither used on the chain nor ever reserved.

        Durable on return. Idempotent: a submission that holds a nonce gets the same again, whatever
        ``next_on_chain`` says. No nonce is given twice for a chain and submitter.

        Raises:
            ConflictError: another process reserved one at the same moment; the next round starts from that.
        """

    def reserved_nonce(self, chain_id: int, submitter: str, submission_id: str) -> int | None:
        """The nonce a submission holds, even when it was reserved just before a crash."""

    def take_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        """Give a nonce that nobody holds to a submission that fills it. Durable on return and idempotent.

        Raises:
            ConflictError: as for :meth:`reserve_nonce`.
        """

    def nonces(self, chain_id: int, submitter: str, first: int) -> Mapping[int, str | None]:
        """Every nonce from ``first`` on that was ever reserved, with the submission that holds it."""

    def release_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        """Take a nonce from a submission because the chain used it without anchoring its commitment.

        Durable on return and idempotent. The nonce is never reserved again.
        """

    def exclusive(self, chain_id: int, submitter: str) -> AbstractContextManager[bool]:
        """Whether this is the one writer for chain and submitter now, across processes; does not wait.

        Released when the block is left, also when the process dies.
        """
