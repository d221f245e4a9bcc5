"""Add a member to an organisation."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evidence_service.errors import ConflictError, RefusedError
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.store.administration import Change
from evidence_service.store.members import Member


@dataclass(frozen=True, slots=True)
class NewMember:
    """Who is to be added.

    Attributes:
        name: as custody logs will name him, for ever.
        identity: issuer and subject at an OpenID provider; None for keys alone.
    """

    id: str
    name: str
    roles: Sequence[str]
    identity: tuple[str, str] | None = None


def add_member(parts: Parts, new: NewMember, *, actor: str, taken: Collection[str] = ()) -> Member:
    """Record a member; done once more with the same id, it changes nothing.

    Args:
        taken: names of those whose keys are in the settings.

    Raises:
        RefusedError: the name is the service's own.
        ConflictError: the name or the identity is another one's, or was.
    """
    name = unicodedata.normalize("NFC", new.name.strip())
    if unicodedata.normalize("NFKC", name).casefold() == SERVICE[0]:
        raise RefusedError(
            "custody logs call the service itself so", what_to_do="give the member another name"
        )
    if name in taken:
        raise ConflictError("a key of the settings has this name", what_to_do="give the member another name")
    issuer, subject = new.identity or (None, None)
    now = parts.now()
    detail = {"name": name, "roles": list(new.roles), "issuer": issuer, "subject": subject}
    parts.members.add(
        Member(new.id, name, issuer, subject, new.roles, now, None),
        Change("add_member", actor, new.id, now, detail),
    )
    return parts.members.get(new.id)
