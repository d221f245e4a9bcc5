"""Upkeep: what stored evidence needs again and again, looked for now and then by the worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from evidence_service.service import attest, delete, extend, hold, note_certificate, renew
from evidence_service.service.apart import apart
from evidence_service.service.parts import Parts

PAUSE = 15.0
"""Seconds between two looks: what is found has hours or months."""


class Pace:
    """Says when something that is done now and then is due.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._next = clock()

    def due(self) -> bool:
        """Whether it is due; then the next pause begins."""
        if self._clock() < self._next:
            return False
        self._next = self._clock() + self._pause
        return True


def wanted(parts: Parts) -> Iterator[tuple[str, list[str]]]:
    """Each workflow with the subjects of the attempts that are due: attestations that lack something, time
    stamps to renew, seals to extend, acts that are not told yet, deletions that were approved.

    A workflow whose attempts cannot be found is left out, and told of in the log.
    """
    for name, find in (
        ("attest", attest.wanted),
        ("renew", renew.wanted),
        ("extend", extend.wanted),
        ("tell", note_certificate.wanted),
        ("hold", hold.wanted),
        ("delete", delete.wanted),
    ):
        found = None
        with apart(f"look for what to {name}"):
            found = list(find(parts))
        if found is not None:
            yield name, found
