"""Pages: one more is asked for than fits, and what is over says that there is another page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
P = TypeVar("P")


def cut(found: Sequence[T], limit: int, place: Callable[[T], P]) -> tuple[Sequence[T], P | None]:
    """What fits on a page, and where the next one goes on; None on the last.

    Args:
        found: asked for with ``limit + 1``.
        place: of an item, as the cursor names it.
    """
    if len(found) <= limit:
        return found, None
    return found[:limit], place(found[limit - 1])
