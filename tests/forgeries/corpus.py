"""Every forgery there is, one list."""

from __future__ import annotations

from collections.abc import Iterator

from tests.forgeries import blocks, digests, pairing, pdfs, records, renewals, revocations, tokens, updates
from tests.forgeries.world import Case, World

PARTS = (records, tokens, digests, revocations, renewals, blocks, pdfs, updates, pairing)


def forgeries(world: World) -> Iterator[Case]:
    """Cases that have to be refused, or at best be called a demonstration."""
    for part in PARTS:
        yield from part.cases(world)


def is_answered(case: Case, verdict: str, statuses: dict[str, str]) -> bool:
    """Whether an answer is the one the case demands: this verdict, because of this check."""
    if verdict != case.verdict:
        return False
    if case.refused_by is None:
        return True
    expected = {"not_checked", "pending"} if case.verdict in ("incomplete", "pending") else {"fail"}
    return statuses.get(case.refused_by) in expected
