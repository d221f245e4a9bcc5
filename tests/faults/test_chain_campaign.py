"""The short form of ``make campaign-chain``."""

from __future__ import annotations

import pytest

from tests.faults.chain_campaign import SHORT, Campaign
from tests.running import reachable


def test_nothing_is_lost_doubled_or_left_unproved(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = Campaign(reachable(tmp_path_factory.mktemp("chain-campaign")), SHORT)
    try:
        found = campaign.run()
    finally:
        campaign.close()
    with capsys.disabled():
        print("\nRESULT", *(f"{key}={value}" for key, value in {**found, **campaign.counts}.items()))
    assert found == {"submitted": SHORT.submissions, "lost": 0, "doubled": 0, "gaps": 0, "unverified": 0}
    assert campaign.counts["kills"] > 2
    assert campaign.counts["reorgs"] > 2
