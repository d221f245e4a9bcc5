"""Captures are handed to the workflow engine a few at a time, each time by whose turn it is.

What the engine has is begun in the order in which it came; so it is given little more than all workers can
begin at once, and an order that comes later waits for no more than that.
"""

from __future__ import annotations

from datetime import datetime

from evidence_service.service.durable import CAPTURES, Engine
from evidence_service.service.parts import Parts
from evidence_service.service.promise import pace
from evidence_service.service.turns import Claim, Turns

WORKFLOW = "preserve"
_AHEAD = 2
"""Captures the engine has besides those that can run, for each browser: none waits for the next look."""
_PRESSING = 2
"""Further ones that are urgent or promised, for each browser: the engine takes them first."""


class Dispatcher:
    """Gives the engine what comes next; several workers do, one at a time.

    Args:
        in_all: captures at once in all workers; None for as many as they have browsers.
        per_organisation: of one organisation; None for no limit.
    """

    def __init__(
        self, parts: Parts, engine: Engine, *, in_all: int | None = None, per_organisation: int | None = None
    ) -> None:
        self._parts = parts
        self._engine = engine
        self._in_all = in_all
        self._turns = Turns(per_organisation)
        self._asked: set[str] = set()
        # Their workflows ended without registering or refusing them; asking again would change nothing.
        self._stuck: set[str] = set()

    def look(self) -> None:
        """Ask for the workflows that come next."""
        queue = self._parts.queue
        if not queue.waits():
            return
        with queue.dispatching() as alone:
            if not alone:
                return
            under_way = self._engine.in_flight(WORKFLOW, CAPTURES)
            reserved, room = self._room()
            room -= len(under_way)
            if room <= 0:
                return
            # Some are registered or refused in the end: whoever mends their workflow sees to that.
            self._stuck = queue.still_waiting(self._stuck) if self._stuck else set()
            waiting = queue.next(room, without=[*under_way, *self._stuck])
            again = {item.id for item in waiting} & self._asked
            self._stuck |= again
            # The others are done. Should one have ended otherwise, it is asked for and found again once more.
            self._asked.intersection_update(under_way)
            taken = self._turns.take(
                [item for item in waiting if item.id not in again],
                queue.organisations(under_way),
                room,
                reserved=reserved,
                pressed_until=self._pressed_until(),
            )
            for item, claim in taken:
                self._engine.start(WORKFLOW, item.id, priority=None if claim is Claim.URGENT else claim.value)
                self._asked.add(item.id)

    def _room(self) -> tuple[int, int]:
        """Places that are not for everybody, and places in all."""
        browsers = sum(item.captures for item in self._parts.workers.all() if not item.draining)
        room = browsers * (1 + _AHEAD + _PRESSING)
        if self._in_all is not None and self._in_all < room:
            return 0, self._in_all
        return browsers * _PRESSING, room

    def _pressed_until(self) -> datetime | None:
        parts = self._parts
        return parts.queue.place(parts.now(), each=pace(parts), needed=parts.promised_delay).not_before
