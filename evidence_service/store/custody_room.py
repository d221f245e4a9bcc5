"""Room in custody logs: nobody's requests fill one so far that the service cannot go on with the evidence.

A bundle holds ``custody.MAX_EVENTS`` events at most: beyond that nothing proves the evidence any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum

from sqlalchemy import Connection, func, select, text

from evidence_service.core import custody
from evidence_service.errors import ConflictError
from evidence_service.store import schema

RESERVE = 200
"""Events that are kept for what the service does itself: seal, anchor, certify, renew, delete."""


class Room(Enum):
    """Which part of a log an event may take.

    Attributes:
        OF_SERVICE: all of it: what the service does itself, and the one event that ends what was let in
            before (a revocation, a lifted hold, a decision), which was counted when that was let in.
        SET_ASIDE: half of the reserve too: downloads, counted when their release link was made.
        OF_CALLERS: what is left beside the reserve and beside everything that is set aside.
    """

    OF_SERVICE = 0
    SET_ASIDE = RESERVE // 2
    OF_CALLERS = RESERVE


_SET_ASIDE = text(
    """
    SELECT evidence_id, sum(wanted)::int AS wanted FROM (
        SELECT evidence_id,
        1 + CASE WHEN expires_at > :now THEN max_downloads - downloads ELSE 0 END AS wanted
        FROM release_links WHERE revoked_at IS NULL AND evidence_id = ANY(:names)
        UNION ALL
        SELECT evidence_id, 1 FROM holds WHERE lifted_at IS NULL AND evidence_id = ANY(:names)
        UNION ALL
        SELECT evidence_id, CASE state WHEN 'requested' THEN 2 ELSE 1 END
        FROM requests WHERE evidence_id = ANY(:names)
        AND (state = 'requested' OR (state = 'approved' AND kind = 'delete'))
    ) AS each GROUP BY evidence_id
    """
)
"""Events that may still come of open release links, standing holds and undecided requests, by evidence."""


def without_room(
    connection: Connection, lengths: Mapping[str, int], room: Room, *, now: datetime, events: int = 1
) -> list[str]:
    """Those whose log takes no more events of a kind. The caller holds the logs' locks.

    Args:
        lengths: events that are there, by evidence.
        events: to be added to each.
    """
    if room is Room.OF_SERVICE:
        return []
    set_aside: dict[str, int] = {}
    if room is Room.OF_CALLERS:
        rows = connection.execute(_SET_ASIDE, {"names": list(lengths), "now": now})
        set_aside = {row.evidence_id: row.wanted for row in rows}
    most = custody.MAX_EVENTS - room.value
    return [name for name, length in lengths.items() if length + events + set_aside.get(name, 0) > most]


def nearly_full(
    connection: Connection, evidence_ids: Sequence[str], *, events: int, now: datetime
) -> list[str]:
    """Those whose log has no room for what callers ask for; asked before it is begun, without a lock."""
    table = schema.custody_events
    query = (
        select(table.c.evidence_id, func.max(table.c.sequence).label("length"))
        .where(table.c.evidence_id.in_(evidence_ids))
        .group_by(table.c.evidence_id)
    )
    lengths = {row.evidence_id: row.length for row in connection.execute(query)}
    return without_room(connection, lengths, Room.OF_CALLERS, now=now, events=events)


def full(evidence_id: str) -> ConflictError:
    """What is said to whoever asks for more than a log takes."""
    return ConflictError(
        f"the custody log of evidence {evidence_id} has no room for this: what is left of its "
        f"{custody.MAX_EVENTS} events is kept for the service itself and for what was allowed before",
        what_to_do="revoke release links that are not needed, or allow fewer downloads",
    )
