"""Give a member of an organisation other roles."""

from __future__ import annotations

from collections.abc import Sequence

from evidence_service.service.parts import Parts
from evidence_service.store.administration import Change
from evidence_service.store.members import Member


def change_roles(parts: Parts, member_id: str, roles: Sequence[str], *, actor: str) -> Member:
    """Keys of the member follow at once: none of them can do more than he may.

    Raises:
        NotFoundError: there is no such member.
        ConflictError: he has left, or nobody would be an administrator any more.
    """
    change = Change("change_roles", actor, member_id, parts.now(), {"roles": list(roles)})
    parts.members.change_roles(member_id, roles, change)
    return parts.members.get(member_id)
