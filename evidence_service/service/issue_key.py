"""Make an API key for a member."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence_service.errors import RefusedError
from evidence_service.service.parts import Parts
from evidence_service.service.permissions import scopes_of
from evidence_service.store.administration import Change
from evidence_service.store.members import Key

PREFIX = "evk_"
"""Begins every key, so that those who search for leaked secrets find it."""
_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is asked for.

    Attributes:
        scopes: what it may do at most; None: whatever its member may.
        expires_at: None: it is good until it is revoked.
    """

    id: str
    member_id: str
    label: str
    scopes: Sequence[str] | None = None
    expires_at: datetime | None = None


def issue_key(parts: Parts, new: NewKey, *, actor: str) -> tuple[Key, str | None]:
    """The key's description and the key itself, which is shown now and kept nowhere.

    Done once more with the same id, nothing is made, and there is no key to show.

    Raises:
        NotFoundError, ConflictError: there is no such member, or he has left.
        RefusedError: a scope the member does not have, or an end in the past.
    """
    now = parts.now()
    member = parts.members.get(new.member_id)
    beyond = sorted(set(new.scopes or ()) - scopes_of(member.roles))
    if beyond:
        raise RefusedError(
            f"{member.name} may not do {beyond[0]}, so no key of his can",
            what_to_do="leave it out, or give the member a role that has it",
        )
    if new.expires_at is not None and new.expires_at <= now:
        raise RefusedError("the key would have expired already", what_to_do="choose a later end")
    secret = PREFIX + base64.urlsafe_b64encode(parts.random_bytes(_BYTES)).rstrip(b"=").decode()
    detail = {
        "member": member.id,
        "label": new.label,
        "scopes": None if new.scopes is None else list(new.scopes),
        "expires_at": None if new.expires_at is None else new.expires_at.isoformat(),
    }
    made = parts.members.add_key(
        Key(new.id, new.member_id, new.label, new.scopes, now, new.expires_at, None),
        hashlib.sha256(secret.encode()).digest(),
        Change("issue_key", actor, new.id, now, detail),
    )
    return parts.members.key(new.member_id, new.id), secret if made else None
