"""Organisations; and whose a caller is, or what he names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.administration import Change, note
from evidence_service.store.tenancy import Store

_ORGANISATIONS = schema.organisations
_SUBJECTS = {
    "evidence": schema.evidence.c.id,
    "certificate": schema.certificates.c.number,
    "order": schema.certificate_orders.c.id,
    "exhibit": schema.exhibits.c.id,
    "hold": schema.holds.c.id,
    "request": schema.requests.c.id,
}


@dataclass(frozen=True, slots=True)
class Organisation:
    """Somebody who has evidence of his own.

    Attributes:
        code: begins the numbers of its certificates; None where they begin with the prefix of the settings.
    """

    id: str
    name: str
    code: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key or a token stands for.

    Attributes:
        confirmed: whether he has named the organisation before; a key is of one alone.
    """

    organisation_id: str
    member_id: str
    name: str
    roles: Sequence[str]
    scopes: Sequence[str] | None
    confirmed: bool = True


class Organisations(Store):
    """Organisations in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    # --- organisations ---

    def add(self, new: Organisation, noted: Change) -> bool:
        """Record an organisation; repeating it changes nothing. The engine has to be bound to it.

        Returns:
            Whether it was not there yet.

        Raises:
            ConflictError: the code is another one's.
        """
        with self._engine.begin() as connection:
            known = connection.execute(
                select(_ORGANISATIONS.c.id).where(_ORGANISATIONS.c.id == new.id)
            ).first()
            if known is not None:
                return False
            values = {name: getattr(new, name) for name in Organisation.__slots__}
            try:
                connection.execute(insert(_ORGANISATIONS).values(**values))
            except IntegrityError as error:
                raise ConflictError(
                    f"the code {new.code} is taken", what_to_do="choose another one"
                ) from error
            note(connection, noted)
        return True

    def organisation(self, organisation_id: str) -> Organisation:
        """One organisation.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(
                select(_ORGANISATIONS).where(_ORGANISATIONS.c.id == organisation_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no organisation {organisation_id}")
        return Organisation(**row._mapping)

    def all(self, *, after: str = "", limit: int = 100) -> list[Organisation]:
        """Organisations in the order of their ids, from just after one of them."""
        query = (
            select(_ORGANISATIONS)
            .where(_ORGANISATIONS.c.id > after)
            .order_by(_ORGANISATIONS.c.id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Organisation(**row._mapping) for row in connection.execute(query)]

    # --- whose a caller is: asked before the organisation is known ---

    def holder_of_key(self, sha256: bytes) -> Holder | None:
        """Whom a key that is valid now stands for, by the key's SHA-256."""
        found = self._holders(select(text("*")).select_from(func.evidence_key_holder(sha256)))
        return found[0] if found else None

    def holders_of_identity(self, issuer: str, subject: str) -> list[Holder]:
        """Whom an identity at an OpenID provider stands for, in each organisation it is a member of."""
        return self._holders(select(text("*")).select_from(func.evidence_member(issuer, subject)))

    def owner_of_certificate(self, number: str) -> str:
        """The organisation a certificate was issued to.

        Raises:
            NotFoundError: there is no such certificate.
        """
        with self._engine.connect() as connection:
            found: str | None = connection.execute(
                select(func.evidence_certificate_owner(number))
            ).scalar_one()
        if found is None:
            raise NotFoundError(f"there is no certificate {number}", what_to_do="look at the number again")
        return found

    def owner_of(self, kind: str, subject_id: str) -> str:
        """The organisation something belongs to; for the worker, who sees those of all.

        Args:
            kind: ``evidence``, ``certificate``, ``order`` (of a certificate), ``exhibit``, ``hold`` or
                ``request``.

        Raises:
            NotFoundError: there is none with this id.
        """
        key = _SUBJECTS[kind]
        query = select(key.table.c.organisation_id).where(key == subject_id)
        with self._engine.connect() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        if found is None:
            raise NotFoundError(f"there is no {kind} {subject_id}")
        return found

    def _holders(self, query: Select[Any]) -> list[Holder]:
        with self._engine.connect() as connection:
            return [Holder(**row._mapping) for row in connection.execute(query)]
