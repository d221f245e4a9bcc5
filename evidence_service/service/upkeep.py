"""Upkeep: what stored evidence needs again and again, done or looked for now and then by the worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from evidence_service.service import attest, delete, extend, hold, note_certificate, renew
from evidence_service.service.log_custody import log_custody
from evidence_service.service.parts import Parts

PAUSE = 15.0
"""Seconds between two looks: what is found has hours or months."""


class Upkeep:
    """Finds the attempts that are due: attestations that lack something, time stamps to renew, seals to
    extend, acts that are not told yet, deletions that were approved.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, parts: Parts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._next = clock()

    def wanted(self) -> Iterator[tuple[str, str]]:
        """Workflow and subject of each attempt, and custody logged on the way; nothing between two looks."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + PAUSE
        log_custody(self._parts)
        for subject in attest.wanted(self._parts):
            yield "attest", subject
        for subject in renew.wanted(self._parts):
            yield "renew", subject
        for subject in extend.wanted(self._parts):
            yield "extend", subject
        for subject in note_certificate.wanted(self._parts):
            yield "tell", subject
        for subject in hold.wanted(self._parts):
            yield "hold", subject
        for subject in delete.wanted(self._parts):
            yield "delete", subject
