"""A journal in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from evidence_service.anchor.submission import Submission
from evidence_service.errors import NotFoundError


@dataclass
class MemoryJournal:
    """The journal's port without a database."""

    submissions: dict[str, Submission] = field(default_factory=dict)
    nonces: dict[int, str | None] = field(default_factory=dict)

    def load(self, submission_id: str) -> Submission:
        if submission_id not in self.submissions:
            raise NotFoundError(submission_id)
        return self.submissions[submission_id]

    def save(self, submission: Submission) -> None:
        self.submissions[submission.submission_id] = submission

    def reserve_nonce(self, chain_id: int, submitter: str, next_on_chain: int, submission_id: str) -> int:
        held = self.reserved_nonce(chain_id, submitter, submission_id)
        if held is None:
            held = max([next_on_chain - 1, *self.nonces]) + 1
            self.nonces[held] = submission_id
        return held

    def reserved_nonce(self, chain_id: int, submitter: str, submission_id: str) -> int | None:
        return next((nonce for nonce, owner in self.nonces.items() if owner == submission_id), None)

    def release_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        if self.nonces.get(nonce) == submission_id:
            self.nonces[nonce] = None

    @contextmanager
    def exclusive(self, chain_id: int, submitter: str) -> Iterator[None]:
        yield


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()
