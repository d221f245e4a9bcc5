"""What a worker has asked for already: once, as long as it is found again and again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable


class Asked:
    """What was asked for, by kind. What is no longer found is forgotten: a worker lives for months."""

    def __init__(self) -> None:
        self._asked: dict[str, set[str]] = defaultdict(set)

    def each(self, kind: str, found: Iterable[str], ask: Callable[[str], None]) -> None:
        """Ask for each of what is found now and was not asked for yet.

        Args:
            found: all that is found of this kind now.
            ask: may fail; then it is asked again the next time.
        """
        subjects = list(found)
        asked = self._asked[kind]
        asked.intersection_update(subjects)
        for subject in subjects:
            if subject not in asked:
                ask(subject)
                asked.add(subject)

    def __len__(self) -> int:
        return sum(len(subjects) for subjects in self._asked.values())
