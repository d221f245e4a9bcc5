"""A worker killed at any boundary goes on after a restart: nothing lost, nothing done twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.resume import CAPTURE, UPLOAD, Boundary, Campaign, campaign

# Two dozen processes one after the other.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with campaign(Path(tmp_path_factory.mktemp("resume"))) as found:
        yield found


@pytest.mark.parametrize(
    ("boundaries", "capture"), [(UPLOAD, False), (CAPTURE, True)], ids=["upload", "capture"]
)
def test_a_worker_killed_at_every_boundary_resumes(
    running: Campaign, boundaries: Sequence[Boundary], capture: bool
) -> None:
    lost, doubled = running.run(boundaries, capture=capture)
    assert lost == []
    assert doubled == []
