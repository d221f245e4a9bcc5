"""What keeps a stored object from being removed: a retention period, and holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence_service.core import document
from evidence_service.errors import MalformedError, MismatchError, RefusedError


@dataclass(frozen=True, slots=True)
class Protection:
    """How one object is protected.

    Attributes:
        retain_until: nobody can remove it before; None: no retention was set.
        held: a hold is on it; retention and hold work independently of each other.
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
                f"object {sha256.hex()} is on hold and cannot be removed", what_to_do="release the hold first"
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


def to_note(protection: Protection) -> bytes:
    """A protection as the local store writes it down."""
    until = protection.retain_until
    return json.dumps(
        {"retain_until": None if until is None else document.format_time(until), "held": protection.held}
    ).encode()


def parse_note(data: bytes, sha256: bytes) -> Protection:
    """What :func:`to_note` wrote.

    Raises:
        MismatchError: it is damaged; the object counts as protected.
    """
    try:
        value = json.loads(data)
        until, held = value["retain_until"], value["held"]
        if held not in (True, False):
            raise ValueError(held)
        return Protection(None if until is None else document.parse_time(until, "retain_until"), held)
    except (ValueError, KeyError, TypeError, MalformedError) as error:
        raise MismatchError(
            f"what protects object {sha256.hex()} was changed on disk",
            what_to_do="restore the file *.protection from a backup, or hold the object again",
        ) from error
