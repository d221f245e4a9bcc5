"""Members of organisations and their API keys. Every change is written to the log in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.administration import Change, lock, note
from evidence_service.store.tenancy import Store

_MEMBERS, _KEYS = schema.members, schema.api_keys
ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works for an organisation.

    Attributes:
        name: as custody logs name them; never given to anybody else.
        issuer, subject: by whom and as whom an OpenID provider knows them; None for keys alone.
        roles: names of :mod:`evidence_service.service.permissions`.
        ended_at: since when they may do nothing any more.
        confirmed_at: when they first named the organisation with a token; None until then. Until then a token
            that names none does not work for it: anybody's administrator may add anybody's identity.
    """

    id: str
    name: str
    issuer: str | None
    subject: str | None
    roles: Sequence[str]
    created_at: datetime
    ended_at: datetime | None
    confirmed_at: datetime | None = None


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


class Members(Store):
    """Members in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def add(self, new: Member, noted: Change) -> None:
        """Record a member; repeating it with the same id changes nothing.

        Raises:
            ConflictError: the name, or the identity at the provider, is another member's, or was.
        """
        with self._engine.begin() as connection:
            lock(connection)
            if _row(connection, _members(), _MEMBERS.c.id == new.id) is not None:
                return
            values = {name: getattr(new, name) for name in Member.__slots__}
            values["roles"] = list(new.roles)
            try:
                connection.execute(insert(_MEMBERS).values(**values))
            except IntegrityError as error:
                raise ConflictError(
                    "the name, or the identity at the OpenID provider, is taken",
                    what_to_do="choose another one; names of those who have left are not given again",
                ) from error
            note(connection, noted)

    def get(self, member_id: str) -> Member:
        """One member.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            return _member(connection, member_id)

    def page(self, *, after: str = "", limit: int = 100) -> list[Member]:
        """Members in the order of their ids, those who have left included."""
        query = _members().where(_MEMBERS.c.id > after).order_by(_MEMBERS.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [Member(**row._mapping) for row in connection.execute(query)]

    def change_roles(self, member_id: str, roles: Sequence[str], noted: Change) -> None:
        """Give a member other roles.

        Raises:
            NotFoundError: there is no such member.
            ConflictError: he has left, or nobody would be an administrator any more.
        """
        with self._engine.begin() as connection:
            lock(connection)
            found = _member(connection, member_id)
            if found.ended_at is not None:
                raise ConflictError(
                    f"member {member_id} has left", what_to_do="add somebody under another name"
                )
            if sorted(found.roles) == sorted(roles):
                return
            if ADMINISTRATOR not in roles:
                _check_another_administrator(connection, found)
            connection.execute(update(_MEMBERS).where(_MEMBERS.c.id == member_id).values(roles=list(roles)))
            note(connection, noted)

    def confirm(self, member_id: str, noted: Change) -> None:
        """Somebody has named the organisation as a member; the first time counts."""
        unconfirmed = _MEMBERS.c.confirmed_at.is_(None)
        with self._engine.begin() as connection:
            lock(connection)
            confirmed = connection.execute(
                update(_MEMBERS).where(_MEMBERS.c.id == member_id, unconfirmed).values(confirmed_at=noted.at)
            )
            if confirmed.rowcount:
                note(connection, noted)

    def end(self, member_id: str, noted: Change) -> None:
        """A member leaves: nothing of theirs opens anything any more; the first time counts.

        Raises:
            NotFoundError: there is no such member.
            ConflictError: nobody would be an administrator any more.
        """
        with self._engine.begin() as connection:
            lock(connection)
            found = _member(connection, member_id)
            if found.ended_at is not None:
                return
            _check_another_administrator(connection, found)
            connection.execute(update(_MEMBERS).where(_MEMBERS.c.id == member_id).values(ended_at=noted.at))
            note(connection, noted)

    # --- keys ---

    def add_key(self, new: Key, sha256: bytes, noted: Change) -> bool:
        """Record a key of a member by its SHA-256; repeating it with the same id changes nothing.

        Returns:
            Whether it was recorded now: only then the key that was hashed opens something.

        Raises:
            NotFoundError: there is no such member.
            ConflictError: he has left.
        """
        with self._engine.begin() as connection:
            lock(connection)
            if _member(connection, new.member_id).ended_at is not None:
                raise ConflictError(f"member {new.member_id} has left", what_to_do="choose another member")
            if _row(connection, _keys(), _KEYS.c.id == new.id) is not None:
                return False
            values = {name: getattr(new, name) for name in Key.__slots__}
            values["scopes"] = None if new.scopes is None else list(new.scopes)
            connection.execute(insert(_KEYS).values(**values, sha256=sha256))
            note(connection, noted)
        return True

    def key(self, member_id: str, key_id: str) -> Key:
        """One key of a member.

        Raises:
            NotFoundError: he has none with this id.
        """
        with self._engine.connect() as connection:
            return _key(connection, member_id, key_id)

    def keys(self, member_id: str, *, after: str = "", limit: int = 100) -> list[Key]:
        """Keys of a member in the order of their ids, revoked ones included.

        Raises:
            NotFoundError: there is no such member.
        """
        query = _keys().where(_KEYS.c.member_id == member_id, _KEYS.c.id > after)
        with self._engine.connect() as connection:
            _member(connection, member_id)
            found = connection.execute(query.order_by(_KEYS.c.id).limit(limit))
            return [Key(**row._mapping) for row in found]

    def revoke_key(self, member_id: str, key_id: str, noted: Change) -> None:
        """A key opens nothing any more; the first time counts.

        Raises:
            NotFoundError: the member has no such key.
        """
        with self._engine.begin() as connection:
            lock(connection)
            if _key(connection, member_id, key_id).revoked_at is not None:
                return
            connection.execute(update(_KEYS).where(_KEYS.c.id == key_id).values(revoked_at=noted.at))
            note(connection, noted)


def _check_another_administrator(connection: Connection, member: Member) -> None:
    if ADMINISTRATOR not in member.roles:
        return
    others = _members().where(
        _MEMBERS.c.ended_at.is_(None),
        _MEMBERS.c.roles.contains([ADMINISTRATOR]),
        _MEMBERS.c.id != member.id,
    )
    if connection.execute(others.limit(1)).first() is None:
        raise ConflictError(
            f"{member.name} is the last administrator", what_to_do="make somebody else one first"
        )


def _member(connection: Connection, member_id: str) -> Member:
    row = _row(connection, _members(), _MEMBERS.c.id == member_id)
    if row is None:
        raise NotFoundError(f"there is no member {member_id}")
    return Member(**row._mapping)


def _key(connection: Connection, member_id: str, key_id: str) -> Key:
    row = _row(connection, _keys(), (_KEYS.c.id == key_id) & (_KEYS.c.member_id == member_id))
    if row is None:
        raise NotFoundError(f"there is no API key {key_id}")
    return Key(**row._mapping)


def _row(connection: Connection, query: Select[Any], condition: Any) -> Any:
    return connection.execute(query.where(condition)).one_or_none()


def _members() -> Select[Any]:
    return select(*schema.facts(_MEMBERS))


def _keys() -> Select[Any]:
    return select(*(item for item in schema.facts(_KEYS) if item.name != "sha256"))
