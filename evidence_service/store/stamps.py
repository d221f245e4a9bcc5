"""Time stamps with what is kept beside them, and who refused to give one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.store import schema
from evidence_service.store.tenancy import Store


class Token(Protocol):
    """A time stamp with what is kept beside it."""

    @property
    def authority(self) -> str:
        """Name by configuration."""

    @property
    def der(self) -> bytes:
        """The TimeStampToken."""

    @property
    def revocation(self) -> Mapping[str, Any]:
        """Revocation data as a bundle keeps it."""

    @property
    def ends_at(self) -> datetime:
        """End of the first certificate of its path that ends."""


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A :class:`Token` as the record gives it back."""

    authority: str
    der: bytes
    revocation: Mapping[str, Any]
    ends_at: datetime


class Stamps(Store):
    """Time stamps in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def add_tokens(
        self,
        stamped: str,
        subject_id: str,
        tokens: Iterable[Token],
        *,
        refusals: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Store tokens over a manifest, a batch header or a renewal; the first of an authority is kept.

        Args:
            refusals: authority and reason of each that was asked and gave none.
        """
        with self._engine.begin() as connection:
            for token in tokens:
                connection.execute(
                    upsert(schema.tokens)
                    .values(
                        stamped=stamped,
                        subject_id=subject_id,
                        authority=token.authority,
                        token=token.der,
                        revocation=dict(token.revocation),
                        ends_at=token.ends_at,
                    )
                    .on_conflict_do_nothing()
                )
            for authority, reason in refusals:
                connection.execute(
                    upsert(schema.refusals)
                    .values(stamped=stamped, subject_id=subject_id, authority=authority, reason=reason)
                    .on_conflict_do_nothing()
                )

    def refusals(self, stamped: str, subject_id: str) -> dict[str, str]:
        """Why there is no token of an authority that was asked before the others, by its name."""
        table = schema.refusals
        query = (
            select(table.c.authority, table.c.reason)
            .where(table.c.stamped == stamped, table.c.subject_id == subject_id)
            .order_by(table.c.authority)
        )
        with self._engine.connect() as connection:
            return {row.authority: row.reason for row in connection.execute(query)}

    def tokens(self, stamped: str, subject_id: str) -> list[KeptToken]:
        """Tokens in the order of the authorities' names."""
        table = schema.tokens
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(table.c.authority, table.c.token, table.c.revocation, table.c.ends_at)
                .where(table.c.stamped == stamped, table.c.subject_id == subject_id)
                .order_by(table.c.authority)
            )
            return [KeptToken(*row) for row in rows]
