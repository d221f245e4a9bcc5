"""The rules of outcomes: data with names (``outcome_rules.json``), in the order they are tried.

A rule's ``look`` says where: ``text`` (visible), ``title``, ``html``, ``url`` (final), ``redirect``
(final address, when it differs from the requested), ``dialog`` (what lies over the page), ``status``;
``fixed`` rules are code in :mod:`~evidence_service.capture.outcome`. Its ``when`` says under which
condition a match counts: ``always``; ``bare`` when no listing is seen on the page; ``opening`` at the
beginning of the text, whatever else is seen; ``empty`` when no listing and hardly any text is seen;
``refused`` when the status is 400 or higher.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; see the module's text for ``look`` and ``when``.

    Attributes:
        says: the reason's words.
        codes: HTTP statuses; ``at_least`` the lowest of a range, 0 for none.
    """

    name: str
    status: str
    says: str
    look: str
    when: str = "always"
    pattern: re.Pattern[str] | None = None
    codes: frozenset[int] = frozenset()
    at_least: int = 0

    def reason(self, found: str = "") -> str:
        """The reason in words, with what was found and the rule's name."""
        words = " ".join(found.split())[:200]
        joined = f"{self.says}: {words}" if self.says and words else self.says or words
        if self.look == "status":
            joined = f"{self.says} {words}"
        return f"{joined} (rule {self.name})"


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in order."""
    text = (resources.files(__package__) / "outcome_rules.json").read_text(encoding="utf-8")
    return tuple(_rule(value) for value in json.loads(text))


@cache
def rule(name: str) -> Rule:
    """The rule of a name."""
    return next(item for item in rules() if item.name == name)


def _rule(value: Mapping[str, object]) -> Rule:
    patterns, codes = value.get("patterns", []), value.get("codes", [])
    assert isinstance(patterns, list) and isinstance(codes, list)  # noqa: S101 - our own data
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return Rule(
        name=str(value["name"]),
        status=str(value["status"]),
        says=str(value["says"]),
        look=str(value["look"]),
        when=str(value.get("when", "always")),
        pattern=re.compile(joined, re.IGNORECASE) if patterns else None,
        codes=frozenset(codes),
        at_least=int(str(value.get("from", 0))),
    )
