"""The anchor stage's journal in PostgreSQL (the port is ``anchor.submission.Journal``, matched by shape).

The store does not know the anchor stage: it moves the fields of a submission in and out by name and leaves
the making of the objects to the factories it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema


class _Attempt(Protocol):
    @property
    def raw(self) -> bytes: ...
    @property
    def hash(self) -> str: ...
    @property
    def nonce(self) -> int: ...
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
    @property
    def batch_id(self) -> str | None: ...
    @property
    def failures(self) -> int: ...


S = TypeVar("S", bound=_Submission)

_FIELDS = [column for column in schema.submissions.c if column.name not in ("position", "proof", "noted")]
_OPEN = (schema.submissions.c.state != "sealed") & ~(
    # A transaction that only fills a nonce has no proof to seal.
    (schema.submissions.c.state == "finalized")
    & (schema.submissions.c.contract == schema.submissions.c.submitter)
)


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
                select(*_FIELDS).where(schema.submissions.c.id == submission_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no submission {submission_id}")
        return self._make(row._mapping)

    def open(self, chain_id: int, submitter: str, *, unbegun: int) -> list[S]:
        """Everything that was begun and is not done, by nonce; then the oldest of what was not begun.

        Args:
            unbegun: at most so many of the latter.
        """
        table = schema.submissions
        mine = (table.c.chain_id == chain_id) & (table.c.submitter == submitter)
        begun = select(*_FIELDS).where(mine, _OPEN, table.c.state != "created")
        fresh = select(*_FIELDS).where(mine, table.c.state == "created")
        with self._engine.connect() as connection:
            rows = [
                *connection.execute(begun.order_by(table.c.nonce.asc().nulls_last(), table.c.position)),
                *connection.execute(fresh.order_by(table.c.position).limit(unbegun)),
            ]
        return [self._make(row._mapping) for row in rows]

    def submitters(self, chain_id: int) -> list[str]:
        """Addresses that have something open on a chain."""
        table = schema.submissions
        query = select(table.c.submitter).where(table.c.chain_id == chain_id, _OPEN).distinct()
        with self._engine.connect() as connection:
            return sorted(row.submitter for row in connection.execute(query))

    def of_batch(self, batch_id: str) -> list[S]:
        """The submissions of a batch, by chain id."""
        table = schema.submissions
        query = select(*_FIELDS).where(table.c.batch_id == batch_id).order_by(table.c.chain_id)
        with self._engine.connect() as connection:
            return [self._make(row._mapping) for row in connection.execute(query)]

    def _make(self, row: Mapping[Any, Any]) -> S:
        fields = dict(row)
        fields["submission_id"] = fields.pop("id")
        fields["proved_block"] = fields.pop("proof_block")
        fields["state"] = self._make_state(fields["state"])
        fields["attempts"] = tuple(
            self._make_attempt(**{**item, "raw": bytes.fromhex(item["raw"])}) for item in fields["attempts"]
        )
        return self._make_submission(**fields)

    def move(self, before: _Submission, after: _Submission) -> None:
        """Store a transition unless somebody else made one meanwhile.

        Raises:
            ConflictError: the stored submission is no longer the one the transition started from.
        """
        table = schema.submissions
        with self._engine.begin() as connection:
            done = connection.execute(
                update(table)
                .where(
                    table.c.id == before.submission_id,
                    table.c.state == str(before.state),
                    func.jsonb_array_length(table.c.attempts) == len(before.attempts),
                    table.c.nonce.is_not_distinct_from(before.nonce),
                )
                .values(**_values(after))
            )
            if done.rowcount != 1:
                raise _moved(before.submission_id)

    def create(self, submission: _Submission) -> None:
        """Store a new submission; durable on return. One that is there already stays as it is."""
        with self._engine.begin() as connection:
            connection.execute(
                upsert(schema.submissions)
                .values(**_values(submission))
                .on_conflict_do_nothing(index_elements=["id"])
            )

    def keep_proof(self, submission: _Submission, proof: Mapping[str, Any]) -> None:
        """Store the proof for the block a mined submission is in; replaces one for another block.

        Raises:
            ConflictError: the stored submission is not in that block, or is sealed already: a process that
                lost its lock must not replace the proof that another one sealed.
        """
        table = schema.submissions
        with self._engine.begin() as connection:
            done = connection.execute(
                update(table)
                .where(
                    table.c.id == submission.submission_id,
                    table.c.state.in_(("mined", "finalized")),
                    table.c.block_hash == submission.block_hash,
                )
                .values(proof=dict(proof), proof_block=submission.block_hash)
            )
            if done.rowcount != 1:
                raise _moved(submission.submission_id)

    def proof(self, submission_id: str) -> dict[str, Any] | None:
        """The stored proof of a submission."""
        table = schema.submissions
        with self._engine.connect() as connection:
            found: dict[str, Any] | None = connection.execute(
                select(table.c.proof).where(table.c.id == submission_id)
            ).scalar_one_or_none()
        return found

    def reserve_nonce(self, chain_id: int, submitter: str, next_on_chain: int, submission_id: str) -> int:
        """Reserve the lowest nonce that is neither used on the chain nor ever reserved; idempotent.

        Raises:
            ConflictError: another process reserved one at the same time.
        """
        held = self.reserved_nonce(chain_id, submitter, submission_id)
        if held is not None:
            return held
        table = schema.nonces
        with self._one_nonce_each(submission_id), self._engine.begin() as connection:
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

    def take_nonce(self, chain_id: int, submitter: str, nonce: int, submission_id: str) -> None:
        """Give a nonce that nobody holds to a submission that fills it.

        Raises:
            ConflictError: the submission holds another nonce.
        """
        with self._one_nonce_each(submission_id), self._engine.begin() as connection:
            connection.execute(
                upsert(schema.nonces)
                .values(chain_id=chain_id, submitter=submitter, nonce=nonce, submission_id=submission_id)
                .on_conflict_do_update(
                    index_elements=["chain_id", "submitter", "nonce"],
                    set_={"submission_id": submission_id},
                    where=schema.nonces.c.submission_id.is_(None),
                )
            )

    @staticmethod
    @contextmanager
    def _one_nonce_each(submission_id: str) -> Iterator[None]:
        """Unique indexes keep two processes from giving one nonce twice, or two to one submission."""
        try:
            yield
        except IntegrityError as error:
            raise _moved(submission_id) from error

    def nonces(self, chain_id: int, submitter: str, first: int) -> dict[int, str | None]:
        """Every nonce from ``first`` on that was ever reserved, with the submission that holds it."""
        table = schema.nonces
        query = select(table.c.nonce, table.c.submission_id).where(
            table.c.chain_id == chain_id, table.c.submitter == submitter, table.c.nonce >= first
        )
        with self._engine.connect() as connection:
            return {int(row.nonce): row.submission_id for row in connection.execute(query)}

    @contextmanager
    def exclusive(self, chain_id: int, submitter: str) -> Iterator[bool]:
        """Whether this is the one writer for chain and submitter now, across processes; does not wait.

        A session-level advisory lock: PostgreSQL drops it with the connection when the process dies.
        """
        name = {"name": f"anchor {chain_id} {submitter}"}
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = connection.execute(
                text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), name
            ).scalar_one()
            try:
                yield held
            finally:
                if held:
                    connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), name)


def _moved(submission_id: str) -> ConflictError:
    return ConflictError(
        f"submission {submission_id} was moved by another process meanwhile",
        what_to_do="nothing: the next round starts from what is stored",
    )


def _values(submission: _Submission) -> dict[str, Any]:
    return {
        "id": submission.submission_id,
        "batch_id": submission.batch_id,
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
        "failures": submission.failures,
    }


def _attempt(attempt: _Attempt) -> dict[str, Any]:
    return {
        "raw": attempt.raw.hex(),
        "hash": attempt.hash,
        "nonce": attempt.nonce,
        "max_fee": attempt.max_fee,
        "priority_fee": attempt.priority_fee,
        "head": attempt.head,
    }
