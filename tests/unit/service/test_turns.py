"""Whose turn it is: nobody holds up anybody, and promises are kept."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from evidence_service.service.turns import URGENT_IN_A_ROW, Claim, Turns
from evidence_service.store.queue import Waiting

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def row(organisation: str, number: int, *, due: float | None = None, urgent: bool = False) -> Waiting:
    batch_by = NOW + timedelta(hours=10 if due is None else due, seconds=number)
    return Waiting(f"{organisation}{number:04}", organisation, urgent, batch_by)


def served(turns: Turns, waiting: list[Waiting], count: int, *, browsers: int = 1) -> list[str]:
    """Who is begun, one after the other, with ``browsers`` captures at once; each ends when the next begins."""
    left, running, order = list(waiting), [], []
    while len(order) < count:
        if len(running) == browsers:
            running.pop(0)
        under_way = Counter(item.organisation for item in running)
        [(item, _)] = turns.take(left, under_way, 1, pressed_until=None)
        left.remove(item)
        running.append(item)
        order.append(item.id)
    return order


def test_five_thousand_rows_hold_up_nobody() -> None:
    long = [row("a", number) for number in range(5_000)]
    single = row("b", 1, due=20)
    assert "b0001" in served(Turns(), [*long, single], 2)


def test_organisations_take_turns_whatever_they_have() -> None:
    waiting = [row("a", number, due=1) for number in range(100)]
    waiting += [row("b", number, due=5) for number in range(4)] + [
        row("c", number, due=9) for number in range(2)
    ]
    order = served(Turns(), waiting, 9)
    assert order == ["a0000", "b0000", "c0000", "a0001", "b0001", "c0001", "a0002", "b0002", "a0003"]
    order = served(Turns(), waiting, 6, browsers=3)
    assert sorted(order[:3]) == sorted(item[:1] + "0000" for item in "abc")
    assert sorted(order[3:]) == sorted(item[:1] + "0001" for item in "abc")


def test_within_an_organisation_the_earliest_promise_goes_first() -> None:
    waiting = [row("a", 1, due=5), row("a", 2, due=3), row("a", 3, due=4)]
    assert served(Turns(), waiting, 3) == ["a0002", "a0003", "a0001"]


def test_a_promise_in_danger_goes_before_turns() -> None:
    waiting = [row("a", 1, due=1), row("a", 2, due=2), row("b", 1, due=9), row("b", 2)]
    turns = Turns()
    taken = turns.take(waiting, {"a": 3}, 3, pressed_until=NOW + timedelta(hours=2, minutes=1))
    assert [(item.id, claim) for item, claim in taken] == [
        ("a0001", Claim.PROMISED),
        ("a0002", Claim.PROMISED),
        ("b0001", Claim.TURN),
    ]


def test_urgent_ones_go_first_but_leave_every_fifth_place() -> None:
    waiting = [row("a", number, urgent=True) for number in range(9)]
    waiting += [row("b", number) for number in range(2)]
    order = served(Turns(), waiting, 11)
    letters = "".join(item[0] for item in order)
    assert URGENT_IN_A_ROW == 4
    assert letters == "aaaabaaaaba"


def test_urgent_ones_of_several_take_turns_too() -> None:
    waiting = [row("a", number, urgent=True) for number in range(9)] + [row("b", 1, urgent=True)]
    assert "b0001" in served(Turns(), waiting, 2)


def test_no_more_of_one_organisation_than_allowed() -> None:
    waiting = [row("a", number, due=1) for number in range(9)] + [row("b", 1)]
    taken = Turns(2).take(waiting, {"a": 1}, 5, pressed_until=NOW + timedelta(hours=2))
    assert [item.id for item, _ in taken] == ["a0000", "b0001"]


def test_reserved_places_are_for_those_that_press() -> None:
    waiting = [*(row("a", number) for number in range(9)), row("b", 1, urgent=True)]
    taken = Turns().take(waiting, {}, 3, reserved=2, pressed_until=None)
    assert [item.id for item, _ in taken] == ["b0001"]
    assert Turns().take(waiting[:9], {}, 2, reserved=2, pressed_until=None) == []
