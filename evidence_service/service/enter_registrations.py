"""Registered digests become evidence: manifest, salt, custody log, receipt; a thousand in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import structlog

from evidence_service.errors import EvidenceError
from evidence_service.service.digest_manifest import NOT_BEFORE, StatedDigest, build
from evidence_service.service.digest_manifest import Registration as Common
from evidence_service.service.intake import receipts_of_rows
from evidence_service.service.parts import Parts
from evidence_service.store.entering import Entered, Waiting, enter
from evidence_service.store.records import Matter

_log = structlog.get_logger(__name__)
PORTION = 1_000
MOST = 4
"""Portions of one look, so that nothing else waits long behind a great many."""
_SALT = 32


def enter_registrations(parts: Parts, *, portion: int = PORTION) -> int:
    """Make evidence of what is registered, until little is left or enough was done; how many were looked at.

    A row of which no manifest can be made is told to the log and holds up no other.

    Args:
        parts: with the worker's rights, bound to no organisation.
    """
    done = 0
    for _ in range(MOST):
        found = _enter(parts, portion)
        done += found
        if found < portion:
            break
    return done


def _enter(parts: Parts, portion: int) -> int:
    def make(rows: Sequence[Waiting], matters: Mapping[str, Matter]) -> list[Entered]:
        return _made(parts, rows, matters)

    return enter(parts.database, make, now=parts.now(), portion=portion)


def _made(parts: Parts, rows: Sequence[Waiting], matters: Mapping[str, Matter]) -> list[Entered]:
    found: list[Entered] = []
    for _, group in groupby(sorted(rows, key=_common), key=_common):
        found.extend(_made_where_possible(parts, list(group), matters))
    return found


def _made_where_possible(
    parts: Parts, rows: Sequence[Waiting], matters: Mapping[str, Matter]
) -> list[Entered]:
    try:
        return _made_together(parts, rows, matters)
    except EvidenceError as error:
        if len(rows) > 1:
            return [item for row in rows for item in _made_where_possible(parts, [row], matters)]
        _log.error("registration.not_entered", registration=rows[0].id, reason=error.message)
        return []


def _common(row: Waiting) -> tuple[object, ...]:
    """What a manifest and a receipt share with those of the same request."""
    return row.matter_id, row.operator, row.operator_role, row.accepted_at, row.batch_by


def _made_together(parts: Parts, rows: Sequence[Waiting], matters: Mapping[str, Matter]) -> list[Entered]:
    first = rows[0]
    common = Common(
        matters[first.matter_id],
        first.operator,
        first.accepted_at,
        parts.purpose,
        parts.host,
        parts.tool,
        NOT_BEFORE,
        first.operator_role,
    )
    sealed = build(
        common,
        [StatedDigest(row.id, row.stated.name, row.stated.media_type, row.stated.digest) for row in rows],
    )
    receipts = _receipts(parts, rows)
    return [
        Entered(row, item.manifest, parts.random_bytes(_SALT), receipts[row.id], item.events)
        for row, item in zip(rows, sealed, strict=True)
    ]


def _receipts(parts: Parts, rows: Sequence[Waiting]) -> dict[str, bytes]:
    """Those that were given, and for rows of lists their own."""
    given = {row.id: row.receipt for row in rows if row.receipt is not None}
    listed = [row for row in rows if row.receipt is None]
    if listed:
        first = listed[0]
        made = receipts_of_rows(
            parts,
            (first.matter_id, first.operator, first.operator_role),
            (first.accepted_at, first.batch_by),
            [(row.id, row.stated) for row in listed],
        )
        given |= zip((row.id for row in listed), made, strict=True)
    return given
