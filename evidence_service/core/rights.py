"""Rights that are asserted in a dispute, and how manifests word them.

The words are sealed into manifests (``docs/spec/formats.md``, member ``matter``): the same right gives the
same words, always.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {
    "trade_mark": "Trade mark",
    "copyright": "Copyright",
    "design": "Design",
    "patent": "Patent",
}
"""Kind of a right → how it is called."""


@dataclass(frozen=True, slots=True)
class Right:
    """One right.

    Attributes:
        kind: one of :data:`KINDS`.
        title: the mark, the work or the invention, as its owner calls it; empty where it has no name.
        registration: number in the register; empty for what is not registered.
        jurisdiction: where it is in force, e.g. ``EU`` or ``CN``; empty where that is not said.
    """

    kind: str
    title: str = ""
    registration: str = ""
    jurisdiction: str = ""

    def words(self) -> str:
        """As it is written into manifests and printed on certificates."""
        found = KINDS[self.kind]
        if self.title:
            found += f" {self.title}"
        if self.registration:
            found += f", registration number {self.registration}"
        return f"{found} ({self.jurisdiction})" if self.jurisdiction else found
