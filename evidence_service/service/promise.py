"""What a receipt promises: a time that holds although thousands of captures wait.

A capture in place n of the queue is begun n times the time of one capture from now, shared between the
browsers that run at once. What it needs from then on is the configured delay. Captures are taken in the order
of their promises (see :mod:`evidence_service.store.queue`), so a promise stays true when no later one breaks
it: a new order is put behind everybody who would be late if it went before. Lists are promised half of what
the browsers can do; the other half is for single orders.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evidence_service.core import document
from evidence_service.service.parts import Parts
from evidence_service.store.queue import Place

_LIST_SHARE = 2
"""Lists are promised one of so many parts."""

_SINGLE = 20
"""Single captures of an organisation that wait, from which on more are promised like rows of a list."""

_CAUTION = 2
"""Times the mean of recent captures is reckoned with, but never more than a capture's limit."""

_KNOWN = 10
"""Captures after which their mean is believed."""


def promise(parts: Parts, now: datetime) -> datetime:
    """By when a single capture that is accepted now is in a closed batch.

    Args:
        parts: within the organisation that orders it: one that has many single ones waiting is promised the
            pace of a list, which leaves every second place to others.
    """
    if parts.queue.singles() >= _SINGLE:
        return promises(parts, now, 1)[0]
    each = pace(parts)
    place = parts.queue.place(now, each=each, needed=parts.promised_delay)
    return _exact(_at(parts, now, each, place))


def promises(parts: Parts, now: datetime, count: int) -> list[datetime]:
    """The same for the captures of a list, in their order."""
    each = pace(parts)
    behind_all = _at(parts, now, each, parts.queue.end())
    return [_exact(behind_all + number * _LIST_SHARE * each) for number in range(1, count + 1)]


def _at(parts: Parts, now: datetime, each: timedelta, place: Place) -> datetime:
    # Never before those it comes behind, or the queue would take it first.
    return max(now + place.ahead * each + parts.promised_delay, place.not_before or now)


def pace(parts: Parts) -> timedelta:
    """Time one capture takes of the queue."""
    longest = timedelta(seconds=parts.capturing.limits.seconds)
    recent = parts.queue.recent()
    if len(recent) >= _KNOWN:
        longest = min(longest, _CAUTION * sum(recent, timedelta(0)) / len(recent))
    return longest / parts.capturing.at_once


def _exact(moment: datetime) -> datetime:
    """In the precision of the formats: what is promised and what is recorded are the same moment."""
    return document.parse_time(document.format_time(moment), "promise")
