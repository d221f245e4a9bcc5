"""Whose transaction it is: every one begins by telling the database for which organisation it works.

Row-level security compares rows with that setting (``migrations/isolation.py``). It ends with the
transaction, so a connection that goes back to the pool remembers nobody.
"""

from __future__ import annotations

import copy
from typing import Self

from sqlalchemy import Connection, Engine, event

_OPTION = "organisation"
API_ROLE, WORKER_ROLE = "evidence_api", "evidence_worker"
"""Who works with the record: one sees an organisation at a time, the other all; neither owns anything."""


def scoped(engine: Engine, organisation_id: str) -> Engine:
    """The same engine, on the same connections, for one organisation.

    What a transaction adds is that organisation's; what it sees is, with the API's role, that one's alone.
    """
    return engine.execution_options(**{_OPTION: organisation_id})


def organisation_of(engine: Engine) -> str | None:
    """For whom an engine works; None for one that is not scoped."""
    found: str | None = engine.get_execution_options().get(_OPTION)
    return found


def announce_organisations(engine: Engine) -> None:
    """Have every transaction of a scoped engine begin by naming its organisation."""

    @event.listens_for(engine, "begin")
    def name_organisation(connection: Connection) -> None:
        organisation_id = connection.get_execution_options().get(_OPTION)
        if organisation_id is not None:
            work_for(connection, organisation_id)


def work_for(connection: Connection, organisation_id: str) -> None:
    """Do the rest of a transaction for an organisation.

    For one transaction that writes for several, each under its own setting; all others are of an engine that
    :func:`scoped` made.
    """
    connection.exec_driver_sql("SELECT set_config('evidence.organisation', %s, true)", (organisation_id,))


def end_when_paused(connection: Connection) -> None:
    """Have the database end the transaction when nothing is heard of it for ten seconds.

    For locks that all workers need: a process that is paused, or cut off, would keep them from everybody.
    """
    connection.exec_driver_sql("SELECT set_config('idle_in_transaction_session_timeout', '10s', true)")


class Store:
    """Part of the record in PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bound(self, engine: Engine) -> Self:
        """The same on another engine, which :func:`scoped` made."""
        found = copy.copy(self)
        found._engine = engine
        return found
