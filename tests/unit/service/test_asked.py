"""What a worker asked for is asked once, and forgotten when it is no longer found."""

from __future__ import annotations

import pytest

from evidence_service.service.asked import Asked


def test_once_as_long_as_it_is_found() -> None:
    asked, started = Asked(), list[str]()
    for found in (["a", "b"], ["b", "c"], [], ["a"]):
        asked.each("stamp", found, started.append)
    assert started == ["a", "b", "c", "a"]
    assert len(asked) == 1


def test_what_could_not_be_asked_is_asked_again() -> None:
    asked, started = Asked(), list[str]()

    def fail(subject: str) -> None:
        raise ArithmeticError(subject)

    with pytest.raises(ArithmeticError):
        asked.each("stamp", ["a"], fail)
    asked.each("note", ["a"], started.append)
    asked.each("stamp", ["a"], started.append)
    assert started == ["a", "a"]
