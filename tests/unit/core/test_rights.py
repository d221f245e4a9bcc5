"""How a right is worded in manifests."""

from __future__ import annotations

import pytest

from evidence_service.core.rights import KINDS, Right


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (Right("copyright"), "Copyright"),
        (
            Right("trade_mark", "ACME", "018123456", "EU"),
            "Trade mark ACME, registration number 018123456 (EU)",
        ),
        (Right("design", registration="D-1"), "Design, registration number D-1"),
        (Right("patent", "A hinge", jurisdiction="CN"), "Patent A hinge (CN)"),
    ],
)
def test_the_same_right_gives_the_same_words(right: Right, words: str) -> None:
    assert right.words() == words


def test_every_kind_has_words() -> None:
    assert {Right(kind).words() for kind in KINDS} == set(KINDS.values())
