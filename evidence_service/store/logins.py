"""Sealed login states: kept for the captures that need them, gone with the last one.

What is here cannot be opened with the database alone. A state is deleted in the transaction that records the
end of the last capture it was given for, whether that ended as ordered or was refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from evidence_service.store import schema
from evidence_service.store.tenancy import Store

_STATES, _USES = schema.login_states, schema.login_uses


@dataclass(frozen=True, slots=True)
class SealedLogin:
    """A login state as it is kept.

    Attributes:
        sealed: opened with the service's sealing key and this id.
    """

    id: str
    sealed: bytes


class Logins(Store):
    """Login states in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def begin(self, evidence_id: str) -> tuple[SealedLogin, int] | None:
        """Count one more attempt to capture with it: the state and the attempts so far, this one included.

        None when the evidence needs none.
        """
        with self._engine.begin() as connection:
            used = connection.execute(
                update(_USES)
                .where(_USES.c.evidence_id == evidence_id)
                .values(attempts=_USES.c.attempts + 1)
                .returning(_USES.c.login_state_id, _USES.c.attempts)
            ).one_or_none()
            if used is None:
                return None
            sealed = connection.execute(
                select(_STATES.c.sealed).where(_STATES.c.id == used.login_state_id)
            ).scalar_one()
        return SealedLogin(used.login_state_id, bytes(sealed)), used.attempts

    def needed(self, evidence_id: str) -> bool:
        """Whether a capture is still to be made with a login state."""
        with self._engine.connect() as connection:
            return bool(
                connection.execute(select(exists().where(_USES.c.evidence_id == evidence_id))).scalar_one()
            )


def add(connection: Connection, login: SealedLogin, evidence_ids: Sequence[str]) -> None:
    """Keep a state for some captures; repeating it changes nothing, and brings back nothing that is gone."""
    table = schema.evidence
    waiting = connection.execute(
        select(table.c.id).where(table.c.id.in_(evidence_ids), table.c.status == "accepted", ~table.c.refused)
    ).scalars()
    uses = [{"evidence_id": item, "login_state_id": login.id} for item in waiting]
    if not uses:
        return
    connection.execute(upsert(_STATES).values(id=login.id, sealed=login.sealed).on_conflict_do_nothing())
    connection.execute(upsert(_USES).on_conflict_do_nothing(), uses)
    # A repetition under another id of the state: its captures have theirs already.
    _forget_unused(connection, login.id)


def forget(connection: Connection, evidence_id: str) -> None:
    """The capture has ended: its state goes, unless another capture still needs it."""
    # Two captures that end at the same moment must not each take the other for one that still needs it.
    state = connection.execute(
        select(_STATES.c.id)
        .join(_USES, _USES.c.login_state_id == _STATES.c.id)
        .where(_USES.c.evidence_id == evidence_id)
        .with_for_update(of=_STATES)
    ).scalar_one_or_none()
    if state is not None:
        connection.execute(delete(_USES).where(_USES.c.evidence_id == evidence_id))
        _forget_unused(connection, state)


def _forget_unused(connection: Connection, state: str) -> None:
    used = exists().where(_USES.c.login_state_id == _STATES.c.id)
    connection.execute(delete(_STATES).where(_STATES.c.id == state, ~used))
