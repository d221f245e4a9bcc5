"""The level a seal reached, judged from the finished bytes (ETSI EN 319 142-1, clause 6).

Whom to trust is the verifier's question. Here it is judged whether everything a level needs is in the file
and fits together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evidence_service.certificate.sealing.contents import Contents, read

Level = Literal["PAdES B-B", "PAdES B-T", "PAdES B-LT", "PAdES B-LTA"]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed certificate and the level its seal reached."""

    pdf: bytes
    level: Level


def judged(pdf: bytes) -> Sealed:
    """Finished bytes with the level they reach.

    Raises:
        MalformedError, MismatchError: they hold no seal, or a signature in them does not hold.
    """
    return Sealed(pdf, level_of(read(pdf)))


def level_of(found: Contents) -> Level:
    """The level of a file that was read."""
    if found.token is None:
        return "PAdES B-B"
    # An archive time stamp needs validation data once a newer one has to vouch for it (clause 5.5).
    covered = (found.token, *found.archive[:-1])
    provable = found.stored.proves(found.path, at=found.token.gen_time) and all(
        found.stored.proves(item.signed.path, at=item.gen_time) for item in covered
    )
    if not provable:
        return "PAdES B-T"
    return "PAdES B-LTA" if found.ends_with_stamp else "PAdES B-LT"
