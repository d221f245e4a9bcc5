"""A journal in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from evidence_service.anchor.submission import State, Submission
from evidence_service.errors import ConflictError, NotFoundError


@dataclass
class MemoryJournal:
    """The journal's port without a database."""

    submissions: dict[str, Submission] = field(default_factory=dict)
    proofs: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[int, str | None] = field(default_factory=dict)

    def load(self, submission_id: str) -> Submission:
        if submission_id not in self.submissions:
            raise NotFoundError(submission_id)
        return self.submissions[submission_id]

    def open(self, chain_id: int, submitter: str, *, unbegun: int) -> list[Submission]:
        waiting = [
            item for item in self.submissions.values() if not item.done and item.submitter == submitter
        ]
        begun = [item for item in waiting if item.state is not State.CREATED]
        fresh = [item for item in waiting if item.state is State.CREATED]
        return sorted(begun, key=lambda item: (item.nonce is None, item.nonce or 0)) + fresh[:unbegun]

    def save(self, submission: Submission) -> None:
        self.submissions[submission.submission_id] = submission

    def create(self, submission: Submission) -> None:
        self.submissions.setdefault(submission.submission_id, submission)

    def move(self, before: Submission, after: Submission) -> None:
        stored = self.submissions[before.submission_id]
        if (stored.state, stored.nonce, stored.attempts) != (before.state, before.nonce, before.attempts):
            raise ConflictError("moved")
        self.save(after)

    def keep_proof(self, submission: Submission, proof: Mapping[str, Any]) -> None:
        stored = self.submissions[submission.submission_id]
        if stored.block_hash != submission.block_hash or stored.state not in (State.MINED, State.FINALIZED):
            raise ConflictError("moved")
        self.proofs[submission.submission_id] = dict(proof)
        self.save(replace(stored, proved_block=submission.block_hash))

    def proof(self, submission_id: str) -> dict[str, Any] | None:
        return self.proofs.get(submission_id)

    def reserve_nonce(self, chain_id: int, submitter: str, next_on_chain: int, submission_id: str) -> int:
        found = self.reserved_nonce(chain_id, submitter, submission_id)
        if found is None:
            found = max([next_on_chain - 1, *self.held]) + 1
            self.held[found] = submission_id
        return found

    def reserved_nonce(self, chain_id: int, submitter: str, submission_id: str) -> int | None:
        return next((nonce for nonce, owner in self.held.items() if owner == submission_id), None)

    def take_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        if self.held.get(nonce) is None:
            self.held[nonce] = submission_id

    def nonces(self, chain_id: int, submitter: str, first: int) -> dict[int, str | None]:
        return {nonce: owner for nonce, owner in self.held.items() if nonce >= first}

    def release_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        if self.held.get(nonce) == submission_id:
            self.held[nonce] = None

    @contextmanager
    def exclusive(self, chain_id: int, submitter: str) -> Iterator[bool]:
        yield True


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()
