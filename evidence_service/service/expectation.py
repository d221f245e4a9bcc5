"""When an anchor is likely to be final: from how far finality lags behind, and how fast blocks come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from evidence_service.store.anchors import Anchor
from evidence_service.store.chain_status import Status

_UNTIL_MINED = 2
"""Blocks a transaction usually waits for."""


def expected_at(anchor: Anchor, statuses: Sequence[Status], now: datetime) -> datetime | None:
    """When its proof will probably be sealed; None when it is, or when nobody can say.

    An estimate, never a promise: fees, outages and reorganisations change it.
    """
    status = next(
        (item for item in statuses if (item.chain_id, item.submitter) == (anchor.chain_id, anchor.submitter)),
        None,
    )
    if anchor.done or status is None or anchor.reason:
        return None
    head, final = status.seen.get("head"), status.seen.get("final", -1)
    seconds = status.seen.get("block_seconds")
    if head is None or final < 0 or not seconds:
        return None
    if anchor.block_number is None:
        blocks = _UNTIL_MINED + head - final
    else:
        blocks = max(anchor.block_number - final, 0)
    return max(now, status.at + timedelta(seconds=blocks * seconds))
