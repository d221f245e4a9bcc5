"""Scratch directories: nobody removes what another one writes, and nothing stays for good."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evidence_service.service.scratch import LEFT_BEHIND, scratch


@pytest.fixture
def parts(tmp_path: Path) -> Any:
    return SimpleNamespace(
        capturing=SimpleNamespace(directory=tmp_path), now=lambda: datetime.now(UTC), random_bytes=os.urandom
    )


def test_two_attempts_at_once_do_not_meet(parts: Any, tmp_path: Path) -> None:
    with scratch(parts, "ev-1") as first:
        first.mkdir(parents=True)
        with scratch(parts, "ev-1") as second:
            second.mkdir(parents=True)
        assert first.is_dir()
        assert not second.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_a_later_attempt(parts: Any, tmp_path: Path) -> None:
    left = tmp_path / "ev-1" / "left"
    left.mkdir(parents=True)
    old = (parts.now() - 2 * LEFT_BEHIND).timestamp()
    os.utime(left, (old, old))
    with scratch(parts, "ev-1"):
        assert not left.exists()


def test_an_error_comes_through(parts: Any) -> None:
    with pytest.raises(ArithmeticError), scratch(parts, "ev-1") as directory:
        directory.mkdir(parents=True)
        (directory.parent / "another").mkdir()
        raise ArithmeticError
