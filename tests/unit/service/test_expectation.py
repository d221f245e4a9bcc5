"""When an anchor is expected to be final: an estimate from the chain's own pace."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evidence_service.service.expectation import expected_at
from evidence_service.store.anchors import Anchor
from evidence_service.store.chain_status import Status

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANCHOR = Anchor("batch-1", 1, 10, bytes(32), NOW, 1, "0x01", "0x02", "broadcast", 7, 1, None, None, None, "")
STATUS = Status(1, "0x01", NOW, {"head": 1000, "final": 930, "block_seconds": 12.0}, {})


def seconds(anchor: Anchor, status: Status = STATUS) -> float | None:
    found = expected_at(anchor, [status], NOW)
    return None if found is None else (found - NOW).total_seconds()


def test_what_waits_for_a_block_waits_for_finality_after_it() -> None:
    assert seconds(ANCHOR) == (2 + 70) * 12


def test_what_is_mined_waits_until_its_block_is_final() -> None:
    assert seconds(replace(ANCHOR, state="mined", block_number=990)) == 60 * 12
    assert seconds(replace(ANCHOR, state="finalized", block_number=900)) == 0


def test_an_estimate_that_has_passed_is_now() -> None:
    late = expected_at(replace(ANCHOR, block_number=931), [STATUS], NOW + timedelta(hours=1))
    assert late == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("anchor", "status"),
    [
        (replace(ANCHOR, state="sealed"), STATUS),
        (replace(ANCHOR, reason="held"), STATUS),
        (replace(ANCHOR, chain_id=2), STATUS),
        (ANCHOR, replace(STATUS, seen={"problem": "no node"})),
        (ANCHOR, replace(STATUS, seen={"head": 5, "final": -1, "block_seconds": 12.0})),
        (ANCHOR, replace(STATUS, seen={"head": 5, "final": 1, "block_seconds": 0.0})),
    ],
)
def test_nothing_is_said_where_nobody_can_know(anchor: Anchor, status: Status) -> None:
    assert seconds(anchor, status) is None
