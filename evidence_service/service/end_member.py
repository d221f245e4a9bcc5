"""A member leaves an organisation."""

from __future__ import annotations

from evidence_service.service.parts import Parts
from evidence_service.store.administration import Change


def end_member(parts: Parts, member_id: str, *, actor: str) -> None:
    """His keys and tokens open nothing any more; his name stays his in custody logs.

    Raises:
        NotFoundError: there is no such member.
        ConflictError: nobody would be an administrator any more.
    """
    parts.members.end(member_id, Change("end_member", actor, member_id, parts.now()))
