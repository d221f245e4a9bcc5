"""Fuzz and invariant tests in Solidity, short form; ``make fuzz-contract`` is the long one."""

from __future__ import annotations

from tests.contracts.fuzz import FAULTS, ROOT, caught, properties


def test_every_property_holds() -> None:
    found = properties(ROOT)
    assert [item.name for item in found if not item.holds] == []
    assert len(found) >= 20
    assert sum(item.cases for item in found) >= 7_000


def test_a_planted_fault_is_found() -> None:
    """One of many; ``make fuzz-contract`` plants them all."""
    _, text, replacement = FAULTS[0]
    by = caught(text, replacement, "--match-contract", "HistoryTest")
    assert "HistoryTest.invariant_EveryRecordIsTheFirstOneAndNoOtherExists" in by
