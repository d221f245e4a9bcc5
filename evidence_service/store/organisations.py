"""Organisations, their members and API keys; and whose a caller is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.tenancy import Store

_ORGANISATIONS, _MEMBERS, _KEYS = schema.organisations, schema.members, schema.api_keys
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
class Member:
    """Somebody who works for an organisation.

    Attributes:
        name: as custody logs name them; never given to anybody else.
        issuer, subject: by whom and as whom an OpenID provider knows them; None for keys alone.
        roles: names of :mod:`evidence_service.service.permissions`.
        ended_at: since when they may do nothing any more.
    """

    id: str
    name: str
    issuer: str | None
    subject: str | None
    roles: Sequence[str]
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Key:
    """An API key of a member; the key itself is kept nowhere.

    Attributes:
        scopes: narrower than the member's roles allow; None for all of that.
    """

    id: str
    member_id: str
    label: str
    scopes: Sequence[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key or a token stands for."""

    organisation_id: str
    member_id: str
    name: str
    roles: Sequence[str]
    scopes: Sequence[str] | None


class Organisations(Store):
    """Organisations in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    # --- organisations ---

    def add(self, new: Organisation) -> None:
        """Record an organisation; repeating it changes nothing. The engine has to be bound to it.

        Raises:
            ConflictError: the code is another one's.
        """
        with self._engine.begin() as connection:
            known = connection.execute(
                select(_ORGANISATIONS.c.id).where(_ORGANISATIONS.c.id == new.id)
            ).first()
            if known is None:
                values = {name: getattr(new, name) for name in Organisation.__slots__}
                _insert(connection, insert(_ORGANISATIONS).values(**values), f"the code {new.code} is taken")

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

    # --- members ---

    def add_member(self, new: Member) -> None:
        """Record a member; repeating it with the same id changes nothing.

        Raises:
            ConflictError: the name, or the identity at the provider, is another member's.
        """
        with self._engine.begin() as connection:
            known = connection.execute(select(_MEMBERS.c.id).where(_MEMBERS.c.id == new.id)).first()
            if known is None:
                values = {name: getattr(new, name) for name in Member.__slots__}
                values["roles"] = list(new.roles)
                _insert(
                    connection,
                    insert(_MEMBERS).values(**values),
                    "the name, or the identity at the OpenID provider, is taken",
                )

    def member(self, member_id: str) -> Member:
        """One member.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(_members().where(_MEMBERS.c.id == member_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no member {member_id}")
        return Member(**row._mapping)

    def members(self, *, after: str = "", limit: int = 100) -> list[Member]:
        """Members in the order of their ids, those who have left included."""
        query = _members().where(_MEMBERS.c.id > after).order_by(_MEMBERS.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [Member(**row._mapping) for row in connection.execute(query)]

    def change_roles(self, member_id: str, roles: Sequence[str]) -> None:
        """Give a member other roles."""
        self._change(_MEMBERS, member_id, roles=list(roles))

    def end_member(self, member_id: str, now: datetime) -> None:
        """A member leaves: nothing of theirs opens anything any more; the first time counts."""
        self._change(_MEMBERS, member_id, ended_at=func.coalesce(_MEMBERS.c.ended_at, now))

    # --- keys ---

    def add_key(self, new: Key, sha256: bytes) -> None:
        """Record a key of a member by its SHA-256; repeating it with the same id changes nothing."""
        with self._engine.begin() as connection:
            known = connection.execute(select(_KEYS.c.id).where(_KEYS.c.id == new.id)).first()
            if known is None:
                values = {name: getattr(new, name) for name in Key.__slots__}
                values["scopes"] = None if new.scopes is None else list(new.scopes)
                connection.execute(insert(_KEYS).values(**values, sha256=sha256))

    def key(self, key_id: str) -> Key:
        """One key.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(_keys().where(_KEYS.c.id == key_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no API key {key_id}")
        return Key(**row._mapping)

    def keys(self, member_id: str) -> list[Key]:
        """Every key of a member, revoked ones included, oldest first."""
        query = _keys().where(_KEYS.c.member_id == member_id).order_by(_KEYS.c.created_at, _KEYS.c.id)
        with self._engine.connect() as connection:
            return [Key(**row._mapping) for row in connection.execute(query)]

    def revoke_key(self, key_id: str, now: datetime) -> None:
        """A key opens nothing any more; the first time counts."""
        self._change(_KEYS, key_id, revoked_at=func.coalesce(_KEYS.c.revoked_at, now))

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

    def _change(self, table: Any, row_id: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(table).where(table.c.id == row_id).values(**values).returning(table.c.id)
            ).one_or_none()
        if changed is None:
            kind = "member" if table is _MEMBERS else "API key"
            raise NotFoundError(f"there is no {kind} {row_id}")


def _members() -> Select[Any]:
    return select(*schema.facts(_MEMBERS))


def _keys() -> Select[Any]:
    return select(*(item for item in schema.facts(_KEYS) if item.name != "sha256"))


def _insert(connection: Any, statement: Any, taken: str) -> None:
    try:
        with connection.begin_nested():
            connection.execute(statement)
    except IntegrityError as error:
        raise ConflictError(taken, what_to_do="choose another one") from error
