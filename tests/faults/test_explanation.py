"""The page on anchoring states figures that are right."""

from __future__ import annotations

from tests.faults.rpc_faults import FAULTS
from tests.running import ROOT

PAGE = (ROOT / "docs" / "explanation" / "anchoring.md").read_text()


def test_it_counts_the_faults_that_are_tested() -> None:
    assert f"\n{len(FAULTS)} faults by name" in PAGE
