"""A commitment on its way to the chain, and the journal that must never lose it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


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
    REORGED = "reorged"
    """The block it was in is gone; the same raw transaction goes out again."""
    STUCK = "stuck"
    """At the fee cap, or refused by the node: watched and offered again, but somebody should look."""
    REVERTED = "reverted"
    """Mined and failed; nothing was anchored and nothing is sent again by itself."""
    FOREIGN_NONCE = "foreign_nonce"
    """Another transaction of the same key took the nonce for good."""


TERMINAL = frozenset({State.FINALIZED, State.REVERTED})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of a submission.

    Attributes:
        raw: bytes to send.
        hash: transaction hash, 0x and lower-case hexadecimal.
        max_fee, priority_fee: wei per gas.
        head: number of the chain's latest block when it was signed; bumps count blocks from here.
    """

    raw: bytes
    hash: str
    max_fee: int
    priority_fee: int
    head: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One commitment for one chain. Addresses and hashes are 0x and lower-case hexadecimal.

    Attributes:
        commitment: 32 bytes.
        nonce: of all attempts that can still be mined; None before it is reserved.
        attempts: every transaction ever signed for it, oldest first.
        block_number, block_hash, transaction_hash: where it was mined; None before.
        reason: why it is in a side state, in words for an operator; empty otherwise.
    """

    submission_id: str
    chain_id: int
    submitter: str
    contract: str
    commitment: bytes
    leaf_count: int
    state: State = State.CREATED
    nonce: int | None = None
    attempts: tuple[Attempt, ...] = ()
    block_number: int | None = None
    block_hash: str | None = None
    transaction_hash: str | None = None
    reason: str = ""


class Journal(Protocol):
    """Durable memory of submissions; the caller cares for one per (chain, submitter, commitment)."""

    def load(self, submission_id: str) -> Submission:
        """The submission as last saved.

        Raises:
            NotFoundError: never saved.
        """

    def save(self, submission: Submission) -> None:
        """Store a submission whole, new or changed. When this returns it is fully persisted."""

    def reserve_nonce(self, chain_id: int, submitter: str, next_on_chain: int, submission_id: str) -> int:
        """Reserve the lowest nonce that is neither used on the chain nor ever reserved.

        Durable on return. Idempotent: a submission that holds a nonce gets the same again, whatever
        ``next_on_chain`` says. No nonce is given twice for a chain and submitter.
        """

    def reserved_nonce(self, chain_id: int, submitter: str, submission_id: str) -> int | None:
        """The nonce a submission holds, even when it was reserved just before a crash."""

    def release_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        """Take a nonce from a submission because the chain used it for something else.

        Durable on return and idempotent. The nonce is never given again.
        """

    def exclusive(self, chain_id: int, submitter: str) -> AbstractContextManager[None]:
        """One writer per chain and submitter, across processes; waits for the other one.

        Released when the block is left, also when the process dies.
        """
