"""Unavailable is waited for and noted; wrong ends at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evidence_service.errors import ConfigurationError, MismatchError, NodeUnavailableError
from evidence_service.service.waiting import LONGEST_DELAY, until_available


class Immediate:
    """Durable steps that remember what was slept instead of sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def step(self, _: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def failing(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def attempt() -> str:
        if left:
            raise left.pop()
        return "done"

    return attempt


@pytest.mark.parametrize("kind", [NodeUnavailableError, ConfigurationError])
def test_it_tries_again_notes_why_and_clears_the_note(kind: type[Exception]) -> None:
    durable, notes = Immediate(), []
    error = kind("no node", what_to_do="start it")  # type: ignore[call-arg]
    assert until_available(durable, "x", failing(10, error), notes.append) == "done"
    assert notes == ["no node (start it)"] * 10 + [None]
    assert durable.slept[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(durable.slept) == LONGEST_DELAY


def test_without_trouble_nothing_is_noted() -> None:
    durable, notes = Immediate(), []
    assert until_available(durable, "x", lambda: "done", notes.append) == "done"
    assert notes == [] and durable.slept == []


def test_wrong_evidence_is_not_tried_again() -> None:
    durable = Immediate()
    with pytest.raises(MismatchError):
        until_available(durable, "x", failing(1, MismatchError("changed")), lambda _: None)
    assert durable.slept == []
