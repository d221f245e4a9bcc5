"""The short form of ``make campaign-chain``."""

from __future__ import annotations

from pathlib import Path

from tests.faults.chain_campaign import SHORT, Campaign


def test_nothing_is_lost_doubled_or_left_unproved(tmp_path_factory) -> None:
    directory = tmp_path_factory.mktemp("chain-campaign")
    for parent in (directory, *directory.parents):
        # As root the server runs as another user, which has to reach its directory.
        if parent.is_relative_to(Path(tmp_path_factory.getbasetemp()).parent):
            parent.chmod(0o755)
    campaign = Campaign(directory, SHORT)
    try:
        found = campaign.run()
    finally:
        campaign.close()
    print(f"RESULT {' '.join(f'{key}={value}' for key, value in {**found, **campaign.counts}.items())}")
    assert found == {"submitted": SHORT.submissions, "lost": 0, "doubled": 0, "gaps": 0, "unverified": 0}
    assert campaign.counts["kills"] > 2
    assert campaign.counts["reorgs"] > 2
