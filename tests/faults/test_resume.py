"""A worker killed at any boundary goes on after a restart: nothing lost, nothing done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.resume import Boundary, Campaign, boundaries, campaign


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with campaign(Path(tmp_path_factory.mktemp("resume"))) as found:
        yield found


@pytest.mark.parametrize("boundary", boundaries(), ids=str)
def test_a_killed_worker_resumes(running: Campaign, boundary: Boundary) -> None:
    lost, doubled = running.run(boundary)
    assert lost == []
    assert doubled == []
