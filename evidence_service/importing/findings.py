"""What an examination says: facts, and findings with a stable code each.

``error``: the file contradicts itself or its format (a wrong digest, a missing part, an early end).
``warning``: it does not, but weighs less than it could (altered headers, no server address, active content).
``note``: for the reader to know, among it everything that was **not** checked.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from evidence_service.importing.codes import CODES

Severity = Literal["error", "warning", "note"]
Fact = str | int | list[str]

_EACH = 20
_WORDS = 400
_FACTS = 60


class OutOfTimeError(Exception):
    """The time for the examination is over; what was found so far stands."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        code: stable, one of :data:`evidence_service.importing.codes.CODES`.
        where: in the file, in words; empty for the file as a whole.
    """

    severity: Severity
    code: str
    where: str
    what: str

    @property
    def told(self) -> str:
        """In one line."""
        return f"{self.severity} {self.code}{f' ({self.where})' if self.where else ''}: {self.what}"


@dataclass(frozen=True, slots=True)
class Examination:
    """The result.

    Attributes:
        kind: ``warc wacz har pdf image video email``, or ``unknown``: such a file is not examined.
        media_type: by content; what the sender or the name says is not believed.
        facts: what the file says of itself, and how much of it was looked at.
    """

    kind: str
    media_type: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(item.severity == severity for item in self.findings)

    @property
    def summary(self) -> str:
        """In a few words."""
        if self.kind == "unknown":
            return f"not examined ({self.media_type})"
        words = [
            f"{number} {name}{'s' if number != 1 else ''}"
            for name in ("error", "warning")  # type: Severity
            if (number := self.count(name))
        ]
        return f"examined as {self.kind}: {', '.join(words) or 'nothing wrong found'}"

    def to_json(self) -> dict[str, Any]:
        """Members by name."""
        return {
            "kind": self.kind,
            "media_type": self.media_type,
            "facts": dict(self.facts),
            "findings": [
                {"severity": item.severity, "code": item.code, "where": item.where, "what": item.what}
                for item in self.findings
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Examination:
        """The inverse of :meth:`to_json`."""
        findings = tuple(Finding(**item) for item in value["findings"])
        return cls(value["kind"], value["media_type"], value["facts"], findings)


class Notes:
    """Collects facts and findings while a file is read.

    Args:
        seconds: after this time :meth:`tick` ends the examination; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._facts: dict[str, Fact] = {}
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self._prefix = ""

    def tick(self) -> None:
        """To be called often, wherever a file decides how long something takes.

        Raises:
            OutOfTimeError: the time is over.
        """
        if self._ends is not None and time.monotonic() > self._ends:
            raise OutOfTimeError

    def fact(self, name: str, value: Fact) -> None:
        """Record a fact; a later one of the same name replaces it."""
        name = f"{self._prefix}: {name}" if self._prefix else name
        if name in self._facts or len(self._facts) < _FACTS:
            self._facts[name] = (
                [clean(item) for item in value]
                if isinstance(value, list)
                else (value if isinstance(value, int) else clean(value))
            )

    def add(self, code: str, what: str, where: str = "") -> None:
        """Record a finding; beyond 20 of one code they are only counted."""
        self._counts[code] += 1
        if self._counts[code] <= _EACH:
            place = ": ".join(part for part in (self._prefix, where) if part)
            self._findings.append(Finding(CODES[code], code, clean(place), clean(what)))

    def has(self, code: str) -> bool:
        """Whether a finding of this code was recorded."""
        return self._counts[code] > 0

    @contextmanager
    def within(self, place: str) -> Iterator[None]:
        """Everything recorded inside is about this part of the file."""
        outer, self._prefix = self._prefix, ": ".join(part for part in (self._prefix, place) if part)
        try:
            yield
        finally:
            self._prefix = outer

    def facts(self) -> dict[str, Fact]:
        """Facts so far."""
        return dict(self._facts)

    def findings(self) -> tuple[Finding, ...]:
        """Findings so far, errors first, otherwise in the order they were found."""
        more = [
            Finding(CODES[code], code, "", f"{count - _EACH} more of the same kind are not listed")
            for code, count in self._counts.items()
            if count > _EACH
        ]
        order = ("error", "warning", "note")
        return tuple(sorted([*self._findings, *more], key=lambda item: order.index(item.severity)))


def clean(words: object) -> str:
    """Text that every format takes: no control characters or lone surrogates, at most 400 characters."""
    text = str(words)[: 2 * _WORDS].encode("utf-8", "backslashreplace").decode()
    text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return text if len(text) <= _WORDS else f"{text[: _WORDS - 1]}…"
