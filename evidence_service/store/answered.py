"""The memory of answered requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text

from evidence_service.errors import ConflictError
from evidence_service.store import schema
from evidence_service.store.tenancy import Store


class Answered(Store):
    """Answers in PostgreSQL, by idempotency key."""

    def once(
        self,
        key: str,
        request_sha256: bytes,
        perform: Callable[[], tuple[int, Mapping[str, Any]]],
        *,
        now: datetime,
        former: str | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Perform a request once per idempotency key and answer repetitions from memory.

        The memory is written after the request was performed: what a request creates has an id derived from
        the key, so that performing it again after a crash in between creates nothing twice.

        Args:
            key: of whoever asks, and no one else's.
            former: the name that an answer of before may be remembered by.

        Raises:
            ConflictError: the key was used for another request.
        """
        table = schema.idempotency_keys
        with self._engine.begin() as connection:
            connection.execute(
                # With the organisation: nobody waits for a request of another that has the same key.
                text("SELECT pg_advisory_xact_lock(hashtextextended(evidence_organisation() || :name, 0))"),
                {"name": f" request {key}"},
            )
            row = connection.execute(
                select(table)
                .where(
                    table.c.key.in_([key, former]), table.c.organisation_id == func.evidence_organisation()
                )
                .order_by((table.c.key == key).desc())
                .limit(1)
            ).one_or_none()
            if row is not None:
                if row.request_sha256 != request_sha256:
                    raise ConflictError(
                        "this Idempotency-Key was used for another request",
                        what_to_do="use a new key for a new request",
                    )
                return row.status, row.body
            status, body = perform()
            connection.execute(
                insert(table).values(
                    key=key, request_sha256=request_sha256, status=status, body=dict(body), created_at=now
                )
            )
            return status, dict(body)
