"""The anchor stage's journal in PostgreSQL (the port is ``anchor.submission.Journal``, matched by shape).

The store does not know the anchor stage: it moves the fields of a submission in and out by name and leaves
the making of the objects to the factories it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.errors import NotFoundError
from evidence_service.store import schema


class _Attempt(Protocol):
    @property
    def raw(self) -> bytes: ...
    @property
    def hash(self) -> str: ...
    @property
    def max_fee(self) -> int: ...
    @property
    def priority_fee(self) -> int: ...
    @property
    def head(self) -> int: ...


class _Submission(Protocol):
    @property
    def submission_id(self) -> str: ...
    @property
    def chain_id(self) -> int: ...
    @property
    def submitter(self) -> str: ...
    @property
    def contract(self) -> str: ...
    @property
    def commitment(self) -> bytes: ...
    @property
    def leaf_count(self) -> int: ...
    @property
    def state(self) -> Any: ...
    @property
    def nonce(self) -> int | None: ...
    @property
    def attempts(self) -> tuple[Any, ...]: ...
    @property
    def block_number(self) -> int | None: ...
    @property
    def block_hash(self) -> str | None: ...
    @property
    def transaction_hash(self) -> str | None: ...
    @property
    def reason(self) -> str: ...


S = TypeVar("S")


class PostgresJournal(Generic[S]):
    """Durable memory of submissions and nonces.

    Args:
        make_submission: called with the fields of a submission by name.
        make_attempt: called with the fields of an attempt by name.
        make_state: turns the stored word into a state.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        make_submission: Callable[..., S],
        make_attempt: Callable[..., Any],
        make_state: Callable[[str], Any],
    ) -> None:
        self._engine = engine
        self._make_submission = make_submission
        self._make_attempt = make_attempt
        self._make_state = make_state

    def load(self, submission_id: str) -> S:
        """The submission as last saved.

        Raises:
            NotFoundError: never saved.
        """
        with self._engine.connect() as connection:
            row = connection.execute(
                select(schema.submissions).where(schema.submissions.c.id == submission_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no submission {submission_id}")
        fields = dict(row._mapping)
        fields["submission_id"] = fields.pop("id")
        fields["state"] = self._make_state(fields["state"])
        fields["attempts"] = tuple(
            self._make_attempt(**{**item, "raw": bytes.fromhex(item["raw"])}) for item in fields["attempts"]
        )
        return self._make_submission(**fields)

    def save(self, submission: _Submission) -> None:
        """Store a submission whole, new or changed. When this returns it is fully persisted."""
        values = {
            "id": submission.submission_id,
            "chain_id": submission.chain_id,
            "submitter": submission.submitter,
            "contract": submission.contract,
            "commitment": submission.commitment,
            "leaf_count": submission.leaf_count,
            "state": str(submission.state),
            "nonce": submission.nonce,
            "attempts": [_attempt(item) for item in submission.attempts],
            "block_number": submission.block_number,
            "block_hash": submission.block_hash,
            "transaction_hash": submission.transaction_hash,
            "reason": submission.reason,
        }
        with self._engine.begin() as connection:
            connection.execute(
                upsert(schema.submissions)
                .values(**values)
                .on_conflict_do_update(
                    index_elements=["id"],
                    set_={name: value for name, value in values.items() if name != "id"},
                )
            )

    def create(self, submission: _Submission) -> None:
        """Store a new submission unless there is one with its id already."""
        try:
            self.load(submission.submission_id)
        except NotFoundError:
            self.save(submission)

    def reserve_nonce(self, chain_id: int, submitter: str, next_on_chain: int, submission_id: str) -> int:
        """Reserve the lowest nonce that is neither used on the chain nor ever reserved; idempotent."""
        held = self.reserved_nonce(chain_id, submitter, submission_id)
        if held is not None:
            return held
        table = schema.nonces
        with self._engine.begin() as connection:
            highest = connection.execute(
                select(func.max(table.c.nonce)).where(
                    table.c.chain_id == chain_id, table.c.submitter == submitter
                )
            ).scalar_one()
            nonce = max(next_on_chain, 0 if highest is None else int(highest) + 1)
            connection.execute(
                insert(table).values(
                    chain_id=chain_id, submitter=submitter, nonce=nonce, submission_id=submission_id
                )
            )
        return nonce

    def reserved_nonce(self, chain_id: int, submitter: str, submission_id: str) -> int | None:
        """The nonce a submission holds, even when it was reserved just before a crash."""
        table = schema.nonces
        with self._engine.connect() as connection:
            found = connection.execute(
                select(table.c.nonce).where(
                    table.c.chain_id == chain_id,
                    table.c.submitter == submitter,
                    table.c.submission_id == submission_id,
                )
            ).scalar_one_or_none()
        return None if found is None else int(found)

    def release_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        """Take a nonce from a submission for good; the nonce is never given again."""
        table = schema.nonces
        with self._engine.begin() as connection:
            connection.execute(
                update(table)
                .where(
                    table.c.chain_id == chain_id,
                    table.c.submitter == submitter,
                    table.c.nonce == nonce,
                    table.c.submission_id == submission_id,
                )
                .values(submission_id=None)
            )

    @contextmanager
    def exclusive(self, chain_id: int, submitter: str) -> Iterator[None]:
        """One writer per chain and submitter, across processes; waits for the other one.

        A session-level advisory lock: PostgreSQL drops it with the connection when the process dies.
        """
        name = {"name": f"anchor {chain_id} {submitter}"}
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), name)
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), name)


def _attempt(attempt: _Attempt) -> dict[str, Any]:
    return {
        "raw": attempt.raw.hex(),
        "hash": attempt.hash,
        "max_fee": attempt.max_fee,
        "priority_fee": attempt.priority_fee,
        "head": attempt.head,
    }
