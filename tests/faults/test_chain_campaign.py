"""The short form of ``make campaign-chain``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.chain_campaign import SHORT, Campaign
from tests.running import reachable


def test_nothing_is_lost_doubled_or_left_unproved(
    tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    campaign = Campaign(reachable(tmp_path_factory.mktemp("chain-campaign")), SHORT)
    try:
        found = campaign.run()
    finally:
        campaign.close()
    record_property(
        "RESULT", " ".join(f"{key}={value}" for key, value in {**found, **campaign.counts}.items())
    )
    assert found == {"submitted": SHORT.submissions, "lost": 0, "doubled": 0, "gaps": 0, "unverified": 0}
    assert campaign.counts["kills"] > 2
    assert campaign.counts["reorgs"] > 2
