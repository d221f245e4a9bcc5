"""Release links: something of a piece of evidence under an address that opens it without a key.

The address holds a token of 256 bits. Only its SHA-256 is kept, and whose it is is asked before the
organisation is known (``evidence_release``, migration 0015).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from evidence_service.errors import NotFoundError
from evidence_service.store import requests, schema
from evidence_service.store.administration import Change, lock, note
from evidence_service.store.custody_room import Room
from evidence_service.store.holds import lock_matter
from evidence_service.store.records import append_custody
from evidence_service.store.tenancy import Store

_LINKS, _RULES = schema.release_links, schema.release_rules


@dataclass(frozen=True, slots=True)
class Release:
    """A release link.

    Attributes:
        what: ``bundle``, ``certificate``, ``exhibit`` or ``file``.
        name: number of the certificate, id of the exhibit, path of the file; empty for the bundle.
        request_id: what another person has to approve first; None where nobody has to.
    """

    id: str
    evidence_id: str
    what: str
    name: str
    recipient: str
    purpose: str
    created_by: str
    at: datetime
    expires_at: datetime
    max_downloads: int
    downloads: int = 0
    request_id: str | None = None
    revoked_by: str | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Whether two persons decide about releases of an organisation."""

    two_persons: bool
    set_by: str
    at: datetime


class Releases(Store):
    """Release links in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def make(
        self,
        release: Release,
        token_sha256: bytes,
        event: Mapping[str, Any],
        request: tuple[requests.Request, Mapping[str, Any]] | None,
    ) -> bool:
        """Record a link, told to the custody log; whether it is new: one with the same id changes nothing.

        Args:
            request: what has to be approved first, and its custody event.

        Raises:
            NotFoundError: no such evidence.
            DeletedError: the file is deleted, or what was made of it.
            ConflictError: the custody log has no room for its downloads beside those of other links.
        """
        values = {name: getattr(release, name) for name in Release.__slots__}
        with self._engine.begin() as connection:
            # What proves deleted files is there still.
            lock_matter(connection, release.evidence_id, deleted=release.what in ("bundle", "certificate"))
            query = select(_LINKS.c.id).where(_LINKS.c.id == release.id)
            if connection.execute(query).one_or_none() is not None:
                return False
            if request is not None:
                requests.add(connection, *request)
            connection.execute(insert(_LINKS).values(**values, token_sha256=token_sha256))
            # After the link: the room that its downloads and its revocation need is counted with it.
            key = f"release {release.id}"
            append_custody(connection, release.evidence_id, key, event, release.at, Room.OF_CALLERS)
        return True

    def release(self, release_id: str) -> Release:
        """A link.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(_links().where(_LINKS.c.id == release_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no release link {release_id}")
        return Release(**row._mapping)

    def releases(self, evidence_id: str, *, after: str | None = None, limit: int = 50) -> list[Release]:
        """Links of a piece of evidence by id, used and revoked ones included, from just after one."""
        query = _links().where(_LINKS.c.evidence_id == evidence_id).order_by(_LINKS.c.id).limit(limit)
        if after is not None:
            query = query.where(_LINKS.c.id > after)
        with self._engine.connect() as connection:
            return [Release(**row._mapping) for row in connection.execute(query)]

    def revoke(self, release: Release, event: Mapping[str, Any], *, by: str, at: datetime) -> Release:
        """Have a link open nothing any more, told to the custody log; the first time counts."""
        with self._engine.begin() as connection:
            revoked = connection.execute(
                update(_LINKS)
                .where(_LINKS.c.id == release.id, _LINKS.c.revoked_at.is_(None))
                .values(revoked_by=by, revoked_at=at)
            )
            if revoked.rowcount:
                key = f"release {release.id} revoked"
                append_custody(connection, release.evidence_id, key, event, at)
        return self.release(release.id)

    def two_persons(self) -> bool:
        """Whether two persons decide about releases of the organisation; so it is where nobody has said."""
        with self._engine.connect() as connection:
            return _two_persons(connection)

    def set_rule(self, rule: Rule, noted: Change) -> None:
        """Say whether two persons decide about releases of the organisation; again, it changes nothing."""
        values = {name: getattr(rule, name) for name in Rule.__slots__}
        with self._engine.begin() as connection:
            lock(connection)
            if _two_persons(connection) == rule.two_persons:
                return
            note(connection, noted)
            connection.execute(
                insert(_RULES)
                .values(**values)
                .on_conflict_do_update(index_elements=["organisation_id"], set_=values)
            )

    # --- whose a token is: asked before the organisation is known ---

    def opened(self, token_sha256: bytes, now: datetime, *, counted: bool) -> tuple[str, Release]:
        """The organisation and the link that a token opens now.

        Args:
            counted: as a download, in the same statement; never more than there may be.

        Raises:
            NotFoundError: it opens nothing; for whatever reason, in the same words.
        """
        found = func.evidence_release(token_sha256, now, counted)
        with self._engine.begin() as connection:
            row = connection.execute(select(text("*")).select_from(found)).mappings().one_or_none()
        if row is None:
            raise nothing_released()
        return row["organisation_id"], Release(**{name: row[name] for name in Release.__slots__})


def nothing_released() -> NotFoundError:
    """What is said about every address that opens nothing."""
    return NotFoundError(
        "nothing is released under this address", what_to_do="ask whoever gave it to you for another one"
    )


def _two_persons(connection: Connection) -> bool:
    query = select(_RULES.c.two_persons).where(_RULES.c.organisation_id == func.evidence_organisation())
    return connection.execute(query).scalar_one_or_none() is not False


def _links() -> Any:
    return select(*(_LINKS.c[name] for name in Release.__slots__))
