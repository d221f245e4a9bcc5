"""What keeps a stored object from being removed by the store itself: a retention period, and a legal hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence_service.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Protection:
    """How one object is protected.

    Attributes:
        retain_until: nobody can remove it before; None: no retention was set.
        held: somebody who runs the store put a legal hold on it; the service never does.
        version: the store's id of the version that was put; None where a store has no versions.
    """

    retain_until: datetime | None = None
    held: bool = False
    version: str | None = None

    def refuse_removal(self, sha256: bytes, now: datetime) -> None:
        """Let an object go that nothing protects.

        Raises:
            RefusedError: it is held, or kept until a time; says which.
        """
        if self.held:
            raise RefusedError(
                f"object {sha256.hex()} is on hold in the object store and cannot be removed",
                what_to_do="have it lifted there first",
            )
        if self.retain_until is not None and now < self.retain_until:
            raise RefusedError(
                f"object {sha256.hex()} is kept until {self.retain_until:%Y-%m-%dT%H:%M:%SZ}; "
                "nobody can remove it earlier",
                what_to_do="remove it after that time",
            )

    def extended(self, until: datetime) -> Protection:
        """The same, kept until a time at least: retention never becomes shorter."""
        until = whole_second(until)
        if self.retain_until is not None and until <= self.retain_until:
            return self
        return Protection(until, self.held, self.version)


def whole_second(moment: datetime) -> datetime:
    """The next whole second: stores keep times in different parts of it, and none may end earlier."""
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + timedelta(seconds=1)
