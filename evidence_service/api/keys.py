"""API keys that are known: those of the settings, and those of members, remembered for some seconds."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evidence_service.service.permissions import scopes_of
from evidence_service.store.organisations import Organisations

MEMORY = 5.0
"""Seconds for which a member's key is believed without asking again: so long a revoked one may still open."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whom a key stands for."""

    organisation_id: str
    name: str
    scopes: frozenset[str]
    roles: tuple[str, ...]


class KnownKeys:
    """Finds out whose a key is.

    Args:
        configured: SHA-256 of a key → its holder, from the settings.
        organisations: asked for every other key, without an organisation; None knows no others.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        configured: Mapping[bytes, KeyHolder],
        organisations: Organisations | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configured = dict(configured)
        self._organisations = organisations
        self._clock = clock
        self._seen: OrderedDict[bytes, tuple[float, KeyHolder]] = OrderedDict()

    def remembered(self, sha256: bytes) -> KeyHolder | None:
        """The holder of a key that needs no question to the database."""
        for known, holder in self._configured.items():
            if hmac.compare_digest(known, sha256):
                return holder
        found = self._seen.get(sha256)
        if found is not None and self._clock() - found[0] <= MEMORY:
            return found[1]
        return None

    def look_up(self, sha256: bytes) -> KeyHolder | None:
        """The holder of a member's key that is valid now."""
        found = None if self._organisations is None else self._organisations.holder_of_key(sha256)
        if found is None:
            self._seen.pop(sha256, None)
            return None
        scopes = scopes_of(found.roles, found.scopes)
        holder = KeyHolder(found.organisation_id, found.name, scopes, tuple(found.roles))
        self._seen[sha256] = (self._clock(), holder)
        while len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return holder

    def names(self, organisation_id: str) -> frozenset[str]:
        """Names of an organisation's keys in the settings; no member may be called so."""
        found = self._configured.values()
        return frozenset(item.name for item in found if item.organisation_id == organisation_id)

    def forget(self, organisation_id: str) -> None:
        """Ask again for every key of an organisation: something about its members has changed."""
        for sha256, (_, holder) in list(self._seen.items()):
            if holder.organisation_id == organisation_id:
                self._seen.pop(sha256, None)
