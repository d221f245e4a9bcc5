"""What a page answers about itself is taken as far as it has the form it should."""

from __future__ import annotations

import pytest

from evidence_service.capture.steps.observing import seen_from
from evidence_service.capture.steps.visit import Seen


def test_a_whole_answer_is_taken() -> None:
    answer = {"title": "Bag", "dialog": "Sign in", "dialog_password": True, "pictures": 3}
    assert seen_from(answer) == Seen("Bag", "Sign in", True, 3)


@pytest.mark.parametrize(
    "answer",
    [
        None, [], "x", {}, {"title": 1, "dialog": None, "dialog_password": "yes", "pictures": "3"},
        {"pictures": True}, {"pictures": -1}, {"pictures": 1.5},
    ],
)  # fmt: skip
def test_anything_else_is_left_out(answer) -> None:
    assert seen_from(answer) == Seen()


def test_texts_are_bounded() -> None:
    assert len(seen_from({"dialog": "x" * 9_000}).dialog) == 2_000
