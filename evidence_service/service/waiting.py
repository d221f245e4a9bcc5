"""Waiting for what is unavailable: noted for people, tried again, for as long as it takes.

What is wrong stays wrong and ends a workflow with a note; what is unavailable may come back and never ends
one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from evidence_service.errors import ConfigurationError, EvidenceServiceError, UnavailableError
from evidence_service.service.ports import Durable

T = TypeVar("T")

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
"""Seconds between two tries: doubled from the first to the longest."""


def until_available(
    durable: Durable, name: str, function: Callable[[], T], note: Callable[[str | None], None]
) -> T:
    """Run a step until it succeeds or is refused.

    Args:
        note: told what is being waited for, and None once it came back. A missing setting is waited for like
            a missing node: the operator adds it and restarts, and nothing accepted is lost.
    """
    delay, waited = FIRST_DELAY, False
    while True:
        try:
            result = durable.step(name, function)
        except (UnavailableError, ConfigurationError, OperationalError, PoolTimeout) as error:
            words = _words(error)
            durable.step(f"{name}: note waiting", note, words)
            waited = True
            durable.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
        else:
            if waited:
                durable.step(f"{name}: note arrival", note, None)
            return result


def _words(error: Exception) -> str:
    if isinstance(error, EvidenceServiceError):
        return error.told
    return "the database does not answer"
