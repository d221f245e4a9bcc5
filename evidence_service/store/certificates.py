"""The register of certificates and the memory of answered requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert, select, text, update

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate.

    Attributes:
        status: reserved → released.
        sha256: of the sealed PDF in the object store; None until it is released.
        level: signature level achieved, e.g. ``PAdES B-T``.
    """

    number: str
    evidence_id: str
    status: str
    sha256: bytes | None
    level: str | None
    reserved_at: datetime
    released_at: datetime | None


class Certificates:
    """Certificates in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def reserve(self, evidence_id: str, *, prefix: str, now: datetime) -> Certificate:
        """The certificate of a piece of evidence, with a new number when there is none yet.

        Numbers are consecutive within a prefix and a year: ``EP-2026-000001``.
        """
        table = schema.certificates
        with self._engine.begin() as connection:
            connection.execute(text("LOCK TABLE certificates IN SHARE ROW EXCLUSIVE MODE"))
            row = connection.execute(select(table).where(table.c.evidence_id == evidence_id)).one_or_none()
            if row is None:
                stem = f"{prefix}-{now:%Y}-"
                last = connection.execute(
                    select(table.c.number)
                    .where(table.c.number.startswith(stem, autoescape=True))
                    .order_by(table.c.number.desc())
                    .limit(1)
                ).scalar_one_or_none()
                sequence = 1 if last is None else int(last.removeprefix(stem)) + 1
                row = connection.execute(
                    insert(table)
                    .values(
                        number=f"{stem}{sequence:06d}",
                        evidence_id=evidence_id,
                        status="reserved",
                        reserved_at=now,
                    )
                    .returning(table)
                ).one()
            return Certificate(**row._mapping)

    def release(self, number: str, *, sha256: bytes, level: str, now: datetime) -> None:
        """Record that a certificate was accepted by the verifier and may leave the house; once."""
        table = schema.certificates
        with self._engine.begin() as connection:
            connection.execute(
                update(table)
                .where(table.c.number == number, table.c.status == "reserved")
                .values(status="released", sha256=sha256, level=level, released_at=now)
            )

    def of_evidence(self, evidence_id: str) -> Certificate:
        """The released certificate of a piece of evidence.

        Raises:
            NotFoundError: none was released yet.
        """
        table = schema.certificates
        with self._engine.connect() as connection:
            row = connection.execute(
                select(table).where(table.c.evidence_id == evidence_id, table.c.status == "released")
            ).one_or_none()
        if row is None:
            raise NotFoundError(
                f"no certificate of evidence {evidence_id} was released yet",
                what_to_do="ask for one, or wait until the anchoring is final",
            )
        return Certificate(**row._mapping)

    def once(
        self,
        key: str,
        request_sha256: bytes,
        perform: Callable[[], tuple[int, Mapping[str, Any]]],
        *,
        now: datetime,
    ) -> tuple[int, dict[str, Any]]:
        """Perform a request once per idempotency key and answer repetitions from memory.

        The memory is written after the request was performed: what a request creates has an id derived from
        the key, so that performing it again after a crash in between creates nothing twice.

        Raises:
            ConflictError: the key was used for another request.
        """
        table = schema.idempotency_keys
        with self._engine.begin() as connection:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"request {key}"}
            )
            row = connection.execute(select(table).where(table.c.key == key)).one_or_none()
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
