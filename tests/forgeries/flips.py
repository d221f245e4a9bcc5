"""Single changed bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from tests.forgeries.world import Case


def flipped(case: Case, chosen: random.Random, count: int | None) -> Iterator[Case]:
    """The case with one byte changed in what it is about.

    Args:
        count: how many places, chosen at random; every single one when None.
    """
    data = case.certificate or case.bundle or b""
    places = range(len(data)) if count is None else sorted(chosen.sample(range(len(data)), count))
    for place in places:
        changed = bytearray(data)
        changed[place] ^= chosen.randrange(1, 256)
        name = f"{case.name}, byte {place}"
        if case.certificate is not None:
            yield replace(case, name=name, certificate=bytes(changed))
        else:
            yield replace(case, name=name, bundle=bytes(changed))
