"""Whose turn it is: the order in which captures are begun, pure.

Urgent ones first, but never more than four in a row while others wait. Then what would break its receipt's
promise if one more went before it, the earliest promise first. Then the organisations by turns: whoever has
the fewest captures under way, then whoever was served longest ago; within an organisation by promise. So an
organisation with thousands of rows takes the places that nobody else wants, and no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum

from evidence_service.store.queue import Waiting

URGENT_IN_A_ROW = 4
_FIRST = datetime.min.replace(tzinfo=UTC)


class Claim(IntEnum):
    """Why a capture is begun before others; lower goes first."""

    URGENT = 0
    PROMISED = 1
    TURN = 2


class Turns:
    """Remembers who was served; forgets it with the process, which harms nobody for longer than a turn.

    Args:
        per_organisation: captures at once of one organisation, in all workers; None for no limit.
    """

    def __init__(self, per_organisation: int | None = None) -> None:
        self._limit = per_organisation
        self._served: dict[str, int] = {}
        self._count = 0
        self._urgent = 0

    def take(
        self,
        waiting: Sequence[Waiting],
        under_way: Mapping[str, int],
        room: int,
        *,
        reserved: int = 0,
        pressed_until: datetime | None,
    ) -> list[tuple[Waiting, Claim]]:
        """Who is begun next, in order, at most ``room``.

        Args:
            reserved: places of the room that are not for those whose turn it merely is.
            waiting: of each organisation at least the first ``room`` by its own order.
            under_way: captures by organisation.
            pressed_until: promises up to this time would be broken if one more capture went before.
        """
        left, running = list(waiting), Counter(under_way)
        taken: list[tuple[Waiting, Claim]] = []
        while len(taken) < room:
            pressing = len(taken) >= room - reserved
            allowed = [
                item
                for item in left
                if (self._limit is None or running[item.organisation] < self._limit)
                and not (pressing and _claim(item, pressed_until) is Claim.TURN)
            ]
            if not allowed:
                break
            item = min(allowed, key=lambda item: self._rank(item, running, pressed_until))
            left.remove(item)
            running[item.organisation] += 1
            self._serve(item)
            taken.append((item, _claim(item, pressed_until)))
        return taken

    def _rank(
        self,
        item: Waiting,
        running: Mapping[str, int],
        pressed_until: datetime | None,
    ) -> tuple[object, ...]:
        claim = _claim(item, pressed_until)
        promised = item.batch_by or _FIRST
        turn = (running.get(item.organisation, 0), self._served.get(item.organisation, 0))
        if claim is Claim.URGENT:
            return (len(Claim) if self._urgent >= URGENT_IN_A_ROW else claim, *turn, promised, item.id)
        if claim is Claim.PROMISED:
            return (claim, promised, *turn, item.id)
        return (claim, *turn, promised, item.id)

    def _serve(self, item: Waiting) -> None:
        self._count += 1
        self._served[item.organisation] = self._count
        self._urgent = self._urgent + 1 if item.urgent else 0


def _claim(item: Waiting, pressed_until: datetime | None) -> Claim:
    if item.urgent:
        return Claim.URGENT
    if pressed_until is not None and (item.batch_by or _FIRST) <= pressed_until:
        return Claim.PROMISED
    return Claim.TURN
