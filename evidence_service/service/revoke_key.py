"""Revoke an API key of a member."""

from __future__ import annotations

from evidence_service.service.parts import Parts
from evidence_service.store.administration import Change


def revoke_key(parts: Parts, member_id: str, key_id: str, *, actor: str) -> None:
    """It opens nothing any more; another process may believe it for the seconds it remembers keys.

    Raises:
        NotFoundError: the member has no such key.
    """
    change = Change("revoke_key", actor, key_id, parts.now(), {"member": member_id})
    parts.members.revoke_key(member_id, key_id, change)
